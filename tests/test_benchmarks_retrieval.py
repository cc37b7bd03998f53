"""`benchmarks.retrieval` on a small collection: its report says what `footnote eval` says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.retrieval import dropped, scale
from benchmarks.retrieval import systems as systems_module
from benchmarks.retrieval.__main__ import PICTURE, run
from benchmarks.retrieval.canvas import Axes, Canvas, round_steps
from benchmarks.retrieval.dropped import search_dropped
from benchmarks.retrieval.sample import convert
from benchmarks.retrieval.sets import Collection, find_collections, open_library
from benchmarks.retrieval.study import Study, study
from benchmarks.retrieval.systems import RECIPE, Muted, grid, systems
from benchmarks.retrieval.tuning import leave_one_out
from pipeline.errors import UsageError
from pipeline.evaluate.metrics import METRICS, Span
from pipeline.evaluate.questions import Question
from pipeline.evaluate.run import evaluate
from pipeline.library import Library
from pipeline.retrieve.fuse import HYDE_SIGNALS, QUESTION_SIGNALS, Recipe, min_max
from pipeline.settings import Settings
from pipeline.types import PassageTable
from tests.command import Footnote

SETTINGS = Settings(profile="embedded", embedding_model="fake:64")
TOPICS = ("ferry", "onion", "balloon", "greenhouse", "storm", "seal")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def made_collection(folder: Path, source: str, shift: int = 0) -> Path:
    """Six topics spoken of at length in two videos, a question about each of them."""
    folder.mkdir(parents=True)
    corpus, queries, qrels, expansions = [], [], [], []
    for number, topic in enumerate(TOPICS):
        video_id, start = f"v{number % 2}", 40.0 * (number + shift)
        text = f"The {topic} was number {number} and they spoke of the {topic} for a while."
        corpus.append(
            {
                "video_id": video_id,
                "start": start,
                "end": start + 20,
                "text": text,
                "source": source,
            }
        )
        queries.append({"qid": f"q{number}", "text": f"what did they say of the {topic}?"})
        gold = start if number != 3 else start + 500  # one that nobody can find
        qrels.append({"qid": f"q{number}", "video_id": video_id, "start": gold, "end": gold + 20})
        expansions.append({"qid": f"q{number}", "passages": [f"A {topic}, they said, was there."]})
    write(folder / "corpus.jsonl", corpus)
    write(folder / "queries.jsonl", queries)
    write(folder / "qrels.jsonl", qrels)
    write(folder / "expansions.jsonl", expansions)
    return folder


@pytest.fixture(scope="module", autouse=True)
def small_grid() -> Iterator[None]:
    """Two points beside the shipped recipe: what they are is not what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        few = {name: values[:1] for name, values in systems_module.GRID.items()}
        patch.setattr(systems_module, "GRID", {**few, "spoken": (0.5, 0.8)})
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A whole run over two collections: where it was written, and they."""
    folder = tmp_path_factory.mktemp("study")
    sets = [
        made_collection(folder / "talks", "speech"),
        made_collection(folder / "films", "caption", 2),
    ]
    run(sets, folder / "out", SETTINGS, questions=0, tuning=True)
    return folder / "out", sets


def test_the_report_has_the_figures_of_footnote_eval(made: tuple[Path, list[Path]]) -> None:
    out, sets = made
    report = (out / "retrieval.md").read_text(encoding="utf-8")
    for folder in sets:
        with Library(out / "libraries" / folder.name, SETTINGS, create=False) as library:
            expected = evaluate(
                library,
                folder / "queries.jsonl",
                folder / "qrels.jsonl",
                expansions=folder / "expansions.jsonl",
                baselines=True,
            )
        section = report.split(f"## {folder.name}, with recorded")[1].split("\n## ")[0]
        for name, metrics in {"footnote": expected["metrics"], **expected["baselines"]}.items():
            (row,) = re.findall(rf"^\| {name} \|.*$", section, re.MULTILINE)
            value = metrics["mrr@10"]
            shown = f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            assert row.split(" | ")[1] == shown
            for metric, cell in zip(
                ("hit@1", "hit@5", "hit@10"), row.split(" | ")[4:], strict=False
            ):
                assert cell == f"{metrics[metric]['value']:.3f}"
        dense = expected["paired"]["dense"]["mrr@10"]
        assert f"{dense['difference']:+.3f}" in section
        assert "| source | " in section and "question" in section


def test_the_report_holds_everything_that_was_measured(made: tuple[Path, list[Path]]) -> None:
    out, _ = made
    report = (out / "retrieval.md").read_text(encoding="utf-8")
    for system in systems(recorded=True):
        assert f"| {system.name} |" in report
    for heading in ("## Recall by k", "## Latency by stage", "the question alone"):
        assert heading in report
    assert "| talks | spoken" in report and "| films | spoken" in report  # left out, either
    with Image.open(out / PICTURE) as picture:
        assert picture.width > 2000 and picture.height > 1000
        assert picture.getpixel((0, 0)) == (255, 255, 255)
        assert len(picture.getcolors(1 << 24)) > 100


def test_a_second_run_measures_nothing_and_says_the_same(
    made: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, sets = made
    report, picture = (out / "retrieval.md").read_bytes(), (out / PICTURE).read_bytes()
    sizes = {file: file.stat().st_size for file in (out / "results").rglob("*.jsonl")}

    def never(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(Library, "search", never)
    monkeypatch.setattr(Library, "import_rows", never)
    run(sets, out, SETTINGS, questions=0, tuning=True)
    assert (out / "retrieval.md").read_bytes() == report
    assert (out / PICTURE).read_bytes() == picture
    assert {file: file.stat().st_size for file in sizes} == sizes


def test_a_changed_corpus_is_imported_again(tmp_path: Path) -> None:
    folder = made_collection(tmp_path / "talks", "speech")
    (collection,) = find_collections([folder])
    for expected in (2, 1):
        with open_library(collection, tmp_path / "out", SETTINGS) as library:
            assert len(library.videos()) == expected
        rows = collection.corpus.read_text("utf-8").splitlines(keepends=True)
        collection.corpus.write_text("".join(r for r in rows if '"v0"' in r), encoding="utf-8")


def test_folders_that_are_no_collections(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"corpus\.jsonl"):
        find_collections([tmp_path])
    one = made_collection(tmp_path / "a" / "talks", "speech")
    other = made_collection(tmp_path / "b" / "talks", "speech")
    with pytest.raises(UsageError, match="two collections"):
        find_collections([one, other])


def test_which_questions_are_asked(tmp_path: Path) -> None:
    folder = made_collection(tmp_path / "talks", "speech")
    expansions = folder / "expansions.jsonl"
    expansions.write_text(
        "\n".join(expansions.read_text("utf-8").splitlines()[:2]), encoding="utf-8"
    )
    collection = Collection("talks", folder)
    asked = collection.questions(0)
    assert [q.qid for q in asked["recorded"]] == [q.qid for q in asked["alone"]] == ["q0", "q1"]
    assert all(q.hypothetical for q in asked["recorded"])
    assert not any(q.hypothetical for q in asked["alone"])
    more = [q.qid for q in collection.questions(4)["alone"]]
    assert len(more) == 4 and {"q0", "q1"} < set(more) and more == sorted(more)
    assert [q.qid for q in collection.questions(4)["alone"]] == more
    expansions.unlink()
    assert list(collection.questions(0)) == ["alone"]
    assert len(collection.questions(0)["alone"]) == 6 and len(collection.questions(5)["alone"]) == 5


# ---------------------------------------------------------------- systems and tuning


def test_every_system_differs_from_the_shipped_recipe() -> None:
    for recorded in (True, False):
        every = systems(recorded=recorded)
        described = [system.described() for system in every]
        assert len(set(described)) == len(described) == len({system.name for system in every})
        names = {system.name for system in every}
        assert all(system.against in names for system in every if system.against)
    assert grid()[0].system().recipe == RECIPE
    assert len(grid()) == len(set(grid()))


def test_a_muted_signal_counts_for_nothing() -> None:
    source = np.zeros(3, np.uint8)
    weights = Muted(without=("words_hyde",)).weights(HYDE_SIGNALS, source)
    at = HYDE_SIGNALS.index("words_hyde")
    assert (weights[at] == 0).all()
    others = [i for i in range(len(HYDE_SIGNALS)) if i != at]
    assert (weights[others] == RECIPE.weights(HYDE_SIGNALS, source)[others]).all()


@pytest.mark.parametrize("passages", [(), ("They said the seal was there.", "A storm came.")])
def test_what_is_dropped_differs_in_its_fusion_alone(
    passages: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the recipe's own fusion it finds what the library finds without windows."""

    def own(signals: Any, table: PassageTable, recipe: Recipe) -> Any:
        names = HYDE_SIGNALS if passages else QUESTION_SIGNALS
        normalised = np.stack([min_max(signal) for signal in signals])
        return (recipe.weights(names, table.source) * normalised).sum(axis=0)

    monkeypatch.setitem(dropped.VARIANTS, "own", own)
    collection = Collection("talks", made_collection(tmp_path / "talks", "speech"))
    question = Question("q", "what of the seal in the storm?", (Span("v0", 0, 1),), passages)
    with open_library(collection, tmp_path / "out", SETTINGS) as library:
        found = search_dropped(library, "own", question, 10)
        expected = library.search(
            question.text, hypothetical=passages, recipe=replace(RECIPE, windows=0.0)
        )
    assert len(found) > 2
    for one, other in zip(found, expected.moments, strict=True):
        assert (one.video_id, one.start, one.end) == (other.video_id, other.start, other.end)
        assert one.score == pytest.approx(other.score)


