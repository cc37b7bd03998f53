"""The index that searches use: exact against brute force, current, and whole after any history."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import IndexDamaged
from pipeline.store import database
from pipeline.store import index as index_module
from pipeline.store.catalog import Catalog
from pipeline.store.index import LibraryIndex, open_index
from pipeline.store.lock import LibraryBusy, locked
from pipeline.store.synchronise import Indexes, check, library_indexes, rebuild, repair, synchronise
from pipeline.types import SOURCES
from tests.store_made import WORDS, add_video, made_catalog, made_vectors

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with made_catalog(tmp_path / "library") as made:
        yield made


@pytest.fixture
def indexes(catalog: Catalog) -> Iterator[Indexes]:
    made = library_indexes(catalog.folder)
    yield made
    made.close()


def made_library(catalog: Catalog, videos: int = 6) -> None:
    draw = np.random.default_rng(3)
    for number in range(videos):
        source = SOURCES[number % 3]
        texts = [f"{' '.join(draw.choice(WORDS, 6))} {number} {i}" for i in range(30)]
        add_video(catalog, f"talk-{number}", texts, source=source)


def all_ok(catalog: Catalog, indexes: Indexes) -> bool:
    return all(found.ok for found in check(catalog, indexes))


# ---------------------------------------------------------------- the contract


def test_the_table_is_the_catalog(catalog: Catalog, indexes: Indexes) -> None:
    made_library(catalog)
    catalog.remove_video("talk-1")
    index = open_index(catalog, indexes)
    table = index.table
    stored = catalog.passages(table.rows)
    assert len(table) == len(stored) == 150 and index.generation == catalog.generation()
    assert table.videos == ("talk-0", "talk-2", "talk-3", "talk-4", "talk-5")
    assert [table.videos[v] for v in table.video] == [s.video_id for s in stored]
    assert [SOURCES[code] for code in table.source] == [s.passage.source for s in stored]
    assert table.start.tolist() == [s.passage.start for s in stored]
    assert table.end.tolist() == [s.passage.end for s in stored]
    positions = np.array([7, 3, 149])
    assert index.texts(positions) == [stored[p].passage.text for p in positions]
    assert index.passage_ids([0, 149]) == ["talk-0:speech:0", "talk-5:screen:29"]


@pytest.mark.parametrize("exact_below", [0, 20_000])
def test_cosines_and_proposals(catalog: Catalog, indexes: Indexes, exact_below: int) -> None:
    made_library(catalog)
    catalog.remove_video("talk-2")
    synchronise(catalog, indexes)
    index = open_index(catalog, indexes, exact_below=exact_below)
    questions = made_vectors(["one", "two"])
    stored = np.array([catalog.vectors_of([row])[row] for row in index.table.rows.tolist()])
    truth = questions @ stored.T
    np.testing.assert_allclose(index.cosine(questions), truth, atol=1e-6)
    some = np.array([5, 2, 140])
    np.testing.assert_allclose(index.cosine(questions, some), truth[:, some], atol=1e-6)
    wanted = np.unique(np.argsort(-truth, axis=1)[:, :10])
    assert index.propose(questions, 10).tolist() == wanted.tolist()
    assert index.propose(questions, 1000).tolist() == list(range(150))


def filters(index: LibraryIndex) -> list[np.ndarray]:
    table = index.table
    draw = np.random.default_rng(1).random(len(table))
    return [
        np.isin(table.video, [0, 2]),
        table.source == 1,
        np.isin(table.video, [1, 3]) & (table.source == 0),
        draw < 0.5,
        draw < 0.03,
        table.start < 100,
        np.zeros(len(table), bool),
        np.ones(len(table), bool),
    ]


@pytest.mark.parametrize(("few", "much"), [(0, 0.1), (200, 0.1), (0, 0.0), (0, 1.0)])
def test_words_under_any_filter_are_what_filtering_afterwards_gives(
    catalog: Catalog, indexes: Indexes, monkeypatch: pytest.MonkeyPatch, few: int, much: float
) -> None:
    monkeypatch.setattr(index_module, "_FEW_ROWS", few)
    monkeypatch.setattr(index_module, "_MUCH", much)
    made_library(catalog)
    index = open_index(catalog, indexes)
    queries = ["lamp river river", "violin"]
    unfiltered = index.words(queries, 1000)
    assert [len(positions) for positions, _ in unfiltered] == [
        sum(any(word in text.split() for word in query.split()) for text in index.texts(range(180)))
        for query in queries
    ]
    for allowed in filters(index):
        for (positions, scores), (every, values) in zip(
            index.words(queries, 12, allowed), unfiltered, strict=True
        ):
            kept = allowed[every]
            assert positions.tolist() == every[kept][:12].tolist()
            np.testing.assert_allclose(scores, values[kept][:12], rtol=1e-5)


def test_an_empty_library_is_searched_without_complaint(catalog: Catalog, indexes: Indexes) -> None:
    index = open_index(catalog, indexes, exact_below=0)
    assert len(index.table) == 0
    assert index.propose(made_vectors(["x"]), 5).tolist() == []
    assert index.cosine(made_vectors(["x"])).shape == (1, 0)
    [(positions, scores)] = index.words(["x"], 5)
    assert positions.tolist() == [] and scores.tolist() == []
    assert index.texts([]) == []


steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=8)


@settings(max_examples=12, deadline=None)
@given(steps)
def test_any_history_ends_as_a_library_built_at_once(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    with made_catalog(folder / "library") as catalog:
        indexes = library_indexes(catalog.folder)
        index = open_index(catalog, indexes)
        for step, (video_id, count) in enumerate(drawn):
            if count:
                add_video(catalog, video_id, [f"lamp {WORDS[i]} {step % 2}" for i in range(count)])
            elif catalog.titles([video_id]):
                catalog.remove_video(video_id)
            index = index.refresh()
        other = library_indexes(folder / "other")
        (folder / "other").mkdir()
        fresh = open_index(catalog, other)
        assert index.generation == fresh.generation == catalog.generation()
        for name in ("rows", "video", "source", "start", "end"):
            assert getattr(index.table, name).tolist() == getattr(fresh.table, name).tolist()
        question = made_vectors(["x"])
        np.testing.assert_allclose(index.cosine(question), fresh.cosine(question), atol=1e-6)
        for (mine, scores), (theirs, values) in zip(
            index.words(["lamp 1", "node"], 9), fresh.words(["lamp 1", "node"], 9), strict=True
        ):
            assert mine.tolist() == theirs.tolist()
            np.testing.assert_allclose(scores, values, rtol=1e-5)


# ---------------------------------------------------------------- keeping up


def test_refresh_returns_itself_until_passages_change(catalog: Catalog, indexes: Indexes) -> None:
    said = add_video(catalog, "a", 3)
    index = open_index(catalog, indexes)
    catalog.set_meta("something", "else")
    add_video(catalog, "a", said)
    assert index.refresh() is index
    add_video(catalog, "b", ["violin"])
    newer = index.refresh()
    assert newer is not index and newer.refresh() is newer
    assert newer.words(["violin"], 5)[0][0].tolist() == [3]
    assert len(index.table) == 3 and index.words(["violin"], 5)[0][0].tolist() == []


def test_a_reader_that_cannot_catch_up_serves_the_older_generation(
    catalog: Catalog, indexes: Indexes
) -> None:
    add_video(catalog, "a", ["lamp one", "lamp two"])
    add_video(catalog, "b", ["lamp three", "lamp changes"])
    index = open_index(catalog, indexes)
    generation = index.generation
    with locked(catalog.folder, 0):
        catalog.remove_video("a")
        add_video(catalog, "b", ["lamp three", "lamp changed"])
        add_video(catalog, "c", ["lamp four"])
        older = index.refresh()
        assert older.generation == generation < catalog.generation()
        assert older.texts(range(len(older.table))) == ["lamp three"]  # nothing that is gone
        assert older.words(["lamp"], 5)[0][0].tolist() == [0]
        assert older.propose(made_vectors(["lamp one"]), 5).tolist() == [0]
        assert older.refresh() is older
    newer = open_index(catalog, indexes)
    assert newer.texts(range(3)) == ["lamp three", "lamp changed", "lamp four"]


def test_a_read_only_library_is_searched(
    catalog: Catalog, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_video(catalog, "a", ["lamp"])
    synchronise(catalog, indexes)
    catalog.close()
    for path in [*catalog.folder.rglob("*"), catalog.folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    real = os.access
    inside = str(catalog.folder)
    monkeypatch.setattr(  # the tests may be run by root, whom rights do not bind
        os,
        "access",
        lambda path, mode: (
            not (mode & os.W_OK and str(path).startswith(inside)) and real(path, mode)
        ),
    )
    try:
        with Catalog(catalog.folder) as opened:
            assert opened.read_only
            index = open_index(opened, library_indexes(catalog.folder))
            assert index.words(["lamp"], 5)[0][0].tolist() == [0]
            assert index.refresh() is index
    finally:
        for path in [catalog.folder, *catalog.folder.rglob("*")]:
            path.chmod(0o755)


def test_a_read_only_library_without_indexes_is_an_error_not_an_empty_answer(
    catalog: Catalog, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_video(catalog, "a", ["lamp"])
    monkeypatch.setattr(database, "_writable", lambda folder, path: False)
    with Catalog(catalog.folder) as opened, pytest.raises(IndexDamaged, match="read-only"):
        open_index(opened, indexes)


def test_other_embeddings_are_never_mixed_in(catalog: Catalog, indexes: Indexes) -> None:
    add_video(catalog, "a", 4)
    index = open_index(catalog, indexes)
    space = type(catalog.embedding_space())("other", 4)  # type: ignore[misc]
    rows = index.table.rows.tolist()
    catalog.start_reembedding(space)
    catalog.put_next_embeddings(rows, np.eye(4, dtype=np.float32))
    catalog.adopt_next_embeddings(space)
    np.testing.assert_array_equal(
        index.refresh().cosine(np.eye(4, dtype=np.float32)), np.eye(4, dtype=np.float32)
    )


def test_a_restored_older_catalog_is_not_searched_with_newer_indexes(
    catalog: Catalog, indexes: Indexes
) -> None:
    add_video(catalog, "a", ["lamp"])
    catalog.close()
    backup = (catalog.folder / "library.db").read_bytes()
    with Catalog(catalog.folder) as later:
        add_video(later, "b", ["lamp"])
        synchronise(later, indexes)
    indexes.close()
    (catalog.folder / "library.db").write_bytes(backup)
    with Catalog(catalog.folder) as restored:
        index = open_index(restored, indexes)
        assert index.words(["lamp"], 5)[0][0].tolist() == [0] and len(index.table) == 1
        synchronise(restored, indexes)
        assert all_ok(restored, indexes)


# ---------------------------------------------------------------- Chroma


def test_what_chroma_lacks_is_scored_exactly(
    catalog: Catalog, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_library(catalog)
    synchronise(catalog, indexes)
    [new] = add_video(catalog, "new", 1)
    catalog.remove_video("talk-0")
    index = open_index(catalog, indexes, exact_below=0)
    assert indexes.vectors.stamp().generation < index.generation
    asked: list[int] = []
    nearest = indexes.vectors.nearest
    monkeypatch.setattr(
        indexes.vectors,
        "nearest",
        lambda vectors, count: asked.append(count) or nearest(vectors, count),
    )
    question = made_vectors([new])
    truth = np.argsort(-index.cosine(question)[0])[:10]
    assert index.propose(question, 10)[-1] == len(index.table) - 1 == truth[0]
    assert np.isin(index.propose(question, 200), np.arange(151)).all()
    assert asked == [10, 200]


def test_a_process_that_asks_little_does_not_open_chroma(
    catalog: Catalog, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_library(catalog)
    synchronise(catalog, indexes)
    ready, asked = indexes.vectors.ready, []
    monkeypatch.setattr(indexes.vectors, "ready", lambda: asked.append(1) or ready())
    index = open_index(catalog, indexes, exact_below=0, patience=2)
    question = made_vectors(["x"])
    first = index.propose(question, 5).tolist()
    add_video(catalog, "new", 1)  # patience is that of the process: a newer index has no more
    index = index.refresh()
    index.propose(question, 5)
    assert not asked
    assert np.isin(first, index.propose(question, 6)).all()
    assert len(asked) == 1


def test_chroma_that_fails_costs_time_and_no_answer(
    catalog: Catalog, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_library(catalog)
    synchronise(catalog, indexes)
    index = open_index(catalog, indexes, exact_below=0)
    question = made_vectors(["x"])
    wanted = index.propose(question, 5).tolist()
    indexes.vectors.close()
    monkeypatch.setattr(indexes.vectors, "_connect", lambda: (_ for _ in ()).throw(OSError("gone")))
    assert index.propose(question, 5).tolist() == wanted


def test_a_small_library_is_searched_without_importing_chromadb(
    catalog: Catalog, indexes: Indexes
) -> None:
    add_video(catalog, "a", ["lamp"])
    code = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from pipeline.store.catalog import Catalog\n"
        "from pipeline.store.index import open_index\n"
        "from pipeline.store.synchronise import library_indexes\n"
        "catalog = Catalog(Path(sys.argv[1]))\n"
        "index = open_index(catalog, library_indexes(catalog.folder))\n"
        "assert len(index.propose(np.ones((1, 16), np.float32), 3)) == 1\n"
        "assert len(index.words(['lamp'], 3)[0][0]) == 1\n"
        "assert 'chromadb' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(catalog.folder)], check=True, cwd=ROOT)


# ---------------------------------------------------------------- doctor


def test_synchronise_waits_for_its_turn_no_longer_than_told(
    catalog: Catalog, indexes: Indexes
) -> None:
    add_video(catalog, "a", 1)
    with locked(catalog.folder, 0), pytest.raises(LibraryBusy):
        synchronise(catalog, indexes, timeout=0.05)
    assert synchronise(catalog, indexes) == catalog.generation()
    with locked(catalog.folder, 0):
        synchronise(catalog, indexes, timeout=0)  # nothing to do: no lock is needed


def test_check_compares_every_index_with_the_catalog(catalog: Catalog, indexes: Indexes) -> None:
    made_library(catalog, 3)
    assert [found.ok for found in check(catalog, indexes)] == [True, False, False, False]
    synchronise(catalog, indexes)
    assert [found.name for found in check(catalog, indexes)] == [
        "catalog",
        "matrix",
        "words",
        "chroma",
    ]
    assert all_ok(catalog, indexes)
    catalog.write("UPDATE passages SET text = 'violet' WHERE \"row\" % 2")
    catalog.write('UPDATE embeddings SET vector = randomblob(64) WHERE "row" % 2')
    found = {found.name: found for found in check(catalog, indexes)}
    assert found["catalog"].ok
    for name, said in (("matrix", "vector"), ("words", "words"), ("chroma", "find themselves")):
        assert not found[name].ok and said in found[name].detail
        assert found[name].repair == "footnote doctor --repair"


@pytest.mark.parametrize("part", ["matrix", "words", "chroma", ""])
def test_what_is_deleted_is_made_again(catalog: Catalog, indexes: Indexes, part: str) -> None:
    made_library(catalog, 2)
    synchronise(catalog, indexes)
    indexes.close()
    import shutil

    shutil.rmtree(catalog.folder / "index" / part)
    index = open_index(catalog, indexes)
    assert len(index.words(["lamp"], 100)[0][0]) > 0 and len(index.table) == 60
    synchronise(catalog, indexes)
    assert all_ok(catalog, indexes)


def test_repair_makes_anew_what_is_wrong_and_nothing_else(
    catalog: Catalog, indexes: Indexes
) -> None:
    made_library(catalog, 2)
    synchronise(catalog, indexes)
    [vectors] = (catalog.folder / "index" / "matrix").glob("*/vectors")
    vectors.write_bytes(bytes(vectors.stat().st_size))
    words = list((catalog.folder / "index" / "words").iterdir())
    assert repair(catalog, indexes) == ("matrix",)
    assert list((catalog.folder / "index" / "words").iterdir()) == words
    assert all_ok(catalog, indexes)
    assert repair(catalog, indexes) == ()


def test_rebuild_needs_no_model(catalog: Catalog, indexes: Indexes) -> None:
    made_library(catalog, 2)
    synchronise(catalog, indexes)
    rebuild(catalog, indexes)
    assert all_ok(catalog, indexes)
