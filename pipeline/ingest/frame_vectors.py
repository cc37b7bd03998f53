"""Key frames to vectors: each picture embedded once, and the stretch of the video it stands for.

A key frame stands for what can be seen from its time until the next one, the first of a shot
from the shot's start. So every second of a shot has one picture, and a passage in the middle of
a long shot has one too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.ingest.screen_text import open_image
from pipeline.store.catalog import Catalog
from pipeline.store.frame_vectors import EmbeddedFrame, picture_key
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.pictures import StoredFrame, StoredShot
from pipeline.types import DualEncoder

BATCH = 32  # pictures between two writes: what a killed run loses

Report = Callable[[int, int], None]  # (pictures embedded, of so many)


@dataclass(frozen=True, slots=True)
class FramesToEmbed:
    """The frames of one video, by time, and the file of each picture, by its key."""

    frames: tuple[EmbeddedFrame, ...]
    files: Mapping[str, str]  # relative to the library


@dataclass(frozen=True, slots=True)
class EmbeddedPictures:
    """The frames of a video with the vectors of their pictures, and how many were made now."""

    frames: tuple[EmbeddedFrame, ...]
    vectors: Mapping[str, NDArray[np.float32]]  # by picture
    model_calls: int


def frames_to_embed(catalog: Catalog, video_id: str, model: str) -> FramesToEmbed:
    """What is to be embedded of a video. A near-duplicate counts as the frame it is the same as.

    Raises `MediaError` for a frame whose file cannot be read.
    """
    frames = catalog.frames(video_id)
    by_time = {frame.time: frame for frame in frames}
    keys: dict[str, str] = {}
    for frame in frames:
        shown = by_time.get(_same_as(frame), frame)
        if shown.path not in keys:
            keys[shown.path] = _key(catalog, shown, model)
        keys[frame.path] = keys[shown.path]
    embedded = tuple(
        EmbeddedFrame(frame.time, start, end, keys[frame.path])
        for frame, start, end in stretches(catalog.shots(video_id), frames)
    )
    wanted = {frame.picture for frame in embedded}
    files: dict[str, str] = {}
    for path, key in keys.items():
        if key in wanted:
            files.setdefault(key, path)
    return FramesToEmbed(embedded, files)


def stretches(
    shots: Sequence[StoredShot], frames: Sequence[StoredFrame]
) -> list[tuple[StoredFrame, float, float]]:
    """Each frame with the stretch it stands for; both lists by time, stretches never overlap."""
    found = []
    for shot in shots:
        inside = [frame for frame in frames if shot.start <= frame.time < shot.end]
        starts = [shot.start, *(frame.time for frame in inside[1:])]
        for frame, start, end in zip(inside, starts, [*starts[1:], shot.end], strict=True):
            found.append((frame, start, end))
    return found


def embed_frames(
    catalog: Catalog,
    encoder: DualEncoder,
    video_id: str,
    wanted: FramesToEmbed,
    report: Report | None = None,
) -> EmbeddedPictures:
    """Embed the pictures that the library has no vector of; each batch is stored when it is made.

    `write_frames` then makes the video's frames complete, with the stage's record.
    """
    vectors = dict(catalog.vectors_of_pictures(list(wanted.files)))
    missing = [key for key in wanted.files if key not in vectors]
    for first in range(0, len(missing), BATCH):
        batch = missing[first : first + BATCH]
        images = [open_image(catalog.folder / wanted.files[key]) for key in batch]
        made = dict(zip(batch, encoder.embed_images(images), strict=True))
        frames = tuple(frame for frame in wanted.frames if frame.picture in made)
        with catalog.transaction():
            _put(catalog, encoder, video_id, frames, made)
        vectors |= made
        if report:
            report(first + len(batch), len(missing))
    return EmbeddedPictures(wanted.frames, vectors, len(missing))


def write_frames(
    catalog: Catalog, encoder: DualEncoder, video_id: str, embedded: EmbeddedPictures
) -> None:
    """Make `embedded` all that the video has. Call it inside a transaction."""
    _put(catalog, encoder, video_id, embedded.frames, embedded.vectors)
    catalog.keep_frame_vectors(video_id, embedded.frames)


def _put(
    catalog: Catalog,
    encoder: DualEncoder,
    video_id: str,
    frames: Sequence[EmbeddedFrame],
    vectors: Mapping[str, NDArray[np.float32]],
) -> None:
    if frames:
        catalog.claim_frame_space(EmbeddingSpace(encoder.name, encoder.dimension))
        catalog.put_frame_vectors(video_id, frames, np.stack([vectors[f.picture] for f in frames]))


def _same_as(frame: StoredFrame) -> float:
    """The time of the frame that shows the same picture, its own where none does."""
    at = frame.facts.get("same_as")
    return at if isinstance(at, float) else frame.time


def _key(catalog: Catalog, frame: StoredFrame, model: str) -> str:
    path = catalog.folder / frame.path
    try:
        return picture_key(model, path.read_bytes())
    except OSError as error:
        raise MediaError(f"frame {path} cannot be read: {error.strerror or error}") from error
