"""Screen text: read right, in reading order, and nothing where there is none."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.reading_order import reading_order
from pipeline.models.screen import load_screen_reader
from pipeline.types import Image, ScreenReader, TextLine

LEFT = ["The build takes nine minutes", "Tests take another four", "Nobody reads the old logs"]
RIGHT = ["Revenue grew by 12 percent", "Costs fell in every region", "Hiring starts in May"]


def slide(
    *items: tuple[int, int, int, str], width: int = 1280, height: int = 720, dark: bool = False
) -> Image:
    """Black on white text at (left, top, size)."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    picture = Pillow.new("RGB", (width, height), "#102030" if dark else "white")
    pen = ImageDraw.Draw(picture)
    for left, top, size, text in items:
        font = ImageFont.load_default(size=size)
        pen.text((left, top), text, font=font, fill="#e8e8e8" if dark else "black")
    return np.asarray(picture)


def columns() -> Image:
    rows = [
        (left, 200 + 70 * row, 28, text)
        for left, texts in ((80, LEFT), (680, RIGHT))
        for row, text in enumerate(texts)
    ]
    return slide((80, 40, 48, "Quarterly review: where the time goes"), *rows)


@pytest.fixture(scope="module")
def rapid() -> ScreenReader:
    return load_screen_reader("rapidocr")


@pytest.fixture(params=["rapidocr", "fake:NOTHING BUT | The truth"])
def reader(request: pytest.FixtureRequest) -> ScreenReader:
    return load_screen_reader(request.param)


def test_lines_lie_in_the_frame_and_blank_frames_have_none(reader: ScreenReader) -> None:
    frame = slide((60, 80, 60, "NOTHING BUT"), (60, 400, 60, "The truth"))
    frame.flags.writeable = False
    lines = reader.read(frame)
    assert [line.text for line in lines] == ["NOTHING BUT", "The truth"]
    for line in lines:
        left, top, right, bottom = line.box
        assert 0 <= left < right <= 1280 and 0 <= top < bottom <= 720
        assert 0.6 <= line.confidence <= 1
    assert lines[0].box[3] <= lines[1].box[1]
    for shade in (0, 127, 255):
        assert reader.read(np.full((90, 160, 3), shade, np.uint8)) == []


def test_columns_are_read_one_after_the_other(rapid: ScreenReader) -> None:
    lines = rapid.read(columns())
    assert [line.text for line in lines] == [
        "Quarterly review: where the time goes",
        *LEFT,
        *RIGHT,
    ]


@pytest.mark.parametrize("scale", [0.5, 3])
def test_boxes_are_in_pixels_of_the_frame_that_was_given(rapid: ScreenReader, scale: float) -> None:
    import cv2

    frame = slide((200, 300, 40, "Install a GitHub App"))
    (whole,) = rapid.read(frame)
    (line,) = rapid.read(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    assert line.text == whole.text == "Install a GitHub App"
    np.testing.assert_allclose(np.array(line.box) / scale, whole.box, atol=20)
    assert abs(whole.box[0] - 200) < 25 and abs(whole.box[1] - 300) < 25


def test_light_text_on_a_dark_screen_is_read(rapid: ScreenReader) -> None:
    terminal = slide(
        (30, 30, 22, "$ footnote ask question"), (30, 70, 22, "nothing found"), dark=True
    )
    assert [line.text for line in rapid.read(terminal)] == [
        "$ footnote ask question",
        "nothing found",
    ]


def test_reading_says_nothing_on_the_side(
    rapid: ScreenReader, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        load_screen_reader("rapidocr").read(slide((60, 80, 60, "Hello")))
    out, err = capfd.readouterr()
    assert (out, err, caplog.records) == ("", "", [])


# ---------------------------------------------------------------- reading order


def line(left: float, top: float, width: float, text: str, height: float = 20) -> TextLine:
    return TextLine(text, (left, top, left + width, top + height), 0.9)


def texts(lines: list[TextLine]) -> list[str]:
    return [line.text for line in reading_order(lines)]


def test_pieces_of_one_line_are_joined() -> None:
    pieces = [line(130, 12, 90, "App settings", 18), line(10, 10, 105, "Install GitHub")]
    (joined,) = reading_order(pieces)
    assert joined.text == "Install GitHub App settings"
    assert joined.box == (10, 10, 220, 30)
    assert 0.89 < joined.confidence < 0.91


def test_a_word_in_large_letters_is_not_joined_to_small_ones() -> None:
    assert texts([line(0, 0, 100, "BIG", 60), line(105, 20, 50, "small", 20)]) == ["BIG", "small"]


def test_a_title_over_three_columns_comes_first_and_a_footer_last() -> None:
    title, footer = line(40, 0, 900, "title", 40), line(40, 400, 900, "footer")
    body = [
        line(left, 100 + 40 * row, 250, f"{name}{row}")
        for row in range(4)
        for left, name in ((40, "a"), (350, "b"), (660, "c"))
    ]
    wanted = [f"{name}{row}" for name in "abc" for row in range(4)]
    assert texts([footer, *body, title]) == ["title", *wanted, "footer"]


def test_a_table_is_read_by_rows() -> None:
    cells = [
        line(left, 40 * row, 60, f"{name}{row}")
        for row in range(4)
        for left, name in ((0, "name"), (200, "price"), (400, "stock"))
    ]
    assert texts(cells[::-1]) == [
        f"{name}{row}" for row in range(4) for name in ("name", "price", "stock")
    ]


def test_a_list_of_files_beside_code_is_read_before_it() -> None:
    files = [line(0, 30 * row, 70, f"file{row}") for row in range(3)]
    code = [line(160, 11 + 27 * row, 300, f"code{row}") for row in range(7)]
    wanted = [f"file{row}" for row in range(3)] + [f"code{row}" for row in range(7)]
    assert texts([*code, *files]) == wanted


def test_rows_whose_boxes_overlap_a_little_stay_apart() -> None:
    rows = [line(0, 17 * row, 300, f"row{row}") for row in range(5)]
    assert texts(rows[::-1]) == [f"row{row}" for row in range(5)]


boxes = st.builds(
    line,
    st.floats(0, 1000),
    st.floats(0, 700),
    st.floats(5, 600),
    st.text("abc", min_size=1, max_size=5),
    st.floats(5, 80),
)


@given(st.lists(boxes, max_size=25))
def test_no_text_is_lost_or_said_twice(found: list[TextLine]) -> None:
    said = sorted(word for line in reading_order(found) for word in line.text.split())
    assert said == sorted(line.text for line in found)
    assert reading_order(found) == reading_order(found)
