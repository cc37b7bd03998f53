"""One contract for every vector index, and what is peculiar to Chroma."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.store import chroma as chroma_module
from pipeline.store.catalog import Catalog
from pipeline.store.chroma import ChromaVectors
from pipeline.store.chroma_places import ChromaFolder, ChromaServer
from pipeline.store.matrix import MatrixWriter, open_matrix
from pipeline.store.stamps import read_state, write_state
from pipeline.store.vectors import ExactVectors, VectorIndex
from tests.store_made import SPACE, add_video, made_catalog, made_vectors

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with made_catalog(tmp_path / "library") as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Chroma server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("chroma")
    path = tmp_path_factory.mktemp("server")
    with subprocess.Popen(
        [command, "run", "--path", path, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


Follow = Callable[[Catalog], VectorIndex]


@pytest.fixture(params=["exact", "chroma", "chroma-server"])
def follow(request: pytest.FixtureRequest, catalog: Catalog) -> Iterator[Follow]:
    """Brings the index up to the catalog, and returns it."""
    if request.param == "exact":
        yield lambda catalog: exact(catalog)
        return
    url = request.getfixturevalue("server") if request.param == "chroma-server" else ""
    index = ChromaServer(catalog.folder, url) if url else ChromaFolder(catalog.folder)

    def advance(catalog: Catalog) -> VectorIndex:
        index.advance(catalog, catalog.generation())
        assert index.stamp().generation == catalog.generation()
        assert index.ready() is not None
        return index

    yield advance
    index.close()


def exact(catalog: Catalog) -> ExactVectors:
    folder = catalog.folder / "index" / "matrix"
    MatrixWriter(folder).advance(catalog, catalog.generation())
    matrix = open_matrix(folder)
    alive = np.setdiff1d(np.arange(len(matrix)), matrix.dead)
    return ExactVectors(matrix.rows[alive], matrix.vectors[alive])


# ---------------------------------------------------------------- the contract


def test_the_nearest_of_each_question_ascending_without_repeats(
    catalog: Catalog, follow: Follow
) -> None:
    said = add_video(catalog, "a", 40)
    index = follow(catalog)
    near = index.nearest(made_vectors([said[30], said[7], said[7]]), 1)
    assert near.tolist() == [8, 31] and near.dtype == np.int64
    cosines = made_vectors(said) @ made_vectors([said[3]])[0]
    best = np.sort(np.argsort(-cosines)[:5]) + 1
    assert index.nearest(made_vectors([said[3]]), 5).tolist() == best.tolist()


def test_more_than_there_are_is_all(catalog: Catalog, follow: Follow) -> None:
    add_video(catalog, "a", 3)
    assert follow(catalog).nearest(made_vectors(["x"]), 100).tolist() == [1, 2, 3]


def test_an_empty_library_has_no_neighbours(catalog: Catalog, follow: Follow) -> None:
    assert follow(catalog).nearest(made_vectors(["x"]), 5).tolist() == []


def test_it_follows_additions_changes_and_removals(catalog: Catalog, follow: Follow) -> None:
    said = {name: add_video(catalog, name, 6) for name in "abc"}
    follow(catalog)
    catalog.remove_video("a")
    add_video(catalog, "b", ["entirely new", *said["b"][1:]])
    said["d"] = add_video(catalog, "d", 6)
    index = follow(catalog)
    alive = [stored.row for name in "bcd" for stored in catalog.passages_of(name)]
    assert index.nearest(made_vectors(["x"]), 100).tolist() == sorted(alive)
    for text in ("entirely new", said["d"][2], said["c"][0]):
        [row] = index.nearest(made_vectors([text]), 1).tolist()
        assert catalog.texts_of([row])[row] == text


# ---------------------------------------------------------------- Chroma


def others(catalog: Catalog) -> ChromaFolder:
    """An index as another process has it: it shares nothing that is loaded."""
    return ChromaFolder(catalog.folder)


def finds(index: ChromaVectors, text: str) -> list[int]:
    assert index.ready() is not None
    return index.nearest(made_vectors([text]), 1).tolist()


def test_the_collection_is_of_use_to_anyone(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 2)
    index = others(catalog)
    index.advance(catalog, catalog.generation())
    index.close()
    import chromadb

    client = chromadb.PersistentClient(
        path=str(catalog.folder / "index" / "chroma"),
        settings=chromadb.Settings(anonymized_telemetry=False),
    )
    collection = client.get_collection("passages", embedding_function=None)
    far = collection.query(2 * made_vectors(said[:1]), n_results=1, include=["distances"])
    assert far["ids"] == [["1"]] and abs(far["distances"][0][0]) < 1e-5  # as cosine has it
    found = collection.get(where={"video_id": "talk"})
    assert sorted(found["documents"]) == sorted(said)
    first = found["metadatas"][found["documents"].index(said[0])]
    assert first == {"video_id": "talk", "source": "speech", "start": 0.0, "end": 10.0}
    client.close()


def test_a_writer_opens_anew_what_another_wrote(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(chroma_module._HNSW, "sync_threshold", 10)  # graphs are written at once
    one, two = others(catalog), others(catalog)
    texts = []
    for turn, index in enumerate((one, two, one, two)):
        texts += add_video(catalog, f"talk-{turn}", 20)
        index.advance(catalog, catalog.generation())
    for index in (one, two):
        assert index.examine(catalog) == ""
        assert [finds(index, text) for text in texts] == [[n + 1] for n in range(80)]
    one.close()
    two.close()
    third = others(catalog)
    assert third.examine(catalog) == ""
    third.close()


def test_a_reader_that_lags_opens_anew(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma_module, "LAG_ROWS", 10)
    [first] = add_video(catalog, "a", 1)
    writer, reader = others(catalog), others(catalog)
    writer.advance(catalog, catalog.generation())
    assert finds(reader, first) == [1]

    few = add_video(catalog, "b", 5)
    writer.advance(catalog, catalog.generation())
    stamp = reader.ready()
    assert stamp is not None and stamp.last_row == 1  # and says so: the rest is scored exactly
    assert finds(reader, few[0]) == [1]

    many = add_video(catalog, "c", 10)
    writer.advance(catalog, catalog.generation())
    assert finds(reader, few[0]) == [2] and finds(reader, many[9]) == [16]
    writer.close()
    reader.close()


def test_a_reader_does_not_wait_for_a_writer(catalog: Catalog) -> None:
    from pipeline.store.lock import locked

    add_video(catalog, "a", 3)
    writer, reader = others(catalog), others(catalog)
    writer.advance(catalog, catalog.generation())
    with locked(catalog.folder, 0):
        assert reader.ready() is None
    assert reader.ready() is not None
    with locked(catalog.folder, 0):
        assert reader.ready() is not None  # what is open stays open
    writer.close()
    reader.close()


def test_what_a_killed_writer_left_is_examined(catalog: Catalog) -> None:
    add_video(catalog, "a", 30)
    index = others(catalog)
    index.advance(catalog, catalog.generation())
    index.close()
    path = index.folder / "footnote.json"
    write_state(path, {**read_state(path), "busy": True})
    assert index.stamp().generation == 0 and others(catalog).ready() is None
    index.advance(catalog, catalog.generation())
    assert index.stamp().generation == catalog.generation()
    assert index.examine(catalog) == ""
    index.close()


def damage(folder: Path, kind: str) -> None:
    """Spoil what Chroma stored, in one of the ways that crashes and disks know."""
    database = folder / "chroma.sqlite3"
    if kind == "no database":
        database.unlink()
    elif kind == "no sense":
        database.write_bytes(b"no sense" * 5000)
    else:
        for file in folder.rglob("*.bin"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("kind", ["no database", "no sense", "cut graph"])
def test_a_damaged_collection_is_found_out_and_made_anew(catalog: Catalog, kind: str) -> None:
    add_video(catalog, "a", 1200)  # so many that the graph lies on disk
    index = others(catalog)
    index.advance(catalog, catalog.generation())
    index.close()
    damage(index.folder, kind)
    assert index.wrong(catalog) != ""

    path = index.folder / "footnote.json"
    write_state(path, {**read_state(path), "busy": True})  # by a writer that was killed
    text = add_video(catalog, "b", 1)[0]
    index.advance(catalog, catalog.generation())
    assert index.examine(catalog) == "" and finds(index, text) == [1201]
    index.close()


def test_other_embeddings_start_another_collection(catalog: Catalog, server: str) -> None:
    add_video(catalog, "a", 3)
    for index in (others(catalog), ChromaServer(catalog.folder, server)):
        catalog.new_epoch()
        index.advance(catalog, catalog.generation())
        catalog.new_epoch()
        index.advance(catalog, catalog.generation())
        assert index.examine(catalog) == ""
        index.close()


def test_a_server_that_is_down_is_named(catalog: Catalog) -> None:
    add_video(catalog, "a", 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    index = ChromaServer(catalog.folder, url)
    with pytest.raises(ModelUnavailable, match=url) as caught:
        index.advance(catalog, catalog.generation())
    assert "chroma run" in caught.value.hint
    assert index.ready() is None


def test_a_server_that_lost_its_data_gets_it_again(catalog: Catalog, server: str) -> None:
    said = add_video(catalog, "a", 5)
    index = ChromaServer(catalog.folder, server)
    index.advance(catalog, catalog.generation())
    index.close()
    index._erase({"epoch": catalog.epoch()})
    said += add_video(catalog, "b", 5)
    index.advance(catalog, catalog.generation())
    assert [finds(index, text) for text in said] == [[n + 1] for n in range(10)]
    index.close()


def test_a_url_that_is_none_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        ChromaServer(tmp_path, "localhost:8000")


def test_the_dimension_is_the_spaces(catalog: Catalog) -> None:
    add_video(catalog, "a", 2)
    index = others(catalog)
    index.advance(catalog, catalog.generation())
    assert read_state(index.folder / "footnote.json")["dimension"] == SPACE.dimension
    index.close()
