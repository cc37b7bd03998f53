"""Filters: which passages may be found, by video, source, folder and date."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.retrieve.filters import allowed_passages
from pipeline.types import Filters, Source, Video
from tests.memory_index import passage, table_of

SOURCES_OF: dict[str, tuple[Source, ...]] = {
    "a": ("speech", "caption"),
    "b": ("speech",),
    "c": ("screen", "speech"),
}
ROWS = [
    (video_id, passage(source, 0, 30, "x"))
    for video_id, sources in SOURCES_OF.items()
    for source in sources
]
TABLE = table_of(ROWS)
VIDEOS = {
    "a": Video("a", "A", path="/archive/talks/2023/a.mp4", date="2023-05-01"),
    "b": Video("b", "B", path="/archive/talks-old/b.mp4", date="2023-05-31T23:30:00Z"),
    "c": Video("c", "C"),
}


def found(**filters: object) -> list[tuple[str, str]]:
    mask = allowed_passages(TABLE, Filters(**filters), VIDEOS)  # type: ignore[arg-type]
    assert mask is not None
    return [
        (video_id, row.source) for (video_id, row), kept in zip(ROWS, mask, strict=True) if kept
    ]


def test_no_filter_is_no_mask() -> None:
    assert allowed_passages(TABLE, Filters(), VIDEOS) is None


def test_videos_and_sources() -> None:
    assert found(videos=("b", "c")) == [("b", "speech"), ("c", "screen"), ("c", "speech")]
    assert found(sources=("caption", "screen")) == [("a", "caption"), ("c", "screen")]
    assert found(videos=("a",), sources=("speech",)) == [("a", "speech")]
    assert found(videos=("unknown",)) == []


@pytest.mark.parametrize(
    ("folder", "videos"),
    [
        ("/archive/talks", {"a"}),
        ("/archive/talks/2023/", {"a"}),
        ("/archive/music/../talks", {"a"}),
        ("/archive", {"a", "b"}),
        ("/", {"a", "b"}),
        ("/elsewhere", set()),
    ],
)
def test_a_folder_is_a_folder_and_not_a_prefix(folder: str, videos: set[str]) -> None:
    assert {video_id for video_id, _ in found(folder=folder)} == videos


def test_a_relative_folder_is_under_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    facts = {"b": Video("b", "B", path=str(tmp_path / "talks" / "b.mp4"))}
    mask = allowed_passages(TABLE, Filters(folder="talks"), facts)
    assert mask is not None
    assert [video_id for (video_id, _), kept in zip(ROWS, mask, strict=True) if kept] == ["b"]


@pytest.mark.parametrize(
    ("after", "before", "videos"),
    [
        ("2023-05-01", "", {"a", "b"}),  # inclusive
        ("2023-05-02", "", {"b"}),
        ("", "2023-05-31", {"a"}),
        ("", "2023-05-01", set()),  # exclusive
        ("2023", "2024", {"a", "b"}),
        ("2023-05", "2023-06", {"a", "b"}),
        ("2023-05-31T23:30:00Z", "", {"b"}),
        ("2023-06-01T01:30:00+02:00", "", {"b"}),  # the same second
        ("2023-06-01T01:30:01+02:00", "", set()),
    ],
)
def test_dates(after: str, before: str, videos: set[str]) -> None:
    assert {video_id for video_id, _ in found(after=after, before=before)} == videos


@pytest.mark.parametrize("date", ["yesterday", "2023-13", "2023-02-30", "05/01/2023"])
def test_what_is_no_date_is_an_error(date: str) -> None:
    with pytest.raises(UsageError, match="not an ISO date"):
        found(after=date)


def test_an_unknown_source_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="subtitles") as raised:
        found(sources=("subtitles",))
    assert "speech" in raised.value.hint
