"""Processes that die while they write a library. Run by test_store_faults, as `python -m`.

    steps LIBRARY           carry out STEPS, from the first that is not done yet
    die LIBRARY FROM UPTO   the same, dying at the FROM-th place where something reaches the disk,
                            then at the next, and so on; after each death, look at what is left
    write LIBRARY NAME N    add N videos, synchronising after each

A step is one transaction that also counts itself, followed by a synchronisation.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import chromadb
import chromadb.api.rust  # noqa: F401
import tantivy  # noqa: F401

from pipeline.store import chroma
from pipeline.store import synchronise as synchronising
from pipeline.store.catalog import Catalog
from pipeline.store.synchronise import check, library_indexes, synchronise
from tests.store_made import add_video, made_catalog

STEPS = (*(f"+video-{n}" for n in range(4)), "-video-1", "+video-4", "~video-2", "-video-0", "+z")


def carry_out(catalog: Catalog, step: str) -> None:
    video_id = step[1:]
    with catalog.transaction():
        if step[0] == "-":
            catalog.remove_video(video_id)
        else:
            add_video(catalog, video_id, 12 if step[0] == "+" else ["changed", "for good"])
        catalog.set_meta("steps", str(int(catalog.get_meta("steps", "0")) + 1))


def steps(folder: Path) -> None:
    with made_catalog(folder) as catalog:
        indexes = library_indexes(folder)
        for step in STEPS[int(catalog.get_meta("steps", "0")) :]:
            synchronise(catalog, indexes)
            carry_out(catalog, step)
        synchronise(catalog, indexes)
        indexes.close()


def die_everywhere(folder: Path, first: int, upto: int) -> None:
    """Die at place `first`, `first` + 1, ...; exits with 1 when a library was left damaged."""
    for place in range(first, upto):
        shutil.rmtree(folder, ignore_errors=True)
        died = run(lambda at=place: die_at(at, folder)) == 9
        if run(lambda: mend(folder)) != 0:
            sys.exit(f"damaged by a death at place {place}")
        if not died:
            print(place)  # how many places there are
            return


def run(work: object) -> int:
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(place: int, folder: Path) -> None:
    """Carry out the steps, but end without a word before the place-th write that lasts."""
    left = [place]

    def counted(original: object) -> object:
        def wrapper(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return original(*arguments, **named)  # type: ignore[operator]

        return wrapper

    for owner, name in (
        (os, "fsync"),
        (Path, "replace"),
        (Path, "unlink"),
        (shutil, "rmtree"),
        (synchronising.MatrixWriter, "advance"),
        (synchronising.WordIndexWriter, "advance"),
        (synchronising.ChromaVectors, "_add"),
        (synchronising.ChromaVectors, "_mark"),
    ):
        setattr(owner, name, counted(getattr(owner, name)))
    steps(folder)


def mend(folder: Path) -> None:
    """Go on where the dead process stopped; fails when anything is wrong afterwards."""
    steps(folder)
    with Catalog(folder) as catalog:
        indexes = library_indexes(folder)
        wrong = [found for found in check(catalog, indexes) if not found.ok]
        indexes.close()
    if wrong:
        print(wrong, file=sys.stderr)
        os._exit(1)


def write(folder: Path, name: str, count: int) -> None:
    with made_catalog(folder) as catalog:
        indexes = library_indexes(folder)
        for number in range(count):
            add_video(catalog, f"{name}-{number}", 30)
            synchronise(catalog, indexes)
        indexes.close()


if __name__ == "__main__":
    os.fsync = lambda descriptor: None  # what is tested is a process that dies, not a power cut
    chroma._HNSW["sync_threshold"] = 10  # so that Chroma writes its graph all the time
    command, library, *rest = sys.argv[1:]
    if command == "steps":
        steps(Path(library))
    elif command == "die":
        die_everywhere(Path(library), int(rest[0]), int(rest[1]))
    elif command == "write":
        write(Path(library), rest[0], int(rest[1]))
