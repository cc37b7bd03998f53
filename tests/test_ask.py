"""Asking a library: the command and `ask_stream`, forms, what is missing, an answer as it comes."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.apps import render
from pipeline.apps.cli import main
from pipeline.library import Library
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import Answer, EvidenceFound, SentenceReady, StageRecord
from tests.command import Footnote, write_rows
from tests.openai_stub import OpenAIStub

CLOSE: dict[str, Any] = {
    "start": 2,
    "end": 6,
    "text": "Close the seaward gate of the greenhouse first.",
}
BRUSH: dict[str, Any] = {
    "start": 7,
    "end": 12,
    "text": "Brush the basket of the inlet valve with water.",
}
REPLY = f"1. {CLOSE['text'][:-1]} [1].\n2. {BRUSH['text'][:-1]} [2]."
QUESTION = "How do I clean the inlet valve of the greenhouse?"


@pytest.fixture
def talk(footnote: Footnote, tmp_path: Path) -> Footnote:
    rows = write_rows(tmp_path / "rows.jsonl", {**CLOSE, "date": "2023-05-01"}, BRUSH)
    footnote.json("import", rows)
    return footnote


def script(tmp_path: Path, reply: str = REPLY) -> str:
    """A language model that always says `reply`."""
    path = tmp_path / "script.jsonl"
    path.write_text(json.dumps({"reply": reply}))
    return f"fake:{path}"


def test_a_streamed_answer_ends_with_what_ask_gives(talk: Footnote, tmp_path: Path) -> None:
    settings = Settings(profile="embedded", language_model=script(tmp_path), expansion="none")
    with Library(talk.library, settings, create=False) as library:
        found, *sentences, answer = library.ask_stream(QUESTION)
        whole = library.ask(QUESTION)
    assert isinstance(found, EvidenceFound) and found.form == "howto"
    assert all(isinstance(event, SentenceReady) for event in sentences) and len(sentences) == 2
    assert isinstance(answer, Answer) and answer.answer == whole.answer
    assert len(whole.answer.splitlines()) == 2


def test_the_form_can_be_asked_for_and_is_told(talk: Footnote) -> None:
    assert talk.json("ask", QUESTION)["form"] == "howto"
    assert talk.json("ask", QUESTION, "--form", "short")["form"] == "short"
    done = talk.run("ask", QUESTION, "--form", "poem")
    assert done.code == 2 and "timeline" in done.err


def test_in_the_embedded_profile_an_endpoint_alone_writes_no_answers(
    talk: Footnote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That profile quotes, and an endpoint may be there for captions; a named model is used."""
    with OpenAIStub([REPLY]) as stub:
        monkeypatch.setenv("FOOTNOTE_ENDPOINT", stub.url)
        monkeypatch.setenv("FOOTNOTE_EXPANSION", "none")
        quoted = talk.json("ask", "How do I brush the basket of the inlet valve?")
        assert quoted["sentences"][0]["text"].startswith("“") and not stub.requests
        assert "language_calls" in quoted["usage"] and quoted["usage"]["language_calls"] == 0
        assert talk.run("search", QUESTION).code == talk.run("report", "inlet valve").code == 0
        assert not stub.requests
        monkeypatch.setenv("FOOTNOTE_LANGUAGE_MODEL", "openai:stub-model")
        written = talk.json("ask", QUESTION)
        assert written["usage"]["language_calls"] == len(stub.requests) == 1
        monkeypatch.delenv("FOOTNOTE_LANGUAGE_MODEL")
        monkeypatch.setenv("FOOTNOTE_PROFILE", "auto")
        assert talk.json("ask", QUESTION)["usage"]["language_calls"] == 1


def test_an_abstention_tells_what_is_near_and_what_is_missing(talk: Footnote) -> None:
    with Catalog(talk.library) as catalog:
        reason = "the embedded profile transcribes nothing; run footnote add --profile auto"
        catalog.put_stage("talk", StageRecord("speech", "pending", reason=reason))
    answer = talk.json("ask", "How many moons does Jupiter have?")
    assert answer["abstained"] and answer["answer"]
    assert {near["video_id"] for near in answer["nearby"]} == {"talk"}
    assert answer["missing"] == [
        "1 of 1 video has no transcript yet: footnote add --profile auto PATH"
    ]
    later = talk.json("ask", "How many moons does Jupiter have?", "--after", "2024")
    assert later["missing"] == [
        "no video is dated 2024 or later: the videos are dated 2023-05-01 to 2023-05-01"
    ]
    shown = talk.run("ask", "How many moons does Jupiter have?", "--after", "2024").out
    assert "no video is dated 2024 or later" in shown


def test_on_a_terminal_steps_come_numbered_and_footnotes_follow(
    talk: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_LANGUAGE_MODEL", script(tmp_path))
    monkeypatch.setenv("FOOTNOTE_EXPANSION", "none")
    written = io.StringIO()
    terminal = render._Output(
        file=written, force_terminal=True, color_system=None, soft_wrap=True, width=200
    )
    with monkeypatch.context() as patched:
        patched.setattr(render, "out", terminal)
        assert main(["ask", QUESTION, "--library", str(talk.library)]) == 0
    lines = [line.rstrip() for line in written.getvalue().splitlines() if line.strip()]
    assert lines[:2] == [
        "1. Close the seaward gate of the greenhouse first. [1]",
        "2. Brush the basket of the inlet valve with water. [2]",
    ]
    assert lines[2].startswith("[1] ") and any(line.startswith("[2] ") for line in lines)
    plain = talk.run("ask", QUESTION).out
    assert [line for line in plain.splitlines() if re.match(r"\d\. ", line)] == lines[:2]
