"""`footnote clip` and `footnote export`: what they write, what they say, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.apps.export import exported
from pipeline.errors import UsageError, VideoNotFound
from pipeline.export.formats import FORMATS
from pipeline.library import Library
from pipeline.settings import load_settings
from pipeline.types import Answer
from tests import clips
from tests.command import Footnote, write_rows
from tests.test_add import SRT

TEXT_FORMATS = [form for form in FORMATS if form != "reel"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a video of 4 s and its subtitles, and a library of it and of an imported
    talk."""
    folder = tmp_path_factory.mktemp("export")
    clips.write(
        folder / "talk.mp4",
        clips.scenes((2.0, clips.texture(1)), (2.0, clips.texture(2)), fps=10),
        fps=10,
        tracks=[clips.Track([clips.Tone(0.5, 3.0)], end=4.0)],
    )
    (folder / "talk.srt").write_text(SRT)
    rows = [
        {"video_id": "far", "start": 20.0 * n, "end": 20.0 * n + 5, "text": text, "title": "Far"}
        for n, text in enumerate(["The owl hunts.", "The ferry sails.", "The boat is late."])
    ]
    rows += [
        {"video_id": "far", "start": 20.0 * n, "end": 20.0 * n + 20, "text": f"Part {n}",
         "source": "chapter"}
        for n in range(3)
    ]  # fmt: skip
    write_rows(folder / "far.jsonl", *rows)
    flags = {"profile": "embedded", "embedding_model": "fake:64", "library": folder / "library"}
    settings = load_settings({**flags, "screen_reader": "fake:Departures"}, environment={})
    with Library(settings=settings) as library:
        library.add([folder / "talk.mp4"])
        library.import_text(folder / "far.jsonl")
    yield folder


@pytest.fixture
def talk(footnote: Footnote, made: Path, tmp_path: Path) -> Footnote:
    """The command line over a copy of that library."""
    shutil.copytree(made / "library", footnote.library)
    return footnote


def citation(marker: int, video_id: str, start: float, end: float, quote: str) -> dict[str, Any]:
    return {
        "marker": marker, "video_id": video_id, "title": video_id.title(), "start": start,
        "end": end, "quote": quote, "source": "speech", "verdict": "supported", "link": "",
    }  # fmt: skip


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    """What `ask --json` could have written: it cites the video and the imported talk."""
    cited = [
        citation(1, "talk", 0.5, 2.0, "The owl hunts voles at night."),
        citation(2, "far", 20.0, 25.0, "The ferry sails."),
    ]
    sentences = [
        {"text": "Owls hunt.", "citations": [1], "verdict": "supported"},
        {"text": "A ferry sails.", "citations": [2], "verdict": "partly"},
    ]
    value = {
        "question": "What of the owl?", "answer": "Owls hunt. [1] A ferry sails. [2]",
        "sentences": sentences, "citations": cited,
    }  # fmt: skip
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(value))
    return path


# ---------------------------------------------------------------- clip


