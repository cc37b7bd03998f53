"""Processes killed while they write, readers beside writers, two writers at once. For real."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.store.catalog import Catalog
from pipeline.store.index import open_index
from pipeline.store.synchronise import check, library_indexes, synchronise
from tests.store_made import add_video, made_catalog, made_vectors

ROOT = Path(__file__).resolve().parent.parent
PLACES = 4  # of 300; `python -m tests.store_crashes die FOLDER 0 1000` tries them all


def worker(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store_crashes", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


def assert_sound(folder: Path) -> None:
    with Catalog(folder) as catalog:
        indexes = library_indexes(folder)
        synchronise(catalog, indexes)
        assert [found for found in check(catalog, indexes) if not found.ok] == []
        indexes.close()


def test_a_death_at_any_place_is_mended_by_going_on(tmp_path: Path) -> None:
    first = random.Random(time.time()).randrange(300)
    finish(worker("die", tmp_path / "library", first, first + PLACES))


def test_killed_again_and_again_it_ends_as_if_undisturbed(tmp_path: Path) -> None:
    finish(worker("steps", tmp_path / "undisturbed"))
    for _ in range(4):
        process = worker("steps", tmp_path / "killed")
        time.sleep(random.uniform(0.6, 2.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finish(worker("steps", tmp_path / "killed"))
    assert_sound(tmp_path / "killed")
    with Catalog(tmp_path / "undisturbed") as one, Catalog(tmp_path / "killed") as two:
        assert list(one.dump()) == list(two.dump())
        np.testing.assert_allclose(one.dump_embeddings(), two.dump_embeddings(), atol=1e-5)
        mine, theirs = (open_index(c, library_indexes(c.folder)) for c in (one, two))
        question = made_vectors(["lamp"])
        assert mine.passage_ids(mine.propose(question, 9)) == theirs.passage_ids(
            theirs.propose(question, 9)
        )
        for (a, x), (b, y) in zip(
            mine.words(["lamp river"], 9), theirs.words(["lamp river"], 9), strict=True
        ):
            assert mine.passage_ids(a) == theirs.passage_ids(b)
            np.testing.assert_allclose(x, y, rtol=1e-5)


def test_two_writers_at_once_damage_nothing(tmp_path: Path) -> None:
    running = [worker("write", tmp_path, name, 6) for name in ("a", "b")]
    for process in running:
        finish(process)
    assert_sound(tmp_path)
    with Catalog(tmp_path) as catalog:
        assert catalog.counts()["passages"] == 360


@pytest.mark.parametrize("exact_below", [0, 20_000])
def test_a_reader_sees_what_another_process_wrote(tmp_path: Path, exact_below: int) -> None:
    with made_catalog(tmp_path) as catalog:
        add_video(catalog, "first", 30)
        indexes = library_indexes(tmp_path)
        synchronise(catalog, indexes)
        index = open_index(catalog, indexes, exact_below=exact_below)
        index.propose(made_vectors(["x"]), 3)  # Chroma is loaded now, where it is used
        finish(worker("write", tmp_path, "late", 2))
        catalog.remove_video("first")
        index = index.refresh()
        assert index.table.videos == ("late-0", "late-1")
        texts = index.texts(range(60))
        assert len(texts) == 60 and "" not in texts
        for text in texts[::7]:
            assert index.texts(index.propose(made_vectors([text]), 1)) == [text]
        assert index.words(["first"], 5)[0][0].tolist() == []
        assert len(index.words(["late"], 100)[0][0]) == 60
        indexes.close()
