"""How far a derived index has come: a small file beside it, replaced as a whole.

The file is written after the data it speaks of has reached the disk. So a crash leaves a stamp
that is true of an older state, and whatever lies beyond it is ignored or written again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stamp:
    """The catalog's epoch and generation an index was built to, and the last row it holds.

    `last_row` may be ahead of `generation` while a long catch-up is under way.
    """

    epoch: str = ""
    generation: int = 0
    last_row: int = 0


NOTHING = Stamp()


def read_state(path: Path) -> dict[str, Any]:
    """The values of a stamp file; empty when it is missing or damaged (then it is logged)."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        values = json.loads(text)
        if values["check"] == _check(values["state"]):
            return dict(values["state"])
    except (ValueError, KeyError, TypeError):
        pass
    _log.warning("%s is damaged; what it stands for is built anew", path)
    return {}


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Replace a stamp file; after a crash there is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8") as file:
        json.dump({"state": dict(state), "check": _check(state)}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def while_it_moves(path: Path, attempt: Callable[[], T]) -> T:
    """`attempt` to open what a stamp file names; again when a writer replaced it meanwhile.

    Readers hold no lock: a writer may delete the old data between their two steps.
    """
    while True:
        before = read_state(path)
        try:
            return attempt()
        except (OSError, ValueError):
            if read_state(path) == before:
                raise


def stamp_of(state: Mapping[str, Any]) -> Stamp:
    if not state:
        return NOTHING
    return Stamp(str(state["epoch"]), int(state["generation"]), int(state["last_row"]))


def sync_folder(folder: Path) -> None:
    """Make renames and new files in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(state: Mapping[str, Any]) -> int:
    return crc32(json.dumps(dict(state), sort_keys=True).encode())
