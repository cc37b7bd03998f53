"""`footnote verify`: a saved answer or report, checked again; what was changed in it is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.answer.saved import load_saved, read_saved
from pipeline.errors import UsageError
from tests.command import Footnote, write_rows

ROWS: list[dict[str, Any]] = [
    {"video_id": "tour", "title": "A tour", "start": 3, "end": 7, "date": "2021-05-01",
     "url": "https://www.youtube.com/watch?v=abc",
     "text": "The lighthouse was built in 1887 by two sisters from the island."},
    {"video_id": "tour", "title": "A tour", "start": 90, "end": 96, "date": "2021-05-01",
     "url": "https://www.youtube.com/watch?v=abc",
     "text": "Visitors climb the lighthouse by ninety narrow wooden steps."},
    {"video_id": "storm", "title": "Storms", "start": 40, "end": 45, "path": "/videos/storm.mp4",
     "text": "A wave put out the lamp of the lighthouse in 1974."},
]  # fmt: skip
WRITTEN = (
    "The lighthouse was built in 1887 by two sisters from the island [1]. "
    "A wave put out the lamp of the lighthouse in 1974 [3]."
)

Tamper = Callable[[dict[str, Any]], object]


@pytest.fixture
def talks(footnote: Footnote, tmp_path: Path) -> Footnote:
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", *ROWS))
    return footnote


@pytest.fixture
def answer(talks: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An answer in a model's words, as `ask --json` gives it."""
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"reply": WRITTEN}))
    monkeypatch.setenv("FOOTNOTE_LANGUAGE_MODEL", f"fake:{script}")
    monkeypatch.setenv("FOOTNOTE_EXPANSION", "none")
    found = talks.json("ask", "When was the lighthouse built, and what happened in 1974?")
    monkeypatch.delenv("FOOTNOTE_LANGUAGE_MODEL")
    assert len(found["sentences"]) == 2 and len(found["citations"]) == 2
    return found


@pytest.fixture
def report(talks: Footnote) -> dict[str, Any]:
    found = talks.json("report", "The lighthouse")
    assert len(found["citations"]) == 3
    return found


def verify(
    talks: Footnote, tmp_path: Path, value: object, *options: str, code: int
) -> dict[str, Any]:
    path = tmp_path / "saved.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return talks.json("verify", path, *options, code=code)


def faults(found: dict[str, Any]) -> str:
    return "; ".join([*found["faults"], *(f for c in found["citations"] for f in c["faults"])])


def test_what_was_saved_as_it_is_still_holds(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any], report: dict[str, Any]
) -> None:
    found = verify(talks, tmp_path, answer, code=0)
    assert found["ok"] and found["against"] == "library" and not faults(found)
    assert [s["was"] for s in found["sentences"]] == [s["now"] for s in found["sentences"]]
    assert verify(talks, tmp_path, report, code=0)["against"] == "library"
    assert verify(talks, tmp_path, report, "--bundle", code=0)["against"] == "file"


def cited(value: dict[str, Any], video_id: str = "tour") -> dict[str, Any]:
    row: dict[str, Any] = next(c for c in value["citations"] if c["video_id"] == video_id)
    return row


def change(key: str, to: Callable[[Any], Any], video_id: str = "tour") -> Tamper:
    def tamper(value: dict[str, Any]) -> None:
        row = cited(value, video_id)
        row[key] = to(row[key])

    return tamper


def moved(by: float) -> Tamper:
    def tamper(value: dict[str, Any]) -> None:
        row = cited(value)
        row["start"], row["end"] = row["start"] + by, row["end"] + by

    return tamper


