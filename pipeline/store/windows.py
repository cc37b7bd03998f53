"""The catalog's windows: the steps of a few seconds in which a passage is looked at closely.

They are read only for the hundred best passages of a search, so they lie in the catalog alone and
no index is made of them. A vector takes a byte per dimension: it settles where in a passage the
answer lies, and adds to a score that the passage's own exact vector has a part in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.store.passage_lookup import VECTOR_TYPE, PassageLookup, listed, text_key
from pipeline.types import PassageWindows, Vectors, Window

_PLACE = np.dtype([("start", "<f8"), ("end", "<f8"), ("left", "<i4"), ("right", "<i4")])
_STEPS = 127  # of one sign


@dataclass(frozen=True, slots=True)
class WindowRow:
    """What is stored of one passage's windows."""

    places: bytes
    scales: bytes
    vectors: bytes


def window_row(windows: Sequence[Window], vectors: Vectors) -> WindowRow:
    """The windows of one passage, one at least, with their (w, dimension) unit vectors."""
    places = np.array([(w.start, w.end, w.left, w.right) for w in windows], _PLACE)
    return WindowRow(places.tobytes(), *quantised(vectors))


def quantised(vectors: Vectors) -> tuple[bytes, bytes]:
    """(w,) float32 scales and (w, dimension) int8 steps; a component is off by 0.4% of the
    greatest one at most."""
    greatest = np.abs(vectors).max(axis=1, initial=1e-12)
    scales = (greatest / _STEPS).astype("<f4")
    steps = np.rint(vectors / scales[:, None]).clip(-_STEPS, _STEPS).astype(np.int8)
    return scales.tobytes(), steps.tobytes()


def restored(scales: bytes, vectors: bytes) -> Vectors:
    """(w, dimension) float32 from what `quantised` gave."""
    factors = np.frombuffer(scales, "<f4")
    steps = np.frombuffer(vectors, np.int8).reshape(len(factors), -1)
    floats: Vectors = steps.astype(np.float32) * factors[:, None]
    return floats


class Windows(PassageLookup):
    """Reads and writes of `windows`."""

    def windows_of(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, PassageWindows]:
        """By row, of the passages that the catalog has; one without windows counts as one."""
        found = self.rows(
            'SELECT "row", p.text, p.language, w.places, w.scales, w.vectors, p.start, p."end",'
            " iif(w.places IS NULL, e.vector, NULL) FROM passages p"
            ' JOIN embeddings e USING ("row") LEFT JOIN windows w USING ("row")'
            ' WHERE "row" IN (SELECT value FROM json_each(?))',
            (listed(rows),),
        )
        return {
            row: _windows(text, language, *stored)
            if stored[0]
            else _whole(text, language, *passage)
            for row, text, language, *stored, passage in (
                (*columns[:6], columns[6:]) for columns in found
            )
        }

    def window_embeddings_of(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Embeddings of windows by their text, of passages with one of these `texts`."""
        keys = [text_key(text) for text in texts]
        found = self.rows(
            "SELECT p.text, p.language, w.places, w.scales, w.vectors FROM passages p"
            ' JOIN windows w USING ("row")'
            " WHERE p.text_key IN (SELECT value FROM json_each(?))",
            (json.dumps(keys),),
        )
        windows = (_windows(*columns) for columns in found)
        return {t: v for w in windows for t, v in zip(w.texts, w.vectors, strict=True)}

    def window_texts(self, rows: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The texts of the windows by row, of the passages that have any."""
        found = self.rows(
            'SELECT "row", p.text, p.language, w.places, w.scales, w.vectors FROM windows w'
            ' JOIN passages p USING ("row") WHERE "row" IN (SELECT value FROM json_each(?))',
            (listed(rows),),
        )
        return {row: _windows(*columns).texts for row, *columns in found}

    def put_windows(self, windows: Mapping[int, WindowRow]) -> None:
        """Store the windows of passages by row."""
        self.write_many(
            "INSERT INTO windows VALUES (?, ?, ?, ?)",
            ((row, w.places, w.scales, w.vectors) for row, w in windows.items()),
        )


def _windows(
    text: str, language: str, places: bytes, scales: bytes, vectors: bytes
) -> PassageWindows:
    at = np.frombuffer(places, _PLACE)
    texts = tuple(text[a:b] for a, b in zip(at["left"].tolist(), at["right"].tolist(), strict=True))
    return PassageWindows(
        at["start"].copy(), at["end"].copy(), texts, language, restored(scales, vectors)
    )


def _whole(text: str, language: str, start: float, end: float, vector: bytes) -> PassageWindows:
    """A passage that is not longer than a window."""
    vectors = np.frombuffer(vector, VECTOR_TYPE)[None, :]
    return PassageWindows(np.array([start]), np.array([end]), (text,), language, vectors)
