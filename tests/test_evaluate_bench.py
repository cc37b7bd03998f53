"""`footnote eval`: reading the files, running everything once, the report's shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import ModelUnavailable, RowError, UsageError
from pipeline.evaluate.baselines import BASELINES, rank_baselines
from pipeline.evaluate.bench import Question, measure, read_questions, render_table
from pipeline.evaluate.metrics import METRICS, Span
from pipeline.evaluate.run import evaluate
from pipeline.models.embedding import load_embedder
from pipeline.retrieve.expand import Expansion
from pipeline.retrieve.localize import moments
from pipeline.retrieve.search import Query, search
from pipeline.types import Embedder, PassageIndex, SearchResult
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


class OpenLibrary:
    """What `evaluate` asks of a library, over the index in memory."""

    def __init__(self, passages: tuple[str, ...] = ()) -> None:
        self.passages = passages
        self.searched: list[tuple[str, tuple[str, ...]]] = []
        self.expanded: list[str] = []

    def search(
        self, query: str, *, k: int = 10, hypothetical: Sequence[str] | None = None
    ) -> SearchResult:
        assert hypothetical is not None  # never a language model by accident
        self.searched.append((query, tuple(hypothetical)))
        ranked = search(INDEX, EMBEDDER, Query(query, tuple(hypothetical)))
        return SearchResult(query, tuple(moments(ranked, INDEX, {}, k)), {})

    def expand(self, question: str) -> Expansion:
        self.expanded.append(question)
        return Expansion(self.passages, "" if self.passages else "the endpoint is down")

    def index(self) -> PassageIndex:
        return INDEX

    def embedder(self) -> Embedder:
        return EMBEDDER


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


def test_the_report_has_the_shape_of_the_contract() -> None:
    gold = (Span("a", 0, 30),)
    questions = [Question(f"q{n}", "text", gold) for n in range(4)]
    right, wrong = [Span("a", 0, 30)], [Span("b", 0, 30)]
    done: list[int] = []
    report = measure(
        questions,
        lambda question: right,
        lambda question: {"dense": wrong, "bm25": right if question.qid == "q0" else wrong},
        done.append,
    )
    assert set(report) == {"n", "metrics", "baselines", "paired", "took_ms"}
    assert report["n"] == 4 and done == [1, 2, 3, 4]
    assert set(report["metrics"]) == set(METRICS)
    assert report["metrics"]["mrr@10"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert report["baselines"]["dense"]["hit@1"]["value"] == 0.0
    assert report["baselines"]["bm25"]["hit@1"]["value"] == 0.25
    paired = report["paired"]["bm25"]["mrr@10"]
    assert set(paired) == {"difference", "low", "high"}
    assert paired["difference"] == pytest.approx(0.75)
    assert paired["low"] <= 0.75 <= paired["high"]
    assert all(value >= 0 for value in report["took_ms"].values())
    json.dumps(report)


def test_a_report_without_baselines_has_none() -> None:
    report = measure([Question("q", "text", (Span("a", 0, 30),))], lambda question: [])
    assert report["baselines"] == {} and report["paired"] == {}
    assert report["metrics"]["mrr@10"]["value"] == 0.0


def test_the_table_names_every_system_and_its_values() -> None:
    questions = [Question(f"q{n}", "text", (Span("a", 0, 30),)) for n in range(2)]
    report = measure(questions, lambda question: [Span("a", 0, 30)], lambda question: {"dense": []})
    head, names, ours, dense = render_table(report).splitlines()
    assert head == "2 questions"
    assert "mrr@10" in names and "hit@10" in names
    assert ours.startswith("footnote") and "1.000" in ours and "[1.000, 1.000]" in ours
    assert dense.startswith("dense") and "0.000" in dense and "+1.000" in dense


# ---------------------------------------------------------------- baselines


def test_baselines_rank_passages() -> None:
    found = rank_baselines(INDEX, EMBEDDER, Query("golden onions"))
    assert set(found) == set(BASELINES) - {"hyde"}
    for spans in found.values():
        assert spans[0] == Span("kitchen", 0, 30)
        assert len(spans) == len(set(spans)) <= 4
    assert found["bm25"] == [Span("kitchen", 0, 30)]  # the only one with a word of it
    hyde = rank_baselines(INDEX, EMBEDDER, Query("lunch", ("a second ferry line",)))["hyde"]
    assert hyde[0] == Span("council", 30, 60)


def test_baselines_give_ten_and_break_ties_by_video_and_start() -> None:
    rows = [(f"v{n % 4}", passage("speech", n, n + 1, "one ferry")) for n in range(20)][::-1]
    index = memory_index(rows, EMBEDDER)
    for spans in rank_baselines(index, EMBEDDER, Query("one ferry")).values():
        assert len(spans) == 10
    dense = rank_baselines(index, EMBEDDER, Query("one ferry"))["dense"]
    assert [(span.video_id, span.start) for span in dense[:6]] == [
        *(("v0", 4.0 * n) for n in range(5)),
        ("v1", 1.0),
    ]


# ---------------------------------------------------------------- on a library


def test_evaluating_a_library(files: tuple[Path, Path, Path]) -> None:
    queries, qrels, expansions = files
    library = OpenLibrary()
    report = evaluate(library, queries, qrels, baselines=True)
    assert report["n"] == 2
    assert report["metrics"]["hit@1"]["value"] == 1.0
    assert set(report["baselines"]) == {"dense", "bm25", "rrf", "min_max"}
    assert [hypothetical for _, hypothetical in library.searched] == [(), ()]
    assert library.expanded == []
    recorded = evaluate(library, queries, qrels, expansions=expansions, baselines=True)
    assert recorded["n"] == 1
    assert set(recorded["baselines"]) == set(BASELINES)
    assert library.searched[-1][1] == ("Fry the onions until golden, ten minutes.",)


def test_recording_expansions_goes_on_where_it_stopped(
    tmp_path: Path, files: tuple[Path, Path, Path]
) -> None:
    queries, qrels, _ = files
    record = tmp_path / "recorded.jsonl"
    with pytest.raises(ModelUnavailable, match=r"q1.*endpoint is down"):
        evaluate(OpenLibrary(), queries, qrels, record=record)
    record.write_text('{"qid": "q1", "passages": ["Maria wants a ferry."]}', encoding="utf-8")
    library = OpenLibrary(("Golden onions.", "Onions in butter."))
    report = evaluate(library, queries, qrels, record=record)
    assert report["n"] == 2
    assert library.expanded == [QUERIES[1]["text"]]
    rows = [json.loads(line) for line in record.read_text(encoding="utf-8").split("\n") if line]
    assert rows[1] == {"qid": "q2", "passages": ["Golden onions.", "Onions in butter."]}
    assert dict(library.searched)[QUERIES[0]["text"]] == ("Maria wants a ferry.",)