def test_a_clip_says_where_it_begins(talk: Footnote, tmp_path: Path) -> None:
    done = talk.json("clip", "tal", "0:01", "2.5", "-o", tmp_path / "c.mp4")
    assert set(done) == {
        "video_id", "title", "path", "start", "end", "method", "begins", "ends", "stored_from",
        "video_codec", "sound_codec", "bytes", "note",
    }  # fmt: skip
    assert (done["video_id"], done["start"], done["end"]) == ("talk", 1.0, 2.5)
    assert (done["method"], done["begins"], done["stored_from"]) == ("copy", 1.0, 0.0)
    assert done["bytes"] == (tmp_path / "c.mp4").stat().st_size
    exact = talk.json("clip", "talk", "1", "2.5", "-o", tmp_path / "c.mp4", "--exact")
    assert (exact["method"], exact["begins"], exact["ends"]) == ("encode", 1.0, 2.5)
    with av.open(str(tmp_path / "c.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(1.5, abs=0.02)
        assert container.metadata["title"] == "talk"
    told = talk.run("clip", "talk", "1", "2.5", "-o", tmp_path / "c.mkv")
    assert told.code == 0 and "copied" in told.out
    assert "begins 1.0 s early" in told.err


def test_an_end_beyond_the_video_is_its_end(talk: Footnote, tmp_path: Path) -> None:
    done = talk.json("clip", "talk", "3", "1:00:00", "-o", tmp_path / "c.mp4", "--exact")
    assert done["end"] == pytest.approx(4.0, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("talk", "9", "12"), "ends at 00:0"),
        (("talk", "2", "1"), "is no part of a video"),
        (("talk", "x", "1"), "is not a time"),
        (("far", "1", "2"), "was imported without a file"),
        (("nobody", "1", "2"), "no video 'nobody'"),
    ],
)
def test_what_cannot_be_cut_is_a_usage_error(
    talk: Footnote, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    error = talk.json("clip", *arguments, "-o", tmp_path / "c.mp4", code=2)["error"]
    assert says in error["message"] and error["hint"]
    assert not (tmp_path / "c.mp4").exists()


def test_no_file_of_the_library_is_written_over(
    talk: Footnote, made: Path, answer: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in (made / "talk.mp4", made / "talk.srt")}
    (tmp_path / "link.mp4").symlink_to(made / "talk.mp4")
    for target in (made / "talk.mp4", tmp_path / "link.mp4"):
        error = talk.json("clip", "talk", "1", "2", "-o", target, code=2)["error"]
        assert "is a file of the library" in error["message"]
    asked = ("export", "--video", "talk", "--format", "srt", "-o")
    assert "of the library" in talk.json(*asked, made / "talk.srt", code=2)["error"]["message"]
    own = talk.library / "library.db"
    assert "library's own" in talk.json(*asked, own, code=2)["error"]["message"]
    reel = ("export", "--answer", answer, "--format", "reel", "-o")
    assert "of the library" in talk.json(*reel, made / "talk.mp4", code=2)["error"]["message"]
    assert {path: path.read_bytes() for path in before} == before


# ---------------------------------------------------------------- export


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_every_format_of_a_video_with_a_file_and_of_one_without(
    talk: Footnote, tmp_path: Path, form: str
) -> None:
    for video in ("talk", "far"):
        target = tmp_path / f"out.{form}"
        if (video, form) == ("talk", "chapters"):
            error = talk.json("export", "--video", video, "--format", form, "-o", target, code=2)
            assert "YouTube takes 3 chapters" in error["error"]["message"]
            continue
        done = talk.json("export", "--video", video, "--format", form, "-o", target)
        assert done["bytes"] == target.stat().st_size > 20
        assert (done["format"], done["path"]) == (form, str(target))
        printed = talk.run("export", "--video", video, "--format", form)
        assert printed.code == 0
        assert printed.out.encode() == target.read_bytes(), "stdout is the same file"


@pytest.mark.parametrize("form", ["otio", "edl", "fcpxml", "vtt", "srt", "csv", "html"])
def test_every_format_of_an_answer(talk: Footnote, answer: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"out.{form}"
    done = talk.json("export", "--answer", answer, "--format", form, "-o", target)
    text = target.read_text("utf-8")
    if form in ("otio", "edl", "fcpxml"):
        assert "[1] supported: Owls hunt." in text and "[2] partly: A ferry sails." in text
        assert any("has no file here" in note for note in done["notes"])
    elif form in ("vtt", "srt"):
        assert "The owl hunts voles at night." in text and "The ferry sails." in text
    else:
        assert "Owls hunt." in text and "The ferry sails." in text


def test_a_csv_of_an_answer_links_to_files_that_are_there(
    talk: Footnote, answer: Path, made: Path
) -> None:
    out = talk.run("export", "--answer", answer, "--format", "csv").out
    first, second = csv.DictReader(io.StringIO(out, newline=""))
    assert first["link"] == f"{(made / 'talk.mp4').as_uri()}#t=0.5"
    assert (first["claims"], second["link"]) == ("Owls hunt.", "")


def test_sources_choose_what_is_told(talk: Footnote) -> None:
    asked = ("export", "--video", "talk", "--format", "vtt")
    assert "Departures" not in talk.run(*asked).out
    screen = talk.run(*asked, "--source", "screen").out
    assert "[on screen: Departures]" in screen and "owl" not in screen


def test_a_reel_of_an_answer(talk: Footnote, answer: Path, tmp_path: Path) -> None:
    done = talk.json(
        "export", "--answer", answer, "--format", "reel", "-o", tmp_path / "r.mp4",
        "--subtitles", "sidecar",
    )  # fmt: skip
    assert done["mime"] == "video/mp4"
    assert "left out: Far was imported without a file" in done["notes"]
    with av.open(str(tmp_path / "r.mp4")) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["[1] Owls hunt."]
    assert "The owl hunts voles at night." in (tmp_path / "r.vtt").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--video", "talk", "--format", "reel", "-o", "r.mp4"), "a reel is made of an answer"),
        (("--format", "vtt"), "give an answer or a video"),
        (("--video", "talk", "--format", "pdf"), "--format 'pdf' is not there"),
        (("--video", "talk", "--format", "vtt"), "do not both fit on stdout"),
        (("--video", "talk", "--format", "vtt", "-o", "no/such/f.vtt"), "cannot be written"),
        (("--answer", "gone.json", "--format", "csv", "-o", "f.csv"), "cannot be read"),
        (("--video", "no", "--format", "vtt", "-o", "f.vtt"), "no video 'no'"),
    ],
)
def test_what_cannot_be_exported_is_a_usage_error(
    talk: Footnote, arguments: tuple[str, ...], says: str
) -> None:
    error = talk.json("export", *arguments, code=2)["error"]
    assert says in error["message"] and error["hint"]