def test_tuned_weights_come_from_the_other_collections() -> None:
    """Two collections that want opposite weights: each gets the other's."""
    spoken = sorted({point.spoken for point in grid()})

    def made_study(name: str, wanted: float) -> Study:
        points = {}
        for point in grid():
            table = np.zeros((4, len(METRICS)))
            table[:, 0] = 1.0 - abs(point.spoken - wanted)
            points[point.effective(frozenset(("speech", "caption")))] = table
        return Study(name, "alone", 1, [], {}, [], {}, points, frozenset(("speech", "caption")))

    low, high = made_study("low", spoken[0]), made_study("high", spoken[-1])
    first, second = leave_one_out([low, high])
    assert (first.collection, first.tuned.spoken, first.best.spoken) == (
        "low",
        spoken[-1],
        spoken[0],
    )
    assert (second.tuned.spoken, second.best.spoken) == (spoken[0], spoken[-1])
    assert first.lead.value < 0 and first.best_mrr == 1.0
    assert leave_one_out([low]) == []


def test_a_study_that_was_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_collection(tmp_path / "talks", "speech")
    collection = Collection("talks", folder)
    questions = collection.questions(0)["alone"]
    real, calls = Library.search, [0]
    recipes: list[Recipe | None] = []

    def dying(self: Library, *arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        recipes.append(options.get("recipe"))
        if calls[0] == 20:
            raise KeyboardInterrupt
        return real(self, *arguments, **options)

    def whole(library: Library) -> Study:
        return study(library, collection, "alone", questions, tmp_path / "out", tuning=False)

    with open_library(collection, tmp_path / "out", SETTINGS) as library:
        monkeypatch.setattr(Library, "search", dying)
        with pytest.raises(KeyboardInterrupt):
            whole(library)
        found = whole(library)
        asked = calls[0]
        monkeypatch.setattr(Library, "search", real)
        undisturbed = study(
            library, collection, "alone", questions, tmp_path / "other", tuning=False
        )
    of_library = [system for system in systems(recorded=False) if not system.dropped]
    assert asked == (1 + len(of_library)) * len(questions) + 1  # the one that died, once more
    assert all(system.recipe in recipes for system in of_library)
    assert found.report["metrics"] == undisturbed.report["metrics"]
    for name, table in found.systems.items():
        assert np.array_equal(table, undisturbed.systems[name])


# ---------------------------------------------------------------- sample, scale, drawing


def test_the_sample_library_becomes_a_collection(tmp_path: Path) -> None:
    data = Path(__file__).resolve().parents[1] / "data"
    convert(data, tmp_path / "half")
    convert(data, tmp_path / "whole", held_out=True)
    (half,) = find_collections([tmp_path / "half"])
    held = {
        row["qid"]
        for row in map(json.loads, (data / "questions.jsonl").read_text("utf-8").splitlines())
        if row["held_out"]
    }
    asked = half.questions(0)
    assert asked["recorded"] and not held & {q.qid for some in asked.values() for q in some}
    assert all(question.type for question in asked["alone"])
    whole = Collection("whole", tmp_path / "whole").questions(1000)["alone"]
    assert held & {question.qid for question in whole}


def test_the_sample_library_as_footnote_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(__file__).resolve().parents[1] / "data"
    rows = tmp_path / "rows.jsonl"
    row = {"video_id": "v", "start": 1, "end": 3, "text": "Hello there.", "source": "speech"}
    write(rows, [row])
    Footnote(tmp_path / "library", capsys).json("import", rows)
    convert(data, tmp_path / "set", library=tmp_path / "library")
    (found,) = map(json.loads, (tmp_path / "set" / "corpus.jsonl").read_text("utf-8").splitlines())
    assert found | row == found


def test_a_planted_code_is_found_first_and_lists_are_the_same_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark itself, small, in this process and without Chroma."""
    monkeypatch.setattr(scale, "in_a_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(scale, "PER_VIDEO", scale.AT + 1)
    figures = scale.measure(tmp_path / "library", 330, 3, False)
    assert len(figures["planted"]) == 12 and all(figures["planted"].values())
    assert figures["same"]["again"] == figures["same"]["in another process"] == 1.0
    assert figures["same"]["rebuilt"] >= scale.LEAST_SAME
    wall = figures["latency"]["rows"]["no filter"]["wall"]
    assert 0 < wall[0] <= wall[1]
    json.dumps(figures)


def test_what_a_large_library_missed_is_named() -> None:
    good = {"wall": (1.0, 2.0)}
    figures = {
        "planted": {"the code alone": True, "in a question": False},
        "same": {"again": 1.0, "in another process": 0.99, "rebuilt": 0.98},
        "latency": {
            "rows": {
                "no filter": good,
                "--video": {"wall": (1.0, 31.0)},
                "x + HyDE": {"wall": (1.0, 59.0)},
            },
            "resident_mb": 1501.0,
        },
    }
    assert scale.missed(figures) == [
        "the code first: in a question",
        "same in another process",
        "the same after a rebuild",
        "p95 of --video within 30 ms",
        "memory within 1500 MB",
    ]


def test_a_moment_beside_the_code_is_not_the_code() -> None:
    middle = (scale.AT + 0.5) * scale.SECONDS
    assert scale.is_planted([(scale.PLANTED, middle - 5, middle + 5, 1.0)])
    assert not scale.is_planted([(scale.PLANTED, middle + 5, middle + 9, 1.0)])
    assert not scale.is_planted([("other", middle - 5, middle + 5, 1.0)])
    assert not scale.is_planted([])


def test_axes_place_values() -> None:
    axes = Axes(10, 20, 110, 120, (1, 100), (0, 1), log=True)
    assert axes.at(1, 0) == (10, 120) and axes.at(100, 1) == (110, 20)
    assert axes.across(10) == pytest.approx(60)
    assert round_steps(-0.31, 0.31) == [-0.2, 0.0, 0.2] or len(round_steps(-0.31, 0.31)) <= 6
    assert Canvas(10, 10).text_width("wide") > Canvas(10, 10).text_width("w")
