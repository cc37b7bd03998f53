"""Screen text: what stays on the screen is one segment with its true start and end."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from pipeline.errors import MediaError
from pipeline.ingest.screen_text import open_image, read_screens, segments_of
from pipeline.ingest.standing import Screen, similarity
from pipeline.models.screen import load_screen_reader
from pipeline.types import Image, TextLine

Found = list[tuple[float, float, str]]


def line(text: str, left: float = 50, top: float = 50, confidence: float = 0.95) -> TextLine:
    return TextLine(text, (left, top, left + 12 * len(text), top + 24), confidence)


def column(*texts: str, top: float = 50) -> tuple[TextLine, ...]:
    return tuple(line(text, top=top + 40 * at) for at, text in enumerate(texts))


def found(*screens: tuple[float, float, Sequence[TextLine]]) -> Found:
    segments = segments_of([Screen(start, end, tuple(lines)) for start, end, lines in screens])
    return [(segment.start, segment.end, segment.text) for segment in segments]


def test_a_slide_over_several_runs_is_one_segment_in_reading_order() -> None:
    slide = column("The title", "First line", "Second line")
    assert found((2, 10, slide), (10, 31, slide), (31, 40, column("Next slide"))) == [
        (2, 31, "The title\nFirst line\nSecond line"),
        (31, 40, "Next slide"),
    ]


def test_bullets_that_appear_one_by_one_keep_their_own_intervals() -> None:
    texts = ("Agenda", "Look back", "Look ahead")
    runs = [(0, 10, column(*texts[:1])), (10, 20, column(*texts[:2])), (20, 60, column(*texts))]
    assert found(*runs) == [(0, 60, "Agenda"), (10, 60, "Look back"), (20, 60, "Look ahead")]


def test_a_misread_letter_is_the_same_line_and_the_frequent_reading_is_kept() -> None:
    readings = [
        "Photosynthesis",
        "Photosynthesls",
        "Photosynthesis",
        "Ph0tosynthesis",
        "Photo synthesis",
    ]
    runs = [(10 * i, 10 * i + 10, [line(text, 50 + i)]) for i, text in enumerate(readings)]
    assert found(*runs) == [(0, 50, "Photosynthesis")]


def test_the_confident_reading_wins_over_one_read_as_often() -> None:
    runs = [(0, 5, [line("Kernel panik", confidence=0.6)]), (5, 9, [line("Kernel panic")])]
    assert found(*runs) == [(0, 9, "Kernel panic")]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Photosynthesis", "Photosynthesls", True),
        ("v1.O is out", "v1.0 is out", True),
        ("lO items", "10 items", True),
        ("Step 1", "Step 2", False),
        ("Step 1", "Step 12", False),
        ("Option A", "Option B", False),
        ("Left", "Lift", False),
        ("Revenue 2020", "Revenue 2021", False),
        ("completely different", "nothing in common", False),
    ],
)
def test_another_number_is_another_text_but_a_misread_letter_is_not(
    a: str, b: str, same: bool
) -> None:
    assert (similarity(a, b) > 0) is same


def test_slides_that_differ_in_a_number_are_two_slides() -> None:
    assert found((0, 10, column("Step 1", "Option A")), (10, 20, column("Step 2", "Option B"))) == [
        (0, 10, "Step 1\nOption A"),
        (10, 20, "Step 2\nOption B"),
    ]


def test_a_line_missed_on_one_screen_is_bridged() -> None:
    whole = column("Title of it", "Body text here", "And some more")
    missed = [whole[1], whole[2]]
    assert found((0, 10, whole), (10, 40, missed), (40, 50, whole)) == [
        (0, 50, "Title of it\nBody text here\nAnd some more")
    ]


def test_a_short_flash_of_something_else_is_bridged_and_a_long_one_is_not() -> None:
    slide, other = column("The same slide"), [line("Somebody's name", 400, 500)]
    assert found((0, 10, slide), (10, 12, other), (12, 20, slide))[0] == (0, 20, "The same slide")
    assert found((0, 10, slide), (10, 40, other), (40, 50, slide)) == [
        (0, 10, "The same slide"),
        (10, 40, "Somebody's name"),
        (40, 50, "The same slide"),
    ]


def test_the_same_words_elsewhere_on_the_next_slide_are_another_line() -> None:
    agenda = column("Agenda", "Results", "Thanks")
    title = TextLine("Results", (300, 30, 600, 100), 0.95)
    assert found((0, 10, agenda), (10, 20, [title, line("Nine of ten", top=300)])) == [
        (0, 10, "Agenda\nResults\nThanks"),
        (10, 20, "Results\nNine of ten"),
    ]


def test_a_scrolling_terminal_is_lines_that_move() -> None:
    history = [
        f"$ make target-{word}"
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    ]
    runs = [(2 * i, 2 * i + 2, column(*history[i : i + 4])) for i in range(5)]
    segments = found(*runs)
    assert "\n".join(text for *_, text in segments).split("\n") == history
    at = {text: (start, end) for start, end, text in segments}
    assert at[history[0]] == (0, 2)
    assert at[history[3]] == (0, 8)
    assert at[history[4]] == (2, 10)


def test_scrolled_lines_are_followed_through_misreadings() -> None:
    first = column(
        "alpha bravo charlie", "delta echo foxtrot", "golf hotel india", "juliett kilo lima"
    )
    moved = [
        line("delta echo foxtrot", top=50),
        line("golf hote1 indla", top=90),
        line("juliett kilo lima", top=130),
    ]
    assert (0, 9, "delta echo foxtrot\ngolf hotel india\njuliett kilo lima") in found(
        (0, 5, first), (5, 9, moved)
    )


def test_a_line_being_typed_is_one_line() -> None:
    typed = ["$ pip", "$ pip inst", "$ pip install foot", "$ pip install footnote"]
    assert found(*((i, i + 1, [line(text)]) for i, text in enumerate(typed))) == [
        (0, 4, "$ pip install footnote")
    ]


def test_a_title_that_stood_is_not_taken_for_the_beginning_of_the_next() -> None:
    assert found((0, 30, [line("Results")]), (30, 60, [line("Results and outlook")])) == [
        (0, 30, "Results"),
        (30, 60, "Results and outlook"),
    ]


def test_a_clock_is_noise_and_shatters_nothing() -> None:
    runs = [
        (30 * i, 30 * i + 30, [*column("The slide stays"), line(f"12:{i:02}:17", 700, 10)])
        for i in range(8)
    ]
    assert found(*runs) == [(0, 240, "The slide stays")]


def test_a_percentage_that_counts_is_one_line() -> None:
    runs = [(2 * i, 2 * i + 2, [line(f"Downloading {12 * i}%")]) for i in range(6)]
    assert found(*runs) == [(0, 12, "Downloading 60%")]


def test_specks_are_not_text() -> None:
    specks = [line("x"), line("~ -", top=90), line("unsure", top=130, confidence=0.2)]
    assert found((0, 5, [*specks, line("水", top=200), line("ok", top=300)])) == [(0, 5, "水\nok")]


def test_a_gap_in_which_nothing_is_known_ends_a_line() -> None:
    assert found((0, 5, column("Seen twice")), (60, 65, column("Seen twice"))) == [
        (0, 5, "Seen twice"),
        (60, 65, "Seen twice"),
    ]


def test_an_hour_of_a_restless_terminal_is_read_in_seconds() -> None:
    chance = random.Random(5)
    words = [
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliett",
    ]
    history = [" ".join(chance.choices(words, k=6)) for _ in range(1100)]
    screens = [Screen(i, i + 1, column(*history[i : i + 40])) for i in range(600)]
    began = time.perf_counter()
    segments = segments_of(screens)
    assert time.perf_counter() - began < 15
    assert len(segments) < 1100


BOXED = st.builds(
    line,
    st.sampled_from(["alpha", "alpho", "beta 1", "beta 2", "x", "gamma ray", "gamma"]),
    st.sampled_from([50, 60, 400]),
    st.sampled_from([50, 90, 130]),
    st.sampled_from([0.3, 0.7, 0.9]),
)


@given(st.lists(st.tuples(st.integers(1, 20), st.lists(BOXED, max_size=5)), max_size=8))
def test_a_text_is_never_said_to_be_there_before_it_was_first_or_after_it_was_last_read(
    runs: list[tuple[int, list[TextLine]]],
) -> None:
    screens, at = [], 0
    for length, lines in runs:
        screens.append(Screen(at, at + length, tuple(lines)))
        at += length
    edges = {screen.start for screen in screens} | {screen.end for screen in screens}
    for segment in segments_of(screens):
        assert {segment.start, segment.end} <= edges
        read = {entry.text for s in screens for entry in s.lines}
        for text in segment.text.split("\n"):
            assert text in read
            seen = [s for s in screens if any(similarity(text, e.text) for e in s.lines)]
            assert segment.end >= min(s.start for s in seen)
            assert segment.start <= max(s.end for s in seen)


# ---------------------------------------------------------------- frames


@dataclass(frozen=True)
class Still:
    start: float
    end: float
    time: float
    path: Path


class ReadsByColour:
    """A reader that knows the text of a frame by its first pixel."""

    name = "colour"

    def __init__(self, texts: Mapping[int, Sequence[str]]) -> None:
        self.texts = texts
        self.calls = 0

    def read(self, image: Image) -> list[TextLine]:
        self.calls += 1
        assert image.dtype == np.uint8 and image.shape[2] == 3
        return list(column(*self.texts[int(image[0, 0, 0])]))


def plain(path: Path, red: int) -> Path:
    Pillow.new("RGB", (32, 24), (red, 0, 0)).save(path)
    return path


def test_equal_frames_are_read_once_and_kept(tmp_path: Path) -> None:
    paths = [plain(tmp_path / f"{i}.png", red) for i, red in enumerate((10, 20, 10))]
    stills = [Still(30 * i, 30 * i + 30, 30 * i, path) for i, path in enumerate(paths)]
    reader = ReadsByColour({10: ["First slide"], 20: ["Second slide\x1b[0m"]})
    kept: dict[str, bytes] = {}
    told: list[float] = []
    result = read_screens(
        stills,
        reader,
        get_output=kept.get,
        put_output=kept.__setitem__,
        progress=lambda done, total: told.append(done / total),
    )
    assert [(s.source, s.start, s.end, s.text) for s in result.segments] == [
        ("screen", 0, 30, "First slide"),
        ("screen", 30, 60, "Second slide [0m"),
        ("screen", 60, 90, "First slide"),
    ]
    assert result.model_calls == reader.calls == 2
    assert told == [1 / 3, 2 / 3, 1]
    again = read_screens(stills, reader, get_output=kept.get, put_output=kept.__setitem__)
    assert (again.segments, again.model_calls, reader.calls) == (result.segments, 0, 2)
    forgetful = read_screens(
        stills, reader, get_output=lambda key: None, put_output=lambda key, value: None
    )
    assert (forgetful.segments, forgetful.model_calls) == (result.segments, 2)


def test_a_frame_that_is_gone_or_no_image_is_a_media_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    for path in (tmp_path / "gone.png", broken):
        with pytest.raises(MediaError):
            read_screens(
                [Still(0, 1, 0, path)],
                ReadsByColour({}),
                get_output=lambda key: None,
                put_output=lambda key, value: None,
            )


def draw_slide(path: Path, texts: Sequence[str]) -> Path:
    image = Pillow.new("RGB", (640, 360), "white")
    draw = ImageDraw.Draw(image)
    for at, text in enumerate(texts):
        draw.text((40, 40 + 60 * at), text, fill="black", font=ImageFont.load_default(32))
    image.save(path)
    return path


def test_drawn_slides_are_read_by_the_real_reader(tmp_path: Path) -> None:
    texts = ["Water boils at 100 degrees", "Salt raises that point", "Pressure raises it too"]
    paths = [draw_slide(tmp_path / f"{n}.png", texts[:n]) for n in (1, 2, 3)]
    stills = [Still(10.0 * i, 10.0 * i + 10, 10.0 * i, path) for i, path in enumerate(paths)]
    result = read_screens(
        stills,
        load_screen_reader("rapidocr"),
        get_output=lambda key: None,
        put_output=lambda key, value: None,
    )
    assert result.model_calls == 3
    assert [(s.start, s.end) for s in result.segments] == [(0, 30), (10, 30), (20, 30)]
    for segment, text in zip(result.segments, texts, strict=True):
        assert segment.text.replace(" ", "").lower() == text.replace(" ", "").lower()


def test_images_open_as_rgb(tmp_path: Path) -> None:
    Pillow.new("L", (4, 3), 7).save(tmp_path / "grey.png")
    assert open_image(tmp_path / "grey.png").tolist() == [[[7, 7, 7]] * 4] * 3
