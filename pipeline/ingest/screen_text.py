"""Text on the screen to timed text: what stays on it is one segment with its true start and end.

Each still frame is read once. Lines are followed over the frames (`standing`), and lines that
came and went together become one segment, in reading order: a slide is one segment, and the
bullets that appear on it one by one are segments of their own, from when they appear.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.errors import MediaError
from pipeline.ingest.outputs import GetOutput, PutOutput, Report, output_key
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.standing import Screen, StandingLine, follow
from pipeline.types import Image, ScreenReader, Segment, TextLine

# Lines whose starts and whose ends are this close came and went together.
_TOGETHER = 1.5


class Still(Protocol):
    """A stretch in which the picture stands still, with one frame of it (`media.frames`)."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def path(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class ScreenText:
    """`segments` are of source `screen`, in (start, end) order."""

    segments: tuple[Segment, ...]
    model_calls: int


def read_screens(
    stills: Sequence[Still],
    reader: ScreenReader,
    *,
    get_output: GetOutput,
    put_output: PutOutput,
    progress: Report | None = None,
) -> ScreenText:
    """Read the frame of each still stretch (ascending in time) and follow its lines.

    A frame is kept under the hash of its file, so equal frames are read once. `progress` counts
    frames. Raises `MediaError` for a frame that cannot be opened.
    """
    read: dict[str, tuple[TextLine, ...]] = {}
    screens: list[Screen] = []
    calls = 0
    for done, still in enumerate(stills, 1):
        data = _file(still.path)
        key = output_key("screen-1", reader.name, data)
        if key not in read:
            output = get_output(key)
            if output is None:
                output = _to_json(reader.read(open_image(still.path)))
                put_output(key, output)
                calls += 1
            read[key] = _from_json(output)
        screens.append(Screen(still.start, still.end, read[key]))
        if progress:
            progress(done, len(stills))
    return ScreenText(tuple(segments_of(screens)), calls)


def segments_of(screens: Sequence[Screen]) -> list[Segment]:
    """`screen` segments of what was read, in (start, end) order; no model is asked."""
    groups = _came_and_went_together(follow(screens))
    segments = [_segment(group) for group in groups]
    return sorted(segments, key=lambda segment: (segment.start, segment.end))


def _came_and_went_together(lines: Sequence[StandingLine]) -> list[list[StandingLine]]:
    groups: list[list[StandingLine]] = []
    recent: list[list[StandingLine]] = []
    for line in sorted(lines, key=lambda line: (line.start, line.end)):
        recent = [group for group in recent if line.start - group[0].start <= _TOGETHER]
        for group in recent:
            if abs(group[0].end - line.end) <= _TOGETHER:
                group.append(line)
                break
        else:
            recent.append([line])
            groups.append(recent[-1])
    return groups


def _segment(lines: Sequence[StandingLine]) -> Segment:
    """The lines in the order in which they were read when the last of them had appeared."""
    screen = max(min(line.ranks) for line in lines)
    ordered = sorted(lines, key=lambda line: line.ranks.get(screen, min(line.ranks.values())))
    return Segment(
        "screen",
        min(line.start for line in lines),
        max(line.end for line in lines),
        "\n".join(line.text for line in ordered),
    )


# ---------------------------------------------------------------- frames


def open_image(path: Path) -> Image:
    """(height, width, 3) RGB. Raises `MediaError` where the file is no image."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"frame {path} cannot be opened: {error}") from error


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"frame {path} cannot be read: {error.strerror or error}") from error


def _to_json(lines: Sequence[TextLine]) -> bytes:
    rows = [[line.text, [float(v) for v in line.box], float(line.confidence)] for line in lines]
    return json.dumps(rows).encode()


def _from_json(data: bytes) -> tuple[TextLine, ...]:
    return tuple(
        TextLine(said, (left, top, right, bottom), confidence)
        for line, (left, top, right, bottom), confidence in json.loads(data)
        if (said := clean_text(line).replace("\n", " "))
    )