def test_an_answer_that_cites_nothing_is_a_page_but_no_timeline(
    talk: Footnote, tmp_path: Path
) -> None:
    nothing = {"question": "Why?", "answer": "The library does not answer this."}
    path = tmp_path / "no.json"
    path.write_text(json.dumps({**nothing, "sentences": [], "citations": []}))
    for form in ("otio", "vtt", "chapters"):
        asked = ("export", "--answer", path, "--format", form, "-o", tmp_path / "x")
        assert "cites nothing" in talk.json(*asked, code=2)["error"]["message"]
    page = talk.run("export", "--answer", path, "--format", "html").out
    assert "The library does not answer this." in page
    reel = ("export", "--answer", path, "--format", "reel", "-o", tmp_path / "x.mp4")
    assert talk.json(*reel, code=2)["error"]["code"] == "usage"


def test_a_saved_answer_reaches_no_video_but_those_it_names_exactly(
    talk: Footnote, answer: Path, tmp_path: Path
) -> None:
    """An id that is only the beginning of one, or a path, is no video of the library."""
    value = json.loads(answer.read_text())
    value["citations"][0]["video_id"], value["citations"][1]["video_id"] = "tal", "/etc/passwd"
    answer.write_text(json.dumps(value))
    text = talk.run("export", "--answer", answer, "--format", "otio").out
    assert "MissingReference" in text and "ExternalReference" not in text
    reel = ("export", "--answer", answer, "--format", "reel", "-o", tmp_path / "x.mp4")
    assert "none of the cited videos" in talk.json(*reel, code=2)["error"]["message"]


# ---------------------------------------------------------------- for the web server


def test_the_server_gets_bytes_a_type_and_a_name(made: Path, answer: Path) -> None:
    flags = {"profile": "embedded", "embedding_model": "fake:64", "library": made / "library"}
    with Library(settings=load_settings(flags, environment={})) as library:
        data, mime, name = exported(library, "talk", "vtt")
        assert isinstance(data, bytes) and data.startswith(b"WEBVTT")
        assert (mime, name) == ("text/vtt; charset=utf-8", "talk.vtt")
        _, _, name = exported(library, json.loads(answer.read_text()), "html")
        assert name == "what-of-the-owl.html"
        asked = library.ask("When does the ferry leave?")
        assert isinstance(asked, Answer) and asked.citations
        assert b"ferry" in bytes(exported(library, asked, "csv")[0])  # type: ignore[arg-type]
        film, mime, _ = exported(library, json.loads(answer.read_text()), "reel")
        assert isinstance(film, Path) and film.stat().st_size > 1000 and mime == "video/mp4"
        shutil.rmtree(film.parent)
        with pytest.raises(UsageError):
            exported(library, {"question": 1}, "html")
        with pytest.raises(UsageError):
            exported(library, "talk", "exe")
        with pytest.raises(VideoNotFound):
            exported(library, "nobody", "vtt")


@pytest.mark.parametrize("form", [form for form in TEXT_FORMATS if form != "chapters"])
def test_other_machines_are_told_names_of_files_and_no_folders(
    made: Path, answer: Path, form: str
) -> None:
    flags = {"profile": "embedded", "embedding_model": "fake:64", "library": made / "library"}
    value = json.loads(answer.read_text())
    with Library(settings=load_settings(flags, environment={})) as library:
        told = bytes(exported(library, value, form, folders=False)[0])  # type: ignore[arg-type]
        assert str(made).encode() not in told and b"file:" not in told
        if form in ("otio", "edl", "fcpxml"):
            assert b"talk.mp4" in told, "an editor there finds it by its name"
            shown = bytes(exported(library, value, form)[0])  # type: ignore[arg-type]
            assert str(made).encode() in shown


def test_a_path_that_came_with_imported_text_is_not_opened(made: Path, tmp_path: Path) -> None:
    row = {"video_id": "said", "start": 0, "end": 4, "text": "The owl."}
    row["path"] = str(made / "talk.mp4")
    flags = {"profile": "embedded", "embedding_model": "fake:64", "library": tmp_path / "library"}
    with Library(settings=load_settings(flags, environment={})) as library:
        library.import_text(write_rows(tmp_path / "rows.jsonl", row))
        with pytest.raises(UsageError, match="imported without a file"):
            library.clip("said", 0, 2, tmp_path / "clip.mp4")
        told = bytes(exported(library, "said", "edl")[0])  # type: ignore[arg-type]
    assert b"NON-DROP" in told and not (tmp_path / "clip.mp4").exists()


def test_a_reel_that_cannot_be_made_leaves_no_folder(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    flags = {"profile": "embedded", "embedding_model": "fake:64", "library": made / "library"}
    settings = load_settings(flags, environment={})
    with Library(settings=settings) as library, pytest.raises(UsageError):
        exported(library, "talk", "reel")
    assert not list(tmp_path.glob("footnote-*"))
