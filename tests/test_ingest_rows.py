"""Rows of an import: the bad ones are named with their line, the others go in unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RowError, UsageError
from pipeline.ingest.names import check_video_id, slug_of
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.rows import Rows, iso_date, read_rows

GOOD = {"video_id": "v", "start": 1.5, "end": 3, "text": "Hello.", "source": "speech"}


def read(tmp_path: Path, *rows: object) -> Rows:
    """Rows given as objects, or as the bytes or text of a line."""
    lines = [
        row
        if isinstance(row, bytes)
        else (row if isinstance(row, str) else json.dumps(row)).encode("utf-8")
        for row in rows
    ]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines))
    return read_rows(path)


def test_rows_become_videos_in_file_order_and_segments_in_time_order(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        {**GOOD, "video_id": "14643", "start": 5, "end": 6, "text": "later"},
        {**GOOD, "video_id": "v_uqiMw7tQ1Cc", "source": "caption"},
        {**GOOD, "video_id": "14643", "speaker": "Ann", "language": "en-GB"},
        {**GOOD, "video_id": "btc-a-talk", "title": "A talk", "duration": 99.5,
         "date": "2021-05-04", "url": "https://x.org/a?b=1", "path": "/videos/a.mp4"},
    )  # fmt: skip
    assert rows.errors == () and rows.warnings == ()
    first, second, third = rows.videos
    assert [v.video_id for v in rows.videos] == ["14643", "v_uqiMw7tQ1Cc", "btc-a-talk"]
    assert [(s.start, s.end, s.text, s.speaker, s.language) for s in first.segments] == [
        (1.5, 3.0, "Hello.", "Ann", "en"),
        (5.0, 6.0, "later", "", ""),
    ]
    assert (first.title, first.duration) == ("14643", 6.0)
    assert second.segments[0].source == "caption"
    assert (third.title, third.duration, third.date, third.url, third.path) == (
        "A talk", 99.5, "2021-05-04", "https://x.org/a?b=1", "/videos/a.mp4",
    )  # fmt: skip


BAD = {
    "not JSON at all": "{nope",
    "cut off": '{"video_id": "v"',
    "a list": "[1, 2]",
    "a number too large": '{"start": 1' + "0" * 5000 + "}",
    "nested too deep": "[" * 100_000,
    "not UTF-8": b'{"video_id": "caf\xe9"}',
    "no text key": {k: v for k, v in GOOD.items() if k != "text"},
    "null start": {**GOOD, "start": None},
    "true start": {**GOOD, "start": True},
    "text start": {**GOOD, "start": "1.5"},
    "NaN": '{"video_id":"v","start":NaN,"end":3,"text":"a","source":"speech"}',
    "Infinity": '{"video_id":"v","start":1,"end":Infinity,"text":"a","source":"speech"}',
    "1e999": '{"video_id":"v","start":1,"end":1e999,"text":"a","source":"speech"}',
    "milliseconds": {**GOOD, "end": 1.7e12},
    "end before start": {**GOOD, "end": 1},
    "end at start": {**GOOD, "end": 1.5},
    "negative": {**GOOD, "start": -1},
    "unknown source": {**GOOD, "source": "speach"},
    "source a list": {**GOOD, "source": ["speech"]},
    "empty text": {**GOOD, "text": " \n "},
    "only control characters": {**GOOD, "text": "\x00\x07"},
    "text a number": {**GOOD, "text": 5},
    "beyond the duration": {**GOOD, "duration": 2},
    "duration text": {**GOOD, "duration": "2"},
    "no date": {**GOOD, "date": "yesterday"},
    "script url": {**GOOD, "url": "javascript:alert(1)"},
    "no language": {**GOOD, "language": "plain English"},
    "speaker a number": {**GOOD, "speaker": 7},
    "id a number": {**GOOD, "video_id": 14643},
    "id a path": {**GOOD, "video_id": "../../etc/passwd"},
    "id with a backslash": {**GOOD, "video_id": "a\\b"},
    "id with a line end": {**GOOD, "video_id": "a\nb"},
    "id that turns text": {**GOOD, "video_id": "a\u202eb"},
    "id dots": {**GOOD, "video_id": ".."},
    "id empty": {**GOOD, "video_id": ""},
    "id long": {**GOOD, "video_id": "a" * 201},
    "id with spaces around": {**GOOD, "video_id": " a"},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_named_by_its_line_and_the_rest_goes_in(tmp_path: Path, bad: object) -> None:
    rows = read(tmp_path, GOOD, "", bad, {**GOOD, "start": 2})
    assert [error.line for error in rows.errors] == [3]
    assert rows.errors[0].message.isprintable() and len(rows.errors[0].message) < 200
    assert [len(video.segments) for video in rows.videos] == [2]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({**GOOD, "source": "speach"}, "unknown source 'speach'; did you mean 'speech'?"),
        ({"video_id": "v", "start": 1, "txt": "a", "end": 2, "source": "speech"},
         "missing text (there is 'txt')"),
        ({**GOOD, "start": True}, "start must be a number of seconds, not true or false"),
        ({**GOOD, "end": 1}, "end 1 is not after start 1.5"),
        (BAD["NaN"], "NaN is not a number of seconds"),
        (BAD["not UTF-8"], "not UTF-8 at byte 18"),
    ],
)  # fmt: skip
def test_a_message_says_what_is_wrong(tmp_path: Path, bad: object, message: str) -> None:
    assert read(tmp_path, bad).errors[0].message == message


def test_a_row_beyond_a_duration_given_later_is_bad_and_rounding_is_not(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        {**GOOD, "end": 70},
        {**GOOD, "end": 60.04},
        {**GOOD, "end": 59, "duration": 60},
        {**GOOD, "end": 5, "duration": 61},
    )
    assert [error.line for error in rows.errors] == [1]
    assert [warning.line for warning in rows.warnings] == [4]
    assert rows.videos[0].duration == 60
    assert [segment.end for segment in rows.videos[0].segments] == [5, 59, 60]


def test_a_video_of_bad_rows_only_is_no_video(tmp_path: Path) -> None:
    assert read(tmp_path, {**GOOD, "end": 0}).videos == ()


def test_unknown_keys_and_facts_that_differ_are_said_once(tmp_path: Path) -> None:
    row = {**GOOD, "titel": "x", "speaker": "A"}
    rows = read(tmp_path, row, row, {**GOOD, "title": "One"}, {**GOOD, "title": "Two"})
    assert [(w.line, w.message) for w in rows.warnings] == [
        (1, "key 'titel' is unknown: ignored; did you mean 'title'?"),
        (4, "title of v is 'Two', was 'One': kept"),
    ]
    assert rows.errors == () and len(rows.videos[0].segments) == 4
    assert rows.videos[0].title == "One"


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    line = json.dumps({**GOOD, "text": "größer\u2028als"}, ensure_ascii=False).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n  \r\n" + line)
    rows = read_rows(path)
    assert rows.errors == () and [s.text for s in rows.videos[0].segments] == ["größer\nals"] * 2


@pytest.mark.parametrize("content", ["{}".encode("utf-16"), b"\x1f\x8b\x08\x00"])
def test_another_encoding_or_a_compressed_file_is_one_clear_error(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_rows(path)
    assert raised.value.hint


def test_a_file_that_is_not_there_or_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_rows(path)


def test_a_line_too_long_to_be_a_row_is_not_kept_in_memory(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * (33 << 20) + b'"}'
    rows = read(tmp_path, GOOD, long, GOOD)
    assert [error.line for error in rows.errors] == [2]
    assert len(rows.videos[0].segments) == 2


def test_text_is_cleaned_of_what_no_reader_sees(tmp_path: Path) -> None:
    line = (
        '{"video_id":"v","start":1,"end":2,"source":"speech",'
        '"text":"a\\u001b[31mb\\ud800 \\u202ec\\r\\nd\\u0000\\t e \\ud83d\\ude00"}'
    )
    text = read(tmp_path, line).videos[0].segments[0].text
    assert text == "a [31mb\ufffd c\nd e 😀"
    assert (
        clean_text("👩\u200d👩\u200d👧 नमस्\u200dते soft\u00adware")
        == "👩\u200d👩\u200d👧 नमस्\u200dते software"
    )


@given(st.text())
def test_clean_text_is_printable_encodes_and_is_stable(text: str) -> None:
    clean = clean_text(text)
    clean.encode("utf-8")
    assert clean == clean_text(clean) == clean.strip()
    assert not {c for c in clean if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}


@pytest.mark.parametrize(
    ("given_date", "kept"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T09:30:00Z", "2024-05-01T09:30:00Z"),
        ("2024-05-01T01:30:00+02:00", "2024-04-30T23:30:00Z"),
        ("2024-05-01 09:30", "2024-05-01T09:30:00Z"),
    ],
)
def test_dates_are_kept_in_utc(given_date: str, kept: str) -> None:
    assert iso_date(given_date) == kept


def test_a_date_beyond_the_calendar_is_a_row_error() -> None:
    with pytest.raises(RowError):
        iso_date("0001-01-01T00:00:00+23:00")


@pytest.mark.parametrize(
    ("stem", "slug"),
    [
        ("My Talk (final) v2", "my-talk-final-v2"),
        ("-rf", "rf"),
        ("日本語 の ビデオ", "日本語-の-ビデオ"),
        ("हिन्दी वीडियो", "हिन्दी-वीडियो"),
        ("ＦＵＬＬ Ünï", "full-ünï"),  # noqa: RUF001
        ("...", "video"),
        ("", "video"),
    ],
)
def test_slugs(stem: str, slug: str) -> None:
    assert slug_of(stem) == slug


@given(st.text())
def test_every_stem_has_a_slug_that_names_a_video_and_stays(stem: str) -> None:
    slug = slug_of(stem)
    assert check_video_id(slug) == slug == slug_of(slug)
    assert not slug.startswith("-") and not slug.endswith("-")
