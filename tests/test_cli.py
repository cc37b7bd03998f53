"""The command line's contract: JSON and nothing else on stdout, exit codes, errors with a hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import Footnote, write_rows

OWL = {"start": 2, "end": 6, "text": "The owl hunts voles at night."}
BOAT = {"start": 40, "end": 45, "text": "The ferry leaves the harbour at noon."}


@pytest.fixture
def talk(footnote: Footnote, tmp_path: Path) -> Footnote:
    """A library with one imported talk of two utterances."""
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", OWL, BOAT))
    return footnote


def test_search_finds_the_moment_and_says_why(talk: Footnote) -> None:
    found = talk.json("search", "when does the owl hunt")
    assert found["query"] == "when does the owl hunt"
    first = found["moments"][0]
    assert set(first) == {
        "video_id", "title", "start", "end", "score", "text", "passages", "why",
    }  # fmt: skip
    assert (first["video_id"], first["start"], first["end"]) == ("talk", 2, 6)
    assert first["passages"][0]["text"] == OWL["text"]
    assert set(first["passages"][0]) == {"id", "source", "start", "end", "text"}
    assert sum(first["why"].values()) == pytest.approx(first["score"])
    assert all(isinstance(ms, float | int) for ms in found["took_ms"].values())


def test_k_limits_the_moments_and_filters_restrict_them(talk: Footnote, tmp_path: Path) -> None:
    assert len(talk.json("search", "the owl and the ferry", "-k", "1")["moments"]) == 1
    other = {"video_id": "film", "date": "2020-05-01", "path": "/films/film.mp4"}
    talk.json("import", write_rows(tmp_path / "film.jsonl", {**OWL, **other, "source": "screen"}))

    def videos(*filters: str) -> set[str]:
        moments = talk.json("search", "owl", *filters)["moments"]
        return {moment["video_id"] for moment in moments}

    assert videos() == {"talk", "film"}
    assert videos("--video", "fil") == {"film"}
    assert videos("--source", "speech") == {"talk"}
    assert videos("--folder", "/films") == {"film"}
    assert videos("--after", "2020-05-01") == {"film"}
    assert videos("--before", "2020-05-01") == set()


def test_import_replaces_the_videos_it_names(talk: Footnote, tmp_path: Path) -> None:
    again = talk.json("import", write_rows(tmp_path / "new.jsonl", {**OWL, "text": "Only bees."}))
    assert again["videos"][0]["status"] == "updated"
    shown = talk.json("show", "talk")
    assert [segment["text"] for segment in shown["segments"]] == ["Only bees."]
    assert talk.json("search", "ferry harbour noon")["moments"][0]["text"] == "Only bees."


def test_bad_rows_are_reported_by_line_and_the_rest_goes_in(
    footnote: Footnote, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", OWL, {**BOAT, "end": 1}, BOAT)
    rows.write_text(rows.read_text() + "\n{broken")
    done = footnote.json("import", rows, code=4)
    assert done["rows"] == 2
    assert [error["line"] for error in done["errors"]] == [2, 4]


def test_list_show_status_remove(talk: Footnote) -> None:
    (video,) = talk.json("list")["videos"]
    assert set(video) == {
        "video_id", "title", "path", "duration", "added", "sources", "pending",
        "date", "people", "place", "tags", "url",
    }  # fmt: skip
    assert video["sources"] == {"speech": 2, "chapter": 2}
    shown = talk.json("show", "tal")
    assert {key: shown[key] for key in video} == video
    assert set(shown["segments"][0]) == {
        "source", "start", "end", "text", "speaker", "flags", "number",
    }  # fmt: skip
    assert talk.json("status")["counts"]["segments"] == 4
    assert talk.json("remove", "talk") == {"removed": ["talk"]}
    assert talk.json("list") == {"videos": []}
    assert talk.json("status")["counts"] == dict.fromkeys(talk.json("status")["counts"], 0)
    files = [path for path in talk.library.rglob("*") if path.is_file()]
    assert [path for path in files if b"hunts voles" in path.read_bytes()] == []


def test_doctor_finds_a_damaged_index_and_repairs_it(talk: Footnote) -> None:
    assert talk.json("doctor")["ok"]
    before = talk.json("search", "owl")["moments"]
    for path in (talk.library / "index" / "matrix").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    report = talk.json("doctor", code=5)
    assert not report["ok"]
    assert all(set(check) == {"name", "ok", "detail", "repair"} for check in report["checks"])
    assert "footnote doctor --repair" in {check["repair"] for check in report["checks"]}
    assert talk.json("doctor", "--repair")["ok"]
    assert talk.json("search", "owl")["moments"] == before


@pytest.mark.parametrize("column", ["source", "start", "end", "video", "vectors", "rows"])
def test_doctor_sees_wrong_bytes_in_every_column(talk: Footnote, column: str) -> None:
    (path,) = (talk.library / "index" / "matrix").rglob(f"{column}*")
    data = bytearray(path.read_bytes())
    data[1] ^= 0xFF
    path.write_bytes(bytes(data))
    assert not talk.json("doctor", code=5)["ok"]
    assert talk.json("doctor", "--repair")["ok"]


def test_an_emptied_catalog_is_damage_and_no_new_library(talk: Footnote) -> None:
    for name in ("library.db", "library.db-wal"):
        (talk.library / name).write_bytes(b"")
    assert talk.json("doctor", "--repair", code=5)["error"]["code"] == "index_damaged"


def test_another_embedding_model_needs_a_reindex(
    talk: Footnote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_EMBEDDING_MODEL", "fake:32")
    error = talk.json("search", "owl", code=2)["error"]
    assert error["code"] == "embedding_mismatch"
    assert error["hint"] == "footnote reindex --embedding fake:32"
    assert talk.json("reindex", "--embedding", "fake:32")["passages"] == 4
    assert talk.json("search", "owl")["moments"][0]["start"] == 2
    assert talk.json("doctor")["ok"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("search", "owl"), 2, "library_not_found"),
        (("ask", "  "), 2, "library_not_found"),
        (("list",), 2, "library_not_found"),
        (("search",), 2, "usage"),
        (("search", "owl", "-k", "none"), 2, "usage"),
        (("serch", "owl"), 2, "usage"),
        (("import", "nowhere.jsonl"), 2, "usage"),
        (("add", "nowhere.mp4"), 2, "usage"),
    ],
)
def test_a_failure_is_one_json_object_too(
    footnote: Footnote, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    error = footnote.json(*arguments, code=code)["error"]
    assert error["code"] == kind
    assert error["message"]
    assert set(error) == {"code", "message", "hint"}
    assert not footnote.library.exists() or kind == "usage"


@pytest.mark.parametrize("command", ["search", "ask"])
def test_an_empty_question_or_library_names_the_next_command(talk: Footnote, command: str) -> None:
    assert talk.json(command, " ", code=2)["error"]["hint"]
    talk.json("remove", "talk")
    error = talk.json(command, "owl", code=2)["error"]
    assert (error["code"], error["hint"]) == ("library_not_found", "footnote add PATH")


def test_an_unknown_video_names_the_nearest(talk: Footnote) -> None:
    error = talk.json("show", "tolk", code=2)["error"]
    assert error["code"] == "video_not_found"
    assert "talk" in error["hint"]


def test_control_characters_of_a_video_never_reach_the_terminal(
    footnote: Footnote, tmp_path: Path
) -> None:
    hostile = "\x1b]0;owned\x07 the owl\u202e \x9b31m[bold]hunts[/bold]"
    footnote.json(
        "import", write_rows(tmp_path / "rows.jsonl", {**OWL, "text": hostile, "title": hostile})
    )
    for command in (
        ("list",),
        ("show", "talk"),
        ("search", "owl"),
        ("ask", "owl hunts"),
        ("status",),
    ):
        done = footnote.run(*command)
        assert done.code == 0, done.err
        assert not set(done.out) & set("\x1b\x07\x9b\u202e"), command
    assert "[bold]hunts[/bold]" in footnote.run("show", "talk").out


def test_people_get_a_readable_answer(talk: Footnote) -> None:
    done = talk.run("search", "owl")
    assert "0:02-0:06" in done.out
    assert f"footnote play talk 0:02 --library {talk.library}" in done.out
    assert done.err == ""


def test_eval_prints_the_metrics_of_the_contract(talk: Footnote, tmp_path: Path) -> None:
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.jsonl"
    queries.write_text(json.dumps({"qid": "1", "text": "owl hunts voles"}))
    qrels.write_text(json.dumps({"qid": "1", "video_id": "talk", "start": 2, "end": 6}))
    report = talk.json("eval", "--queries", queries, "--qrels", qrels, "--baselines")
    assert report["n"] == 1
    assert report["metrics"]["hit@1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert {"n", "metrics", "baselines", "paired", "took_ms"} <= set(report)
    assert {"hit@1", "hit@5", "hit@10", "mrr@10", "iou@1", "land@1", "video@1"} <= set(
        report["metrics"]
    )
