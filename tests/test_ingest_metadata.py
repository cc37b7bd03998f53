"""What people already have, from files to search: sidecars of a video, videos that are not here,
and what is known of a video: who says it, what is kept, what it filters."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pipeline.ingest.metadata import clean_metadata
from pipeline.store.catalog import Catalog
from pipeline.store.schema import MIGRATIONS
from pipeline.types import Metadata, Segment, Video
from tests import clips
from tests.command import Footnote, write_rows

INFO: dict[str, Any] = {
    "title": "Owls of the fjord",
    "upload_date": "20240501",
    "uploader": "Ada Lovelace",
    "tags": ["owl", "fjord"],
    "location": "Bergen, Norway",
    "description": "About owls and voles.",
    "webpage_url": "https://example.org/watch?v=1",
    "duration": 4,
    "chapters": [
        {"start_time": 0, "end_time": 2, "title": "Owls"},
        {"start_time": 2, "end_time": 4, "title": "Ferries"},
    ],
}
VTT = """WEBVTT
Kind: captions
Language: en

00:00:00.500 --> 00:00:02.000
The<00:00:00.900><c> owl</c><00:00:01.200><c> hunts</c><00:00:01.600><c> voles.</c>

00:00:02.500 --> 00:00:03.500
The ferry leaves at noon.
"""


@pytest.fixture(autouse=True)
def no_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chapters and summaries are made only where a test is about them."""
    monkeypatch.setenv("FOOTNOTE_LEVELS", "none")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video with its own tags, as yt-dlp leaves it: an .info.json and subtitles beside it."""
    monkeypatch.setenv("FOOTNOTE_SCREEN_READER", "fake:Departures")
    videos = tmp_path / "videos"
    videos.mkdir()
    clips.write(
        videos / "talk.mp4",
        clips.scenes((4.0, clips.texture(1)), fps=10),
        fps=10,
        metadata={"title": "Container", "artist": "Somebody", "date": "2001-01-01"},
        chapters=[(0, 4, "Its own")],
    )
    (videos / "talk.en-orig.vtt").write_text(VTT)
    (videos / "talk.info.json").write_text(json.dumps(INFO))
    return videos


def known(footnote: Footnote, video: str = "talk") -> dict[str, Any]:
    names = ("title", "date", "people", "place", "tags", "url", "description")
    shown = footnote.json("show", video)
    return {name: shown[name] for name in names}


def found(footnote: Footnote, *filters: str) -> set[str]:
    moments = footnote.json("search", "the owl and the ferry", *filters)["moments"]
    return {moment["video_id"] for moment in moments}


def chapters(footnote: Footnote) -> list[str]:
    with Catalog(footnote.library) as catalog:
        listed: Any = catalog.video("talk").media["chapters"]
    return [chapter["title"] for chapter in listed]


# ---------------------------------------------------------------- beside a video


def test_what_lies_beside_a_video_is_known_of_it(footnote: Footnote, folder: Path) -> None:
    assert footnote.json("add", folder)["videos"][0]["status"] == "added"
    assert known(footnote) == {
        "title": "Owls of the fjord",
        "date": "2024-05-01",
        "people": ["Ada Lovelace"],
        "place": "Bergen, Norway",
        "tags": ["owl", "fjord"],
        "url": "https://example.org/watch?v=1",
        "description": "About owls and voles.",
    }
    (listed,) = footnote.json("list")["videos"]
    assert (listed["people"], listed["date"]) == (["Ada Lovelace"], "2024-05-01")
    assert "description" not in listed
    assert chapters(footnote) == ["Owls", "Ferries"]
    shown = footnote.run("show", "talk").out
    assert "Bergen, Norway" in shown and "owl, fjord" in shown


def test_without_an_info_the_container_tells_and_a_vanished_info_is_forgotten(
    footnote: Footnote, folder: Path
) -> None:
    footnote.json("add", folder)
    (folder / "talk.info.json").unlink()
    again = footnote.json("add", folder)
    assert again["videos"][0]["status"] == "updated"
    facts = known(footnote)
    assert (facts["title"], facts["people"], facts["url"]) == ("Container", ["Somebody"], "")
    assert facts["date"].startswith("2001")
    assert chapters(footnote) == ["Its own"]


def test_a_changed_info_is_noticed_and_redoes_no_text(footnote: Footnote, folder: Path) -> None:
    first = footnote.json("add", folder)["videos"][0]
    (folder / "talk.info.json").write_text(json.dumps({**INFO, "title": "Another title"}))
    again = footnote.json("add", folder)["videos"][0]
    assert again["status"] == "updated"
    assert known(footnote)["title"] == "Another title"
    for name in ("frames", "speech", "screen", "passages"):
        assert again["stages"][name] == first["stages"][name]
    assert footnote.json("add", folder)["videos"][0]["status"] == "unchanged"


def test_a_whisper_transcript_is_read_only_until_there_are_subtitles(
    footnote: Footnote, folder: Path
) -> None:
    subtitles = folder / "talk.en-orig.vtt"
    subtitles.rename(folder / "kept.txt")
    rows = [{"start": 0.5, "end": 2, "text": " The towel haunts moles."}]
    (folder / "talk.json").write_text(json.dumps({"segments": rows, "language": "en"}))
    footnote.json("add", folder)
    said = [s for s in footnote.json("show", "talk")["segments"] if s["source"] == "speech"]
    assert [(s["start"], s["text"]) for s in said] == [(0.5, "The towel haunts moles.")]
    (folder / "kept.txt").rename(subtitles)
    footnote.json("add", folder)
    texts = [s["text"] for s in footnote.json("show", "talk")["segments"]]
    assert "The ferry leaves at noon." in texts
    assert "The towel haunts moles." not in texts


def test_a_broken_sidecar_is_one_line_and_the_video_is_read(
    footnote: Footnote, folder: Path
) -> None:
    (folder / "talk.info.json").write_bytes(b'{"title": "Ow')
    (folder / "talk.chapters.json").write_bytes(b"\x00\x01")
    report = footnote.json("add", folder, code=4)["videos"][0]
    assert report["status"] == "partial"
    for name in ("talk.info.json", "talk.chapters.json"):
        assert report["reason"].count(name) == 1
    assert known(footnote)["title"] == "Container"
    assert found(footnote) == {"talk"}


# ---------------------------------------------------------------- without a video


def test_an_info_and_its_subtitles_without_the_video(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_LEVELS", "text")
    (folder / "talk.mp4").unlink()
    done = footnote.json("import", folder)
    assert [(v["video_id"], v["status"]) for v in done["videos"]] == [("talk", "added")]
    assert (done["rows"], done["errors"]) == (2, [])
    assert known(footnote)["url"] == "https://example.org/watch?v=1"
    shown = footnote.json("show", "talk")
    assert shown["duration"] == 4.0
    assert [
        (s["source"], s["start"], s["text"]) for s in shown["segments"] if s["source"] != "summary"
    ] == [
        ("chapter", 0, "Owls"),
        ("speech", 0.5, "The owl hunts voles."),
        ("chapter", 2, "Ferries"),
        ("speech", 2.5, "The ferry leaves at noon."),
    ]
    with Catalog(footnote.library) as catalog:
        (first, _) = catalog.segments("talk", "speech")
    assert [word.start for word in first.words] == [0.5, 0.9, 1.2, 1.6]
    answer = footnote.json("ask", "When does the ferry leave?")
    assert answer["citations"][0]["source"] == "speech", "a chapter is found and never cited"


def test_a_folder_imported_again_changes_nothing_until_a_file_does(
    footnote: Footnote, folder: Path
) -> None:
    (folder / "talk.mp4").unlink()
    (folder / "deep").mkdir()
    (folder / "deep" / "talk.vtt").write_text(VTT.replace("owl", "elk"))
    (folder / "deep" / "other.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nA badger digs.\n")
    first = footnote.json("import", folder)["videos"]
    ids = [video["video_id"] for video in first]
    assert len(set(ids)) == 3 and ids[0] == "talk" and ids[1] == "other"
    assert ids[2].startswith("talk-"), "two videos of one name are two videos"
    again = footnote.json("import", folder)["videos"]
    assert [(v["video_id"], v["status"]) for v in again] == [(i, "unchanged") for i in ids]
    subtitles = folder / "deep" / "talk.vtt"
    subtitles.write_text(VTT.replace("owl", "moose"))
    statuses = {v["video_id"]: v["status"] for v in footnote.json("import", folder)["videos"]}
    assert statuses == {"talk": "unchanged", "other": "unchanged", ids[2]: "updated"}
    assert "moose" in footnote.json("show", ids[2])["segments"][0]["text"]


def test_in_a_folder_videos_that_are_there_are_left_to_add(
    footnote: Footnote, folder: Path
) -> None:
    footnote.json("add", folder)
    before = footnote.json("show", "talk")
    (video,) = footnote.json("import", folder)["videos"]
    assert video["status"] == "unchanged"
    assert "footnote add" in video["reason"]
    assert footnote.json("show", "talk") == before


def test_content_decides_and_a_file_of_nothing_is_said(footnote: Footnote, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(VTT)
    assert footnote.json("import", tmp_path / "a.txt")["rows"] == 2
    row = {"video_id": "v", "start": 0, "end": 1, "text": "A row.", "source": "speech"}
    (tmp_path / "rows.txt").write_text(json.dumps(row))
    assert footnote.json("import", tmp_path / "rows.txt")["rows"] == 1
    (tmp_path / "notes.md").write_text("# Notes\n")
    (error,) = footnote.json("import", tmp_path / "notes.md", code=4)["errors"]
    assert error["line"] == 0
    assert "notes.md" in error["message"]
    (tmp_path / "lone.info.json").write_text(json.dumps({**INFO, "chapters": None}))
    (error,) = footnote.json("import", tmp_path / "lone.info.json", code=4)["errors"]
    assert "no subtitles" in error["message"]
    (tmp_path / "empty").mkdir()
    assert footnote.json("import", tmp_path / "empty", code=2)["error"]["code"] == "usage"


def test_the_same_address_is_the_same_video_wherever_its_files_lie(
    footnote: Footnote, folder: Path, tmp_path: Path
) -> None:
    (folder / "talk.mp4").unlink()
    footnote.json("import", folder)
    folder.rename(tmp_path / "moved")
    (video,) = footnote.json("import", tmp_path / "moved")["videos"]
    assert (video["video_id"], video["status"]) == ("talk", "updated")


# ---------------------------------------------------------------- rows


def test_rows_bring_people_place_tags_and_description(footnote: Footnote, tmp_path: Path) -> None:
    row = {"start": 0, "end": 2, "text": "The owl and the ferry."}
    more = {"people": ["Ada", "ada", ""], "tags": "owl", "place": "Oslo", "description": "a\nb"}
    done = footnote.json("import", write_rows(tmp_path / "r.jsonl", {**row, **more}))
    assert done["errors"] == []
    facts = known(footnote)
    assert (facts["people"], facts["tags"]) == (["Ada"], ["owl"])
    assert (facts["place"], facts["description"]) == ("Oslo", "a\nb")
    footnote.json("import", write_rows(tmp_path / "r.jsonl", {**row, "place": "Bergen"}))
    facts = known(footnote)
    assert (facts["people"], facts["place"]) == (["Ada"], "Bergen"), "what is not said stays"
    wrong = footnote.json(
        "import", write_rows(tmp_path / "r.jsonl", {**row, "tags": [1]}, row), code=4
    )
    assert "tags must be" in wrong["errors"][0]["message"]


# ---------------------------------------------------------------- filters


def test_search_is_restricted_by_person_tag_and_place(footnote: Footnote, tmp_path: Path) -> None:
    text = {"start": 0, "end": 2, "text": "The owl and the ferry."}
    rows = [
        {**text, "video_id": "a", "people": ["Ada Lovelace"], "tags": ["sea birds"]},
        {**text, "video_id": "b", "speaker": "René Thom", "place": "Bergen, Norway"},
        {**text, "video_id": "c", "speaker": "SPEAKER_00"},
    ]
    footnote.json("import", write_rows(tmp_path / "r.jsonl", *rows))
    assert found(footnote) == {"a", "b", "c"}
    assert found(footnote, "--person", "lovelace") == {"a"}
    assert found(footnote, "--person", "RENE") == {"b"}, "who speaks is there, in any spelling"
    assert found(footnote, "--person", "love") == set(), "a name is made of whole words"
    assert found(footnote, "--person", "speaker") == set(), "nobody is called that"
    assert found(footnote, "--person", "ada", "--person", "thom") == {"a", "b"}
    assert found(footnote, "--tag", "birds") == {"a"}
    assert found(footnote, "--place", "norway bergen", "--person", "rené") == {"b"}
    assert found(footnote, "--tag", "birds", "--place", "norway") == set()
    assert footnote.json("search", "owl", "--tag", " ", code=2)["error"]["code"] == "usage"
    listing = footnote.json("search", "owl", "--all", "--person", "ada")
    assert {moment["video_id"] for moment in listing["moments"]} == {"a"}
    assert footnote.json("ask", "owl?", "--tag", "nothing")["abstained"]


# ---------------------------------------------------------------- the catalog


def test_the_most_trusted_origin_has_the_field(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        catalog.put_video(Video("v", "v", date="2020-01-01"))
        catalog.put_metadata("v", "file", Metadata("v", "2020-01-01"))
        catalog.put_metadata("v", "sidecar", Metadata("Info", people=("Ada",), tags=("x",)))
        catalog.put_metadata("v", "container", Metadata("Tag", "2001", people=("Bob",), place="P"))
        assert catalog.video("v").title == "Info"
        catalog.put_fact("v", "edit", "people", ())
        got = catalog.metadata(["v"])["v"]
        assert (got.people, got.place, got.date, got.tags) == ((), "P", "2001", ("x",))
        catalog.put_fact("v", "edit", "people", None)
        catalog.put_metadata("v", "sidecar", Metadata())
        assert catalog.metadata()["v"].people == ("Bob",)
        assert catalog.video("v").title == "Tag"
        catalog.put_metadata("v", "container", Metadata())
        assert (catalog.video("v").title, catalog.video("v").date) == ("v", "2020-01-01")
        catalog.replace_segments("v", "speech", [Segment("speech", 0, 1, "hi", speaker="Eve")])
        assert catalog.whereabouts(named=True)["v"].people == ("Eve",)
        assert catalog.whereabouts()["v"].date == "2020-01-01"
        catalog.remove_video("v")
        assert catalog.rows("SELECT * FROM metadata") == []


def test_all_that_is_known_is_one_text_per_video(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        for video_id in ("v", "w"):
            catalog.put_video(Video(video_id, video_id.upper()))
        facts = Metadata(people=("Ada", "Bob"), tags=("owl", "sea"), description="On owls.")
        catalog.put_metadata("v", "sidecar", facts)
        assert catalog.metadata_texts(["v", "w", "gone"]) == {
            "v": "V\nAda, Bob\nowl, sea\nOn owls.",
            "w": "W",
        }


def test_a_library_of_before_is_brought_up_and_keeps_its_titles(tmp_path: Path) -> None:
    old = MIGRATIONS[: next(i for i, script in enumerate(MIGRATIONS) if "TABLE metadata" in script)]
    connection = sqlite3.connect(tmp_path / "library.db")
    for script in old:
        connection.executescript(script)
    connection.execute(
        "INSERT INTO videos (video_id, title, path, duration, sha256, size, modified_ns, sidecars,"
        " date, language, url, added, media) VALUES"
        " ('v', 'A title', '', 9, '', 0, 0, '[]', '2020', 'en', 'http://x', '', '{}')"
    )
    connection.execute(
        'INSERT INTO segments (video_id, source, ordinal, start, "end", text, speaker, language,'
        " flags) VALUES ('v', 'speech', 0, 0, 1, 'hi', '', '', '[]')"
    )
    connection.execute(f"PRAGMA user_version = {len(old)}")
    connection.commit()
    connection.close()
    with Catalog(tmp_path) as catalog:
        assert catalog.segments_as_read("v", "speech") == catalog.segments("v", "speech")
        catalog.put_metadata("v", "sidecar", Metadata(tags=("owl",)))
        video = catalog.video("v")
        assert (video.title, video.date, video.url) == ("A title", "2020", "http://x")


def test_what_strangers_wrote_is_made_fit_to_keep() -> None:
    spam = tuple(f"tag {number}" for number in range(1000))
    kept = clean_metadata(
        Metadata("a\x1b[31m\u202etitle\n" + "x" * 9000, people=("Ada", " ada ", "\x07"), tags=spam)
    )
    assert kept.title.startswith("a [31mtitle x")
    assert len(kept.title) <= 500
    assert kept.people == ("Ada",)
    assert len(kept.tags) == 200
    assert len(clean_metadata(Metadata(description="y" * 10**6)).description) == 20_000


def test_files_beside_a_video_are_stamped(footnote: Footnote, folder: Path) -> None:
    footnote.json("add", folder)
    os.utime(folder / "talk.info.json", (1_700_000_000, 1_700_000_000))
    assert footnote.json("add", folder)["videos"][0]["status"] == "updated"
