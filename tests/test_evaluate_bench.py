"""`footnote eval`: reading the files, running everything once, the report, the baselines."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RowError, UsageError
from pipeline.evaluate.baselines import LLAMA_INDEX, PLAIN, Baselines, baseline_names
from pipeline.evaluate.bench import measure
from pipeline.evaluate.groups import by_source, by_type
from pipeline.evaluate.metrics import METRICS, Span, permutation_tests
from pipeline.evaluate.questions import Question, read_questions
from pipeline.evaluate.report import make_report, render_table
from pipeline.models.embedding import load_embedder
from pipeline.types import Segment
from tests.memory_index import memory_index, passage

EMBEDDER = load_embedder("fake:64")
INDEX = memory_index(
    [
        ("council", passage("speech", 0, 30, "Good morning and welcome everybody.")),
        ("council", passage("speech", 30, 60, "Maria proposed a second ferry line.")),
        ("kitchen", passage("speech", 0, 30, "Fry the onions until they are golden.")),
        ("kitchen", passage("speech", 30, 60, "Add the wine and let it simmer.")),
    ],
    EMBEDDER,
)
QUERIES = [
    {"qid": "q1", "text": "Who proposed the ferry line?"},
    {"qid": "q2", "text": "How long are the onions fried?"},
    {"qid": "q3", "text": "Has no gold span"},
]
QRELS = [
    {"qid": "q1", "video_id": "council", "start": 30, "end": 60, "note": "more is allowed"},
    {"qid": "q2", "video_id": "kitchen", "start": 0.0, "end": 30.0},
    {"qid": "q2", "video_id": "council", "start": 0, "end": 5},
    {"qid": "q9", "video_id": "council", "start": 0, "end": 5},
]
EXPANSIONS = [{"qid": "q2", "passages": ["Fry the onions until golden, ten minutes."]}]


def write(path: Path, rows: Sequence[object]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    return (
        write(tmp_path / "queries.jsonl", QUERIES),
        write(tmp_path / "qrels.jsonl", QRELS),
        write(tmp_path / "expansions.jsonl", EXPANSIONS),
    )


@dataclass(frozen=True)
class Found:
    """What a search gives."""

    moments: Sequence[Span]
    took_ms: Mapping[str, float] = field(default_factory=dict)


def baselines(*names: str) -> Baselines:
    return Baselines(INDEX, EMBEDDER, names or PLAIN)


# ---------------------------------------------------------------- reading


def test_questions_are_joined_by_qid(files: tuple[Path, Path, Path]) -> None:
    queries, qrels, expansions = files
    first, second = read_questions(queries, qrels)
    assert first == Question("q1", QUERIES[0]["text"], (Span("council", 30, 60),))
    assert second.gold == (Span("kitchen", 0, 30), Span("council", 0, 5))
    assert second.hypothetical == ()
    (recorded,) = read_questions(queries, qrels, expansions)
    assert recorded.qid == "q2"
    assert recorded.hypothetical == ("Fry the onions until golden, ten minutes.",)


def test_bad_rows_are_named_by_line(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    queries, *_ = files
    bad = write(
        tmp_path / "bad.jsonl",
        [
            QRELS[0],
            "",
            "{not json",
            {"qid": "q1", "video_id": "a", "start": 9, "end": 3},
            {"qid": "q1", "video_id": "a", "start": "1", "end": 3},
            {"qid": "q1", "start": 0, "end": 3},
            ["a", "list"],
        ],
    )
    with pytest.raises(RowError) as raised:
        read_questions(queries, bad)
    message = raised.value.message
    assert str(bad) in message
    for number in (3, 4, 5, 6, 7):
        assert f"line {number}: " in message
    assert "line 1:" not in message and "line 2:" not in message
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("passages", ["one", [1], None])
def test_expansions_that_are_no_list_of_texts(
    passages: object, tmp_path: Path, files: tuple[Path, Path, Path]
) -> None:
    file = write(tmp_path / "e.jsonl", [{"qid": "q2", "passages": passages}])
    with pytest.raises(RowError, match=r"line 1: .*passages"):
        read_questions(files[0], files[1], file)


def test_a_qid_twice_is_an_error(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    twice = write(tmp_path / "twice.jsonl", [QUERIES[0], QUERIES[0]])
    with pytest.raises(RowError, match="q1"):
        read_questions(twice, files[1])


def test_no_question_left_and_no_file(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    with pytest.raises(UsageError, match="no question"):
        read_questions(write(tmp_path / "q.jsonl", [QUERIES[2]]), files[1])
    with pytest.raises(UsageError, match=r"missing\.jsonl"):
        read_questions(tmp_path / "missing.jsonl", files[1])


# ---------------------------------------------------------------- measuring


GOLD = (Span("a", 0, 30),)
RIGHT, WRONG = [Span("a", 0, 30)], [Span("b", 0, 30)]


def asked(count: int, **more: str) -> list[Question]:
    return [Question(f"q{n}", "what is the text?", GOLD, **more) for n in range(count)]


def test_the_report_has_the_shape_of_the_contract() -> None:
    questions = asked(4)
    done: list[int] = []
    results = measure(
        questions,
        lambda question: Found(RIGHT),
        lambda question: {"dense": WRONG, "bm25": RIGHT if question.qid == "q0" else WRONG},
        done.append,
    )
    report = make_report(questions, results)
    assert set(report) == {"n", "metrics", "baselines", "paired", "permutation", "took_ms"}
    assert report["n"] == 4 and done == [1, 2, 3, 4]
    assert set(report["metrics"]) == set(METRICS)
    assert report["metrics"]["mrr@10"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert report["baselines"]["dense"]["hit@1"]["value"] == 0.0
    assert report["baselines"]["bm25"]["hit@1"]["value"] == 0.25
    paired = report["paired"]["bm25"]["mrr@10"]
    assert set(paired) == {"difference", "low", "high"}
    assert paired["difference"] == pytest.approx(0.75)
    assert paired["low"] <= 0.75 <= paired["high"]
    # Four coins show one side, or the other, two times in sixteen; three of them in eight.
    assert report["permutation"]["dense"]["mrr@10"] == pytest.approx(1 / 8, abs=0.02)
    assert report["permutation"]["bm25"]["mrr@10"] == pytest.approx(1 / 4, abs=0.02)
    assert all(value >= 0 for value in report["took_ms"].values())
    json.dumps(report)


def test_a_report_without_baselines_has_none() -> None:
    questions = asked(1)
    report = make_report(questions, measure(questions, lambda question: Found([])))
    assert report["baselines"] == {} and report["paired"] == {} and report["permutation"] == {}
    assert report["metrics"]["mrr@10"]["value"] == 0.0


def test_figures_by_group_are_those_of_its_questions() -> None:
    questions = asked(4)
    results = measure(
        questions,
        lambda question: Found(RIGHT if question.qid < "q2" else WRONG),
        lambda question: {"dense": WRONG},
    )
    groups = {"q0": ("speech", "screen"), "q1": ("speech",), "q2": ("screen",), "q3": ("screen",)}
    found = make_report(questions, results, {"by_source": groups})["by_source"]
    assert list(found) == ["screen", "speech"]
    assert found["speech"]["n"] == 2 and found["screen"]["n"] == 3
    assert found["speech"]["metrics"]["hit@1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    screen = found["screen"]["metrics"]["hit@1"]
    assert screen["value"] == pytest.approx(1 / 3) and screen["low"] < 1 / 3 < screen["high"]
    assert found["screen"]["paired"]["dense"]["mrr@10"]["difference"] == pytest.approx(1 / 3)


def test_the_sources_of_a_question_are_those_of_the_text_in_its_gold_spans() -> None:
    texts = {
        "talk": [
            Segment("speech", 0, 10, "hello"),
            Segment("screen", 9.9, 60, "a slide"),  # touches the first span, no more
            Segment("summary", 0, 60, "about it"),
            Segment("caption", 40, 42, "a hand"),
        ],
        "silent": [],
    }
    questions = [
        Question("said", "?", (Span("talk", 2, 10),)),
        Question("shown", "?", (Span("talk", 39, 43),)),
        Question("both", "?", (Span("talk", 2, 4), Span("talk", 20, 30))),
        Question("mute", "?", (Span("silent", 2, 4), Span("elsewhere", 0, 1))),
    ]
    asked_for: list[str] = []

    def segments(video_id: str) -> list[Segment]:
        asked_for.append(video_id)
        return texts[video_id]

    assert by_source(questions, segments, frozenset(texts)) == {
        "said": ("speech",),
        "shown": ("caption", "screen"),
        "both": ("speech", "screen"),
        "mute": ("none",),
    }
    assert asked_for == ["silent", "talk"]


def test_the_type_of_a_question_is_what_the_file_says_or_how_it_is_put() -> None:
    questions = [
        Question("q1", "golden onions", GOLD),
        Question("q2", "How long are the onions fried until they are all golden and soft", GOLD),
        Question("q3", "the wine goes in then?", GOLD),
        Question("q4", "the wine goes in then?", GOLD, type="list"),
    ]
    found = by_type(questions, INDEX)
    assert found["q1"] == ("short (<= 4 words)", "statement", "rare word")
    assert found["q2"] == ("long (> 12 words)", "question", "rare word")
    assert found["q3"] == ("medium (5-12 words)", "question", "rare word")
    assert found["q4"] == ("list",)
    often = memory_index(
        [("v", passage("speech", n, n + 1, "one ferry")) for n in range(3)], EMBEDDER
    )
    assert by_type([Question("q", "a ferry, a zeppelin", GOLD)], often)["q"][2] == "no rare word"


def test_a_permutation_test_knows_chance_from_difference() -> None:
    draw = np.random.default_rng(3)
    same, better = draw.normal(0, 1, 50), draw.normal(1, 1, 50)
    chance, real, nothing = permutation_tests(np.stack([same, better, np.zeros(50)], axis=1))
    assert chance > 0.1 and real < 0.001 and nothing == 1.0
    assert permutation_tests(better[:, None]) == [real]


def test_the_table_names_every_system_and_its_values() -> None:
    questions = asked(2)
    results = measure(questions, lambda question: Found(RIGHT), lambda question: {"dense": []})
    groups = {"by_type": {question.qid: ("a list",) for question in questions}}
    report = make_report(questions, results, groups)
    head, names, ours, dense = render_table(report).splitlines()
    assert head == "2 questions"
    assert "mrr@10" in names and "hit@10" in names
    assert ours.startswith("footnote") and "1.000" in ours and "[1.000, 1.000]" in ours
    assert dense.startswith("dense") and "0.000" in dense and "+1.000" in dense
    *_, title, row = render_table(report, ["type"]).splitlines()
    assert title.startswith("by type") and row.startswith("a list, 2 ") and "1.000" in row


# ---------------------------------------------------------------- baselines


def test_baselines_rank_passages() -> None:
    found = baselines().rank("golden onions")
    assert tuple(found) == PLAIN
    for spans in found.values():
        assert spans[0] == Span("kitchen", 0, 30)
        assert len(spans) == len(set(spans)) <= 4
    assert found["bm25"] == [Span("kitchen", 0, 30)]  # the only one with a word of it
    hyde = baselines("hyde", "dense").rank("lunch", ("a second ferry line",))
    assert hyde["hyde"][0] == Span("council", 30, 60)
    alone = baselines("hyde", "dense").rank("lunch")
    assert alone["hyde"] == alone["dense"]


def test_baselines_give_ten_and_break_ties_by_video_and_start() -> None:
    rows = [(f"v{n % 4}", passage("speech", n, n + 1, "one ferry")) for n in range(20)][::-1]
    found = Baselines(memory_index(rows, EMBEDDER), EMBEDDER, PLAIN).rank("one ferry")
    for spans in found.values():
        assert len(spans) == 10
    assert [(span.video_id, span.start) for span in found["dense"][:6]] == [
        *(("v0", 4.0 * n) for n in range(5)),
        ("v1", 1.0),
    ]


def test_llama_index_fuses_the_same_rankings() -> None:
    ours = baselines("rrf", *LLAMA_INDEX)
    found = ours.rank("Maria and the golden onions")
    assert set(found) == {"rrf", *LLAMA_INDEX}
    # Its ranks begin at 0 and ours at 1; the same order comes of it here.
    assert found["llama_index_fusion"] == found["rrf"]
    relative = found["llama_index_fusion_relative"]
    assert set(relative) == set(found["rrf"]) and relative[0].video_id in ("council", "kitchen")


def test_llama_index_is_asked_with_the_generated_queries_as_well() -> None:
    ours = baselines(*LLAMA_INDEX)
    passages = ("``\u0060a second ferry line\nwas proposed", "Maria proposed a ferry", "`")
    for spans in ours.rank("lunch {braces}", passages).values():
        assert spans[0] == Span("council", 30, 60)
        assert len(spans) == len(set(spans))


def test_without_llama_index_its_baselines_are_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert baseline_names(hypothetical=True) == (*PLAIN, "hyde", *LLAMA_INDEX)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING):
        assert baseline_names(hypothetical=False) == PLAIN
    assert "llama-index-core" in caplog.text
