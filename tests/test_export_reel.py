"""A reel: one film of one size and rate, whose subtitles and chapters are where they say."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import MediaError, SettingsError, UsageError
from pipeline.export.cited import claims_of
from pipeline.export.reel import (
    Reel,
    ReelPlan,
    chapters_of,
    common_look,
    cues_on_reel,
    make_reel,
    plan_reel,
)
from pipeline.export.subtitles import cues_of
from pipeline.media.child import MediaReader
from pipeline.media.footage import Footage, footage_of, sound_between
from pipeline.media.lettering import OWN_FONT, Font, chosen_font, wrapped
from pipeline.media.loudness import LoudnessMeter
from pipeline.media.scenes import Look
from pipeline.types import Segment, Video
from tests import clips
from tests.export_made import answered, cited

RED, BLUE = (200, 20, 20), (20, 20, 200)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Video]:
    """A red video with a loud tone, a small blue one without sound, and sound alone, quiet."""
    folder = tmp_path_factory.mktemp("reel")
    red = clips.write(
        folder / "red.mp4",
        clips.at_rate(25, 6.0, lambda _: clips.colour(*RED, size=(854, 480))),
        tracks=[clips.Track([clips.Tone(0, 6)], end=6.0)],
    )
    blue = clips.write(
        folder / "blue.mkv",
        clips.at_rate(12.5, 6.0, lambda _: clips.colour(*BLUE, size=(200, 300))),
        fps=12.5,
    )
    radio = clips.write(folder / "radio.m4a", tracks=[clips.Track([clips.Tone(0, 6)], end=6.0)])
    with av.open(str(radio)) as container:
        assert container.duration
    return {
        "red": Video("red", "The red one", str(red), 6.0, date="2024-05-01", sha256="0"),
        "blue": Video("blue", "The blue one", str(blue), 6.0, sha256="0"),
        "radio": Video("radio", "Radio", str(radio), 6.0, sha256="0"),
        "gone": Video("gone", "Gone", str(folder / "gone.mp4"), 60.0, sha256="0"),
        "talk": Video("talk", "No file"),
        "bad": Video("bad", "Damaged", str(damaged(folder / "bad.mp4")), 60.0, sha256="0"),
    }


def damaged(path: Path) -> Path:
    path.write_bytes(b"\0\0\0\x18ftypisom" + b"\xff" * 9000)
    return path


@pytest.fixture(scope="module")
def reader() -> MediaReader:
    return MediaReader(timeout=120)


SPEECH = {"red": [Segment("speech", 1.0, 2.6, "The red one speaks.")]}


def plan(videos: dict[str, Video], *parts: tuple[str, float, float]) -> ReelPlan:
    citations = [cited(n, videos[v], a, b, f"Quote {n}.") for n, (v, a, b) in enumerate(parts, 1)]
    sentences = [(f"Claim {c.marker}.", (c.marker,), "supported") for c in citations]
    saved = answered(citations, *sentences)  # type: ignore[arg-type]
    return plan_reel(
        "Reel",
        claims_of(saved),
        videos,
        lambda video: footage_of(video.path) if Path(video.path).suffix in _SEEN else Footage(0),
        lambda video_id: cues_of(SPEECH.get(video_id, [])),
    )


_SEEN = (".mkv", ".m4a", ".mp4")


def made(plan: ReelPlan, folder: Path, reader: MediaReader, *, burn: bool = True) -> Reel:
    return make_reel(plan, folder / "reel.mp4", reader, burn=burn)


def plan_without(videos: dict[str, Video], *parts: tuple[str, float, float]) -> ReelPlan:
    """A plan in which files that cannot be read are known by their catalog facts alone."""
    citations = [cited(n, videos[v], a, b) for n, (v, a, b) in enumerate(parts, 1)]
    saved = answered(
        citations,
        *((f"Claim {c.marker}.", (c.marker,), "supported") for c in citations),  # type: ignore[arg-type]
    )
    look = Footage(6.0, Fraction(25), 320, 180, 48_000, 1)
    return plan_reel("Reel", claims_of(saved), videos, lambda _: look, lambda _: [])


def frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether the middle of a picture has a colour, as far as video keeps it."""
    height, width = picture.shape[:2]
    middle = picture[height // 3 : height // 2, width // 2 - 20 : width // 2 + 20].mean(axis=(0, 1))
    return bool(np.abs(middle - colour).max() < 25)


def test_a_reel_is_title_cards_and_the_cited_parts_in_order(
    videos: dict[str, Video], reader: MediaReader, tmp_path: Path
) -> None:
    reel = made(
        plan(videos, ("red", 1.0, 2.0), ("blue", 2.0, 3.0), ("radio", 3.0, 4.0)), tmp_path, reader
    )
    pictures = frames(reel.path)
    assert {picture.shape for picture in pictures} == {(480, 854, 3)}
    assert len(pictures) == pytest.approx(reel.seconds * 25, abs=0.01)
    # A card of 2.5 s (63 frames), then 1.4 s (35 frames) of each, margins included.
    assert [c.start for c in reel.chapters] == [0.0, 3.92, 7.84]
    card, red, blue, radio = (pictures[n] for n in (30, 63 + 17, 98 + 63 + 17, 196 + 63 + 17))
    assert near(red, RED) and near(blue, BLUE)
    assert card.mean() < 60 and card.max() > 180, "bright letters on a dark card"
    assert radio.mean() < 60 and radio.max() > 180, "and where there is no picture"
    assert pictures[63].mean() < red.mean() / 3, "each scene fades in"
    assert pictures[97].mean() < red.mean() / 3, "and out"
    assert blue[:, :200].mean() < 12, "a narrow picture has black at its sides"


def test_chapters_and_sound_are_in_the_file(
    videos: dict[str, Video], reader: MediaReader, tmp_path: Path
) -> None:
    reel = made(plan(videos, ("red", 1.0, 2.0), ("red", 4.0, 5.0)), tmp_path, reader)
    with av.open(str(reel.path)) as container:
        assert container.metadata["title"] == "Reel"
        assert [(c["start"], c["metadata"]["title"]) for c in container.chapters()] == [
            (0, "[1] Claim 1."),
            (3920, "[2] Claim 2."),
        ]
        names = [s.codec_context.name for s in container.streams if s.type != "data"]
        assert names == ["h264", "aac"]
        assert container.duration / 1e6 == pytest.approx(reel.seconds, abs=0.05)
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert {b - a for a, b in pairwise(times)} == {Fraction(1, 25)}
    # 5.32 s: one card, since both parts are of one video.
    assert reel.seconds == pytest.approx(2.52 + 1.4 + 1.4)
    sound = np.concatenate(list(sound_between(reel.path, 0, reel.seconds, 48_000, "mono")), axis=1)
    loud = np.abs(sound[0]) > 0.05
    assert not loud[: int(2.5 * 48_000)].any(), "the card is silent"
    assert loud[int(2.8 * 48_000) : int(3.6 * 48_000)].mean() > 0.7


def test_subtitles_are_burned_in_or_not(
    videos: dict[str, Video], reader: MediaReader, tmp_path: Path
) -> None:
    planned = plan(videos, ("red", 1.0, 2.6))
    burned = frames(made(planned, tmp_path, reader).path)
    bare = frames(made(planned, tmp_path, reader, burn=False).path)
    during, below = 63 + 25, slice(380, 470)
    assert burned[during][below].max() > 225 > bare[during][below].max()
    assert np.abs(burned[during][:300].astype(int) - bare[during][:300]).mean() < 2
    (cue,) = cues_on_reel(planned.scenes, planned.look)
    assert (cue.text, cue.start) == ("The red one speaks.", pytest.approx(2.52 + 0.2))
    assert cue.end == pytest.approx(2.52 + 1.8)


def test_what_nobody_says_is_told_in_brackets(videos: dict[str, Video]) -> None:
    sign = cited(1, videos["blue"], 1.0, 3.0, "Closed on Sunday", "screen")
    saved = answered([sign], ("It is closed.", (1,), "supported"))
    planned = plan_reel("R", claims_of(saved), videos, lambda _: Footage(6.0), lambda _: [])
    (cue,) = cues_on_reel(planned.scenes, planned.look)
    assert cue.text == "[on screen: Closed on Sunday]"


def test_what_is_not_carried_is_not_shown(videos: dict[str, Video]) -> None:
    citations = [cited(1, videos["red"], 1, 2), cited(2, videos["blue"], 1, 2)]
    saved = answered(citations, ("So.", (1,), "supported"), ("Not so.", (2,), "contradicted"))
    given = (videos, lambda _: Footage(6.0), lambda _: [])
    planned = plan_reel("R", claims_of(saved), *given)
    assert [scene.piece.video.video_id for scene in planned.scenes] == ["red"]
    assert planned.notes == ("[2] is left out: it does not carry its sentence",)
    none = answered(citations, ("Not so.", (1, 2), "unsupported"))
    with pytest.raises(UsageError, match="no citation to show"):
        plan_reel("R", claims_of(none), *given)


def test_scenes_that_cannot_be_made_are_told_and_the_rest_is_a_reel(
    videos: dict[str, Video], reader: MediaReader, tmp_path: Path
) -> None:
    planned = plan_without(
        videos, ("gone", 1, 2), ("talk", 1, 2), ("bad", 1, 2), ("red", 50, 51), ("red", 1, 2)
    )
    reel = made(planned, tmp_path, reader)
    assert reel.clips == 1
    assert [note.split(": ", 1)[1][:14] for note in reel.notes] == [
        "Gone is not th", "No file was im", "bad.mp4 is dam", "The red one en",
    ]  # fmt: skip
    assert reel.chapters[0].start == 0.0 and reel.seconds == pytest.approx(2.52 + 1.4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reel.mp4"]


def test_a_reel_of_nothing_is_an_error_and_leaves_nothing(
    videos: dict[str, Video], reader: MediaReader, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="none of the cited videos has a file"):
        made(plan_without(videos, ("talk", 1, 2)), tmp_path, reader)
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        made(plan_without(videos, ("bad", 1, 2)), tmp_path, reader)
    with pytest.raises(UsageError, match="a reel is an MP4"):
        make_reel(plan_without(videos, ("red", 1, 2)), tmp_path / "reel.webm", reader)
    assert list(tmp_path.iterdir()) == []


def test_loud_and_quiet_videos_are_about_as_loud(
    videos: dict[str, Video], reader: MediaReader, tmp_path: Path
) -> None:
    quiet = tmp_path / "quiet.wav"
    with av.open(str(quiet), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48_000, layout="mono")
        sine = 400 * np.sin(2 * np.pi * 440 * np.arange(48_000 * 4) / 48_000)
        frame = av.AudioFrame.from_ndarray(sine.astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
    some = {**videos, "quiet": Video("quiet", "Quiet", str(quiet), 4.0, sha256="0")}
    planned = plan_without(some, ("red", 1.0, 3.0), ("quiet", 1.0, 3.0))
    reel = made(planned, tmp_path, reader)

    def loudness(path: Path, start: float) -> float:
        meter = LoudnessMeter(48_000)
        for part in sound_between(path, start, start + 1.6, 48_000, "stereo"):
            meter.take(part)
        return meter.loudness()

    before = loudness(Path(videos["red"].path), 1.0) - loudness(quiet, 1.0)
    first, second = (chapter.start + 2.9 for chapter in reel.chapters)
    assert before > 25
    assert abs(loudness(reel.path, first) - loudness(reel.path, second)) < before - 15


def test_the_look_is_that_of_most_seconds() -> None:
    wide = Footage(9, Fraction(30000, 1001), 1920, 1080)
    tall = Footage(9, Fraction(25), 1080, 1920)
    small = Footage(9, Fraction(10), 320, 180)
    huge = Footage(9, Fraction(60), 7680, 4320)
    assert common_look([(wide, 9), (tall, 5)]) == Look((1920, 1080), Fraction(30000, 1001))
    assert common_look([(tall, 9), (wide, 5)]).size == (1080, 1920)
    assert common_look([(small, 9)]) == Look((854, 480), Fraction(30))
    assert common_look([(huge, 9)]).size == (1920, 1080)
    assert common_look([(Footage(9, sound_rate=8000, channels=1), 9)]) == Look(
        (1280, 720), Fraction(25)
    )


def test_a_chapter_of_a_plan_is_where_the_scene_is(videos: dict[str, Video]) -> None:
    planned = plan_without(videos, ("red", 1, 2), ("blue", 1, 2), ("red", 3, 4))
    assert [bool(scene.card) for scene in planned.scenes] == [True, True, True]
    spans = chapters_of(planned.scenes, planned.look)
    assert [span.start for span in spans] == pytest.approx([0, 3.92, 7.84])
    assert all(a.end == b.start for a, b in pairwise(spans))


# ---------------------------------------------------------------- letters


def test_pillows_own_font_says_what_it_cannot_draw() -> None:
    own = Font(OWN_FONT)
    assert own.missing("plain ASCII, 123!") == ""
    assert own.drawable("café \u2013 naïve") == "cafe - naive"
    assert own.missing(own.drawable("café 日本")) == "日本"


def test_a_font_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_bytes(b"no font")
    with pytest.raises(SettingsError, match="reel_font"):
        chosen_font("text", str(tmp_path / "font.ttf"))


def test_lines_fit_and_the_rest_is_cut_with_a_sign() -> None:
    font = Font(OWN_FONT).sized(20)
    lines = wrapped("word " * 40 + "x" * 80, font, 200, 3)
    assert len(lines) == 3 and lines[-1].endswith("...")
    assert all(font.getlength(line) <= 200 for line in lines)