OF_A_CITATION: list[tuple[Tamper, str]] = [
    (change("quote", lambda text: text.replace("1887", "1987")), "the quote is not"),
    (change("quote", lambda text: text.replace(" ", "  ", 1)), "the quote is not"),
    (change("quote", lambda text: ""), "the quote is not"),
    (moved(60.0), "it is at 00:03 to 00:07, not at 01:03"),
    (moved(2.0), "it is at 00:03"),
    (change("title", lambda text: "The Royal Society"), "is called 'A tour'"),
    (change("date", lambda text: "1999-01-01"), "is dated 2021-05-01"),
    (change("video_id", lambda text: "storm"), "the quote is not"),
    (change("video_id", lambda text: "nowhere"), "no such video"),
    (change("source", lambda text: "screen"), "the quote is not"),
    (change("link", lambda text: "https://evil.example/?t=3"), "link does not open"),
    (change("link", lambda text: text.replace("t=3", "t=300")), "link does not open"),
    (change("link", lambda text: "javascript:alert(1)"), "link does not open"),
]  # fmt: skip


@pytest.mark.parametrize(("tamper", "said"), OF_A_CITATION)
def test_a_citation_that_was_changed_is_found(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any], report: dict[str, Any],
    tamper: Tamper, said: str,
) -> None:  # fmt: skip
    """With the library, and by the file's own evidence."""
    for value, options in ((answer, ()), (report, ()), (report, ("--bundle",))):
        changed = copy.deepcopy(value)
        tamper(changed)
        found = verify(talks, tmp_path, changed, *options, code=4)
        assert said in faults(found) and not found["ok"]


def test_a_link_to_another_time_of_a_file_is_found(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any]
) -> None:
    row = cited(answer, "storm")
    assert row["link"].startswith("file://")
    answer["citations"] = [
        {**c, "link": c["link"].replace("#t=40", "#t=4")} for c in answer["citations"]
    ]
    assert "opens another time" in faults(verify(talks, tmp_path, answer, code=4))


def test_a_sentence_that_was_changed_is_no_longer_carried(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any]
) -> None:
    for old, new in (("1887", "1912"), ("two sisters", "nine bankers of Rome in 1912")):
        changed = copy.deepcopy(answer)
        changed["sentences"][0]["text"] = changed["sentences"][0]["text"].replace(old, new)
        found = verify(talks, tmp_path, changed, code=4)
        first = found["sentences"][0]
        assert first["was"] == "supported" and first["worse"]
        assert first["now"] in ("unsupported", "contradicted")
        assert "not that of its sentences" in faults(found)
        assert not found["sentences"][1]["worse"]


def test_a_forged_verdict_is_found(talks: Footnote, tmp_path: Path, answer: dict[str, Any]) -> None:
    answer["sentences"].append(
        {"text": "Penguins invented the telescope.", "citations": [1], "verdict": "supported"}
    )
    answer["answer"] += " Penguins invented the telescope. [1]"
    found = verify(talks, tmp_path, answer, code=4)
    assert [s["worse"] for s in found["sentences"]] == [False, False, True]
    honest = copy.deepcopy(answer)
    honest["sentences"][2]["verdict"] = "unsupported"
    for citation in honest["citations"]:
        citation["verdict"] = "unsupported"
    assert "not that of its sentences" in faults(verify(talks, tmp_path, honest, code=4))
    struck = "~~Penguins invented the telescope.~~ (unsupported) [1]"
    honest["answer"] = honest["answer"].replace("Penguins invented the telescope. [1]", struck)
    assert verify(talks, tmp_path, honest, code=0)["ok"]  # it says so itself


def test_a_sentence_without_citations_is_not_supported(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any]
) -> None:
    answer["sentences"][0]["citations"] = []
    found = verify(talks, tmp_path, answer, code=4)
    assert found["sentences"][0]["now"] == "unsupported"


def test_the_text_shown_must_be_the_sentences_checked(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any]
) -> None:
    answer["answer"] += " It was sold in 2004. [1]"
    found = verify(talks, tmp_path, answer, code=4)
    assert found["faults"] == ["the answer's text is not that of its sentences"]


def test_evidence_that_was_forged_with_its_quote_is_found_by_the_library_only(
    talks: Footnote, tmp_path: Path, report: dict[str, Any]
) -> None:
    forged = json.loads(json.dumps(report).replace("1887", "1987"))
    assert verify(talks, tmp_path, forged, "--bundle", code=0)["against"] == "file"
    found = verify(talks, tmp_path, forged, code=4)
    assert "1 texts of its evidence are not in the library: tour at 00:03" in faults(found)


