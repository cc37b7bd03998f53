"""`footnote eval` on a library: what is asked of it, recording, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ModelUnavailable, UsageError
from pipeline.evaluate.baselines import HYDE, LLAMA_INDEX, PLAIN
from pipeline.evaluate.run import evaluate, results_of, setting_of
from pipeline.retrieve.expand import Expansion
from pipeline.retrieve.localize import moments
from pipeline.retrieve.search import Query, search
from pipeline.settings import Settings
from pipeline.types import Embedder, PassageIndex, SearchResult, Segment, VideoSummary
from tests.command import write_rows
from tests.memory_index import memory_index, passage
from tests.test_evaluate_bench import EMBEDDER, INDEX, QUERIES, files, write

__all__ = ["files"]  # a fixture


class OpenLibrary:
    """What `evaluate` asks of a library, over the index in memory."""

    def __init__(self, passages: tuple[str, ...] = (), index: PassageIndex = INDEX) -> None:
        self.passages = passages
        self.searched: list[tuple[str, tuple[str, ...]]] = []
        self.expanded: list[str] = []
        self.settings = Settings()
        self._index = index

    def search(
        self, query: str, *, k: int = 10, hypothetical: Sequence[str] | None = None
    ) -> SearchResult:
        assert hypothetical is not None  # never a language model by accident
        self.searched.append((query, tuple(hypothetical)))
        ranked = search(self._index, EMBEDDER, Query(query, tuple(hypothetical)))
        return SearchResult(query, tuple(moments(ranked, self._index, {}, k)), {"fuse": 0.5})

    def expand(self, question: str) -> Expansion:
        self.expanded.append(question)
        return Expansion(self.passages, "" if self.passages else "the endpoint is down")

    def index(self) -> PassageIndex:
        return self._index

    def embedder(self) -> Embedder:
        return EMBEDDER

    def show(self, reference: str) -> tuple[VideoSummary, list[Segment]]:
        summary = VideoSummary(reference, reference, "", 60.0, "", {}, ())
        source = "speech" if reference == "council" else "caption"
        return summary, [Segment(source, 0, 60, "all of it")]


def test_evaluating_a_library(files: tuple[Path, Path, Path]) -> None:
    queries, qrels, expansions = files
    library = OpenLibrary()
    report = evaluate(library, queries, qrels, baselines=True)
    assert report["n"] == 2
    assert report["metrics"]["hit@1"]["value"] == 1.0
    assert tuple(report["baselines"]) == (*PLAIN, *LLAMA_INDEX)
    assert {name: group["n"] for name, group in report["by_source"].items()} == {
        "speech": 2,  # the second question has a gold span in either video
        "caption": 1,
    }
    assert report["by_type"]["question"]["n"] == 2
    assert [hypothetical for _, hypothetical in library.searched] == [(), ()]
    assert library.expanded == []
    recorded = evaluate(library, queries, qrels, expansions=expansions, baselines=True)
    assert recorded["n"] == 1
    assert tuple(recorded["baselines"]) == (*PLAIN, HYDE, *LLAMA_INDEX)
    assert library.searched[-1][1] == ("Fry the onions until golden, ten minutes.",)


def test_recorded_passages_that_are_none_still_give_every_baseline_a_ranking(
    tmp_path: Path, files: tuple[Path, Path, Path]
) -> None:
    queries, qrels, _ = files
    rows = [{"qid": "q1", "passages": []}, {"qid": "q2", "passages": ["Golden onions."]}]
    expansions = write(tmp_path / "some.jsonl", rows)
    report = evaluate(OpenLibrary(), queries, qrels, expansions=expansions, baselines=True)
    assert report["n"] == 2 and HYDE in report["paired"]


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


# ---------------------------------------------------------------- going on


def test_what_was_measured_is_not_asked_again(
    tmp_path: Path, files: tuple[Path, Path, Path]
) -> None:
    queries, qrels, expansions = files
    kept = tmp_path / "results.jsonl"
    first = evaluate(OpenLibrary(), queries, qrels, baselines=True, resume=kept)
    again = OpenLibrary()
    assert evaluate(again, queries, qrels, baselines=True, resume=kept) == first
    assert again.searched == []
    # Anything that a result depends on makes it another: systems, passages, settings, texts.
    evaluate(again, queries, qrels, resume=kept)
    assert len(again.searched) == 2
    evaluate(again, queries, qrels, expansions=expansions, baselines=True, resume=kept)
    assert len(again.searched) == 3
    again.settings = Settings(expansion_passages=5)
    evaluate(again, queries, qrels, baselines=True, resume=kept)
    assert len(again.searched) == 5
    moved = memory_index([("council", passage("speech", 0, 31, "A ferry."))], EMBEDDER)
    other = OpenLibrary(index=moved)
    evaluate(other, queries, qrels, baselines=True, resume=kept)
    assert len(other.searched) == 2
    assert evaluate(OpenLibrary(), queries, qrels, baselines=True, resume=kept) == first


def test_where_a_library_lies_is_no_part_of_its_setting(tmp_path: Path) -> None:
    here, there = OpenLibrary(), OpenLibrary()
    there.settings = Settings(library=tmp_path, api_key="secret")
    assert setting_of(here, k=10) == setting_of(there, k=10) != setting_of(here, k=11)
    assert "secret" not in setting_of(there)


@pytest.mark.parametrize("torn", ["", '{"key": "ab', '{"ke'])
def test_a_line_cut_short_is_measured_again(
    torn: str, tmp_path: Path, files: tuple[Path, Path, Path]
) -> None:
    queries, qrels, _ = files
    kept = tmp_path / "results.jsonl"
    whole = evaluate(OpenLibrary(), queries, qrels, resume=kept)
    lines = kept.read_text(encoding="utf-8").splitlines()
    kept.write_text(lines[0] + "\n" + torn, encoding="utf-8")
    library = OpenLibrary()
    report = evaluate(library, queries, qrels, resume=kept)
    assert [query for query, _ in library.searched] == [QUERIES[1]["text"]]
    assert without_times(report) == without_times(whole)
    assert evaluate(OpenLibrary(), queries, qrels, resume=kept) == report


def test_a_file_of_something_else_is_left_alone(files: tuple[Path, Path, Path]) -> None:
    queries, qrels, _ = files
    before = queries.read_bytes()
    with pytest.raises(UsageError, match="something else"):
        evaluate(OpenLibrary(), queries, qrels, resume=queries)
    assert queries.read_bytes() == before
    text = queries.parent / "notes.txt"
    text.write_text("my notes\n", encoding="utf-8")
    with pytest.raises(UsageError, match="something else"):
        evaluate(OpenLibrary(), queries, qrels, resume=text)


def test_results_keep_the_stages_of_a_search(files: tuple[Path, Path, Path]) -> None:
    from pipeline.evaluate.questions import read_questions

    (first, _) = results_of(OpenLibrary(), read_questions(*files[:2]))
    assert first.stages == {"fuse": 0.5}
    assert 0 < first.search_ms <= first.all_ms


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name != "took_ms"}


def test_a_killed_run_goes_on_and_reports_the_same(tmp_path: Path) -> None:
    """Killed as a process, in the middle of its questions, three times."""
    library = tmp_path / "library"
    rows = [
        {"start": 30.0 * n, "end": 30.0 * n + 30, "text": f"They speak of number {n} at length."}
        for n in range(12)
    ]
    settings = {"FOOTNOTE_EMBEDDING_MODEL": "fake:64", "FOOTNOTE_PROFILE": "embedded"}
    environment = os.environ | settings
    command = [sys.executable, "-m", "pipeline.apps.cli"]
    said = write_rows(tmp_path / "rows.jsonl", *rows)
    subprocess.run(
        [*command, "import", str(said), "--library", str(library)],
        env=environment,
        check=True,
        capture_output=True,
    )
    count = 400
    queries = write(
        tmp_path / "queries.jsonl",
        [{"qid": f"q{n}", "text": f"what of {n} and number {n % 12}?"} for n in range(count)],
    )
    qrels = write(
        tmp_path / "qrels.jsonl",
        [
            {"qid": f"q{n}", "video_id": "talk", "start": 30 * (n % 12), "end": 30 * (n % 12) + 30}
            for n in range(count)
        ],
    )
    command += ["eval", "--queries", str(queries), "--qrels", str(qrels)]
    command += ["--library", str(library), "--json"]
    whole = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    kept = tmp_path / "results.jsonl"
    command += ["--resume", str(kept)]
    killed = 0
    for least in (1, 60, 150):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and lines_in(kept) < least:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        killed += process.returncode == -signal.SIGKILL
    assert killed >= 1 and 0 < lines_in(kept) < count
    report = json.loads(
        subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    )
    assert without_times(report) == without_times(json.loads(whole))
    assert report["n"] == count
    keys = [
        json.loads(line)["key"] for line in kept.read_text("utf-8").split("\n") if whole_line(line)
    ]
    assert len(keys) == len(set(keys)) == count


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def whole_line(line: str) -> bool:
    return line.endswith("}")
