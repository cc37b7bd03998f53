"""The matrix holds what the catalog holds, through additions, removals and crashes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.catalog import Catalog
from pipeline.store.matrix import Matrix, MatrixWriter, open_matrix, positions_of
from pipeline.store.vectors import cosines, greatest
from tests.store_made import add_video, made_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with made_catalog(tmp_path) as made:
        yield made


def folder_of(catalog: Catalog) -> Path:
    return catalog.folder / "index" / "matrix"


def opened(catalog: Catalog) -> Matrix:
    MatrixWriter(folder_of(catalog)).advance(catalog, catalog.generation())
    return open_matrix(folder_of(catalog))


def assert_holds_the_catalog(catalog: Catalog, matrix: Matrix) -> None:
    alive = np.setdiff1d(np.arange(len(matrix)), matrix.dead)
    batches = list(catalog.passages_after(0, catalog.generation()))
    assert matrix.rows[alive].tolist() == [row for b in batches for row in b.rows.tolist()]
    for name in ("video", "source", "start", "end", "vectors"):
        if batches:
            stored = np.concatenate([getattr(batch, name) for batch in batches])
            np.testing.assert_array_equal(getattr(matrix, name)[alive], stored, name)


def test_it_follows_the_catalog(catalog: Catalog) -> None:
    assert len(opened(catalog)) == 0
    add_video(catalog, "a", 7, source="caption")
    add_video(catalog, "b", 5)
    assert_holds_the_catalog(catalog, opened(catalog))
    add_video(catalog, "a", ["changed"], source="caption")
    add_video(catalog, "c", 3, source="screen")
    assert_holds_the_catalog(catalog, opened(catalog))
    for video_id in "abc":
        catalog.remove_video(video_id)
    assert_holds_the_catalog(catalog, opened(catalog))
    add_video(catalog, "d", 2)
    assert_holds_the_catalog(catalog, opened(catalog))


operations = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 6)), max_size=12)


@settings(max_examples=15, deadline=None)
@given(operations)
def test_it_follows_any_history(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int]]
) -> None:
    with made_catalog(tmp_path_factory.mktemp("library")) as catalog:
        for step, (video_id, count) in enumerate(drawn):
            if count:
                add_video(catalog, video_id, [f"{step} {i}" for i in range(count)])
            elif video_id in [v.video_id for v in catalog.videos()]:
                catalog.remove_video(video_id)
            assert_holds_the_catalog(catalog, opened(catalog))


def test_few_dead_are_masked_many_are_swept_out(catalog: Catalog) -> None:
    add_video(catalog, "a", 2)
    add_video(catalog, "b", 18)
    opened(catalog)
    catalog.remove_video("a")
    assert (len(opened(catalog)), open_matrix(folder_of(catalog)).dead.tolist()) == (20, [0, 1])
    add_video(catalog, "b", [f"new {i}" for i in range(18)])
    matrix = opened(catalog)
    assert (len(matrix), len(matrix.dead)) == (18, 0)
    assert len(list(folder_of(catalog).iterdir())) == 2  # the header and one folder


def test_an_open_matrix_is_a_snapshot(catalog: Catalog) -> None:
    add_video(catalog, "a", 4)
    before = opened(catalog)
    vectors = before.vectors.copy()
    add_video(catalog, "b", 50)
    catalog.remove_video("a")
    assert len(opened(catalog)) == 50
    np.testing.assert_array_equal(before.vectors, vectors)


def test_what_a_crash_wrote_behind_the_header_is_overwritten(catalog: Catalog) -> None:
    add_video(catalog, "a", 4)
    opened(catalog)
    [data] = folder_of(catalog).glob("data-*")
    for column in data.iterdir():
        with column.open("ab") as file:
            file.write(b"\xff" * 1000)
    assert_holds_the_catalog(catalog, open_matrix(folder_of(catalog)))
    add_video(catalog, "b", 3)
    assert_holds_the_catalog(catalog, opened(catalog))


@pytest.mark.parametrize("damage", ["header", "cut", "missing"])
def test_a_damaged_matrix_is_made_anew(catalog: Catalog, damage: str) -> None:
    add_video(catalog, "a", 4)
    opened(catalog)
    header = folder_of(catalog) / "header.json"
    [vectors] = folder_of(catalog).glob("data-*/vectors")
    if damage == "header":
        header.write_text(header.read_text().replace('"count": 4', '"count": 3'))
    elif damage == "cut":
        vectors.write_bytes(vectors.read_bytes()[:-1])
    else:
        vectors.unlink()
    assert len(open_matrix(folder_of(catalog))) == 0
    assert_holds_the_catalog(catalog, opened(catalog))


def test_another_epoch_makes_it_anew(catalog: Catalog) -> None:
    add_video(catalog, "a", 2)
    opened(catalog)
    catalog.write("UPDATE embeddings SET vector = zeroblob(64)")
    assert opened(catalog).vectors.any()
    catalog.new_epoch()
    assert not opened(catalog).vectors.any()


@given(st.sets(st.integers(0, 50)), st.lists(st.integers(0, 50)))
def test_positions_of(have: set[int], wanted: list[int]) -> None:
    ascending = np.array(sorted(have), np.int64)
    found = positions_of(ascending, np.array(wanted, np.int64))
    assert ascending[found].tolist() == [value for value in wanted if value in have]


@pytest.mark.parametrize("count", [0, 1, 3, 1500, 25_000, 60_000])
def test_cosines_are_the_product(count: int) -> None:
    draw = np.random.default_rng(1)
    questions = draw.standard_normal((3, 40)).astype(np.float32)
    vectors = draw.standard_normal((count, 40)).astype(np.float32)
    truth = questions @ vectors.T
    np.testing.assert_allclose(cosines(questions, vectors), truth, atol=1e-4)
    picked = draw.permutation(count)[: count - count // 9]
    np.testing.assert_allclose(cosines(questions, vectors, picked), truth[:, picked], atol=1e-4)


@given(st.integers(1, 3), st.integers(0, 20), st.integers(0, 25))
def test_greatest(questions: int, size: int, count: int) -> None:
    values = np.random.default_rng(size).permuted(
        np.tile(np.arange(size, dtype=np.float32), (questions, 1)), axis=1
    )
    expected = {i for row in values for i in np.argsort(-row)[:count].tolist()}
    assert greatest(values, count).tolist() == sorted(expected)