def test_a_video_that_was_corrected_since_is_told(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any], report: dict[str, Any]
) -> None:
    talks.run("edit", "tour", "--title", "The tour of 2021")
    assert "is called 'The tour of 2021'" in faults(verify(talks, tmp_path, answer, code=4))
    assert "tour: its title or date" in faults(verify(talks, tmp_path, report, code=4))
    talks.run("remove", "tour")
    assert "no such video in the library" in faults(verify(talks, tmp_path, answer, code=4))


def test_without_a_library_a_report_is_checked_by_its_own_evidence(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any], report: dict[str, Any]
) -> None:
    elsewhere = Footnote(tmp_path / "nowhere", talks._capture)
    assert verify(elsewhere, tmp_path, report, code=0)["against"] == "file"
    assert not elsewhere.library.exists()
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(answer))
    assert elsewhere.json("verify", path, code=2)["error"]["code"] == "library_not_found"
    error = elsewhere.json("verify", path, "--bundle", code=2)["error"]
    assert "no evidence of its own" in error["message"]


def test_people_see_old_and_new_verdicts(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any]
) -> None:
    cited(answer)["quote"] = "\x1b[31mred"
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(answer))
    done = talks.run("verify", path)
    assert done.code == 4 and "\x1b" not in done.out
    assert "WORSE supported, now unsupported" in done.out and "1 of 2 sentences" in done.out
    assert "the quote is not what the library has" in done.out


def broken(place: str, to: object) -> Tamper:
    def tamper(value: dict[str, Any]) -> None:
        *above, last = place.replace("[", ".[").split(".")
        at: Any = value
        for step in above:
            at = at[int(step[1:-1])] if step.startswith("[") else at[step]
        at[int(last[1:-1]) if last.startswith("[") else last] = to

    return tamper


@pytest.mark.parametrize(
    ("place", "to", "said"),
    [
        ("sentences", {}, "sentences: a list"),
        ("sentences[1]", "text", "sentences[1]: an object"),
        ("sentences[1].text", None, "sentences[1].text"),
        ("sentences[0].verdict", "true", "sentences[0].verdict: one of"),
        ("sentences[0].citations[0]", 77, "sentences[0].citations[0]: there is no citation 77"),
        ("sentences[0].citations[0]", True, "sentences[0].citations[0]: a whole number"),
        ("citations[1].marker", 1, "citations: marker 1 stands there twice"),
        ("citations[0].start", "0:03", "citations[0].start: a number"),
        ("citations[0].start", float("nan"), "citations[0]: nan"),
        ("citations[0].end", -1, "citations[0]: "),
        ("citations[0].quote", 5, "citations[0].quote"),
        ("citations[0].source", "summary", "citations[0].source: one of"),
        ("answer", None, "answer: a text"),
    ],
)
def test_a_malformed_file_is_refused_with_the_place(
    talks: Footnote, tmp_path: Path, answer: dict[str, Any], place: str, to: object, said: str
) -> None:
    broken(place, to)(answer)
    error = verify(talks, tmp_path, answer, code=2)["error"]
    assert said in error["message"] and "saved.json" in error["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no JSON"), ("[]", "an object"), ('{"error": {}}', "neither"), ("[" * 99999, "nested"),
     ("\x00", "no JSON")],
)  # fmt: skip
def test_what_is_no_answer_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "saved.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_saved(path)
    with pytest.raises(UsageError, match="cannot be read"):
        load_saved(tmp_path / "nothing.json")


def test_malformed_evidence_is_refused_with_the_place(report: dict[str, Any]) -> None:
    for place, said in (
        ("evidence[0].segment", "evidence[0].segment: an object"),
        ("evidence[0].segment.text", "evidence[0].segment.text"),
        ("evidence[0].segment.words", "evidence[0].segment.words: a list"),
        ("videos[0].title", "videos[0].title"),
        ("sections[0].sentences", "sections[0].sentences: a list"),
    ):
        changed = copy.deepcopy(report)
        broken(place, 7)(changed)
        with pytest.raises(UsageError) as caught:
            read_saved(changed)
        assert said in caught.value.message
