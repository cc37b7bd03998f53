"""Boxes of text to lines in the order in which a person reads them.

Boxes on one row with less than a letter's height between them are one line. Lines are ordered by
recursive cuts (Nagy and Seth 1984, "Hierarchical representation of optically scanned documents"):
the longest run of rows that a vertical gutter divides is read column by column, everything else
row by row. A table is read by rows: its cells are short, and each has a neighbour at its height.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pipeline.types import TextLine

# All in heights of a line of text.
_SAME_LINE_GAP = 1.0
_GUTTER = 1.0
_CELL_WIDTH = 6.0  # about twelve letters: less is a cell of a table, not a column of prose
_ALIGNED = 0.3
# Detectors draw boxes larger than the letters, so that those of neighbouring rows overlap.
_MARGIN = 0.2


def reading_order(boxes: Sequence[TextLine]) -> list[TextLine]:
    """Join the boxes of each line and order the lines. Confidence is the mean by letter."""
    return _ordered(_joined(boxes))


def _joined(boxes: Sequence[TextLine]) -> list[TextLine]:
    lines: list[TextLine] = []
    for box in sorted(boxes, key=_left):
        at = next((i for i, line in enumerate(lines) if _continues(line, box)), None)
        if at is None:
            lines.append(box)
        else:
            lines[at] = _join(lines[at], box)
    return lines


def _continues(line: TextLine, box: TextLine) -> bool:
    smaller, larger = sorted((_height(line), _height(box)))
    overlap = min(line.box[3], box.box[3]) - max(line.box[1], box.box[1])
    gap = box.box[0] - line.box[2]
    return overlap > smaller / 2 and larger < 2 * smaller and gap < _SAME_LINE_GAP * smaller


def _join(line: TextLine, box: TextLine) -> TextLine:
    letters, more = len(line.text), len(box.text)
    (left, top, right, bottom), other = line.box, box.box
    return TextLine(
        f"{line.text} {box.text}",
        (left, min(top, other[1]), max(right, other[2]), max(bottom, other[3])),
        (line.confidence * letters + box.confidence * more) / max(letters + more, 1),
    )


def _ordered(lines: Sequence[TextLine]) -> list[TextLine]:
    rows = _rows(lines)
    ordered: list[TextLine] = []
    first = 0
    while first < len(rows):
        for last in range(len(rows), first, -1):
            columns = _columns([line for row in rows[first:last] for line in row])
            if columns:
                ordered += [line for column in columns for line in _ordered(column)]
                first = last
                break
        else:
            ordered += sorted(rows[first], key=_left)
            first += 1
    return ordered


def _rows(lines: Sequence[TextLine]) -> list[list[TextLine]]:
    """Lines that share a height, top to bottom."""
    rows: list[list[TextLine]] = []
    bottom = 0.0
    for line in sorted(lines, key=_top):
        margin = _MARGIN * _height(line)
        if not rows or line.box[1] + margin >= bottom:
            rows.append([])
            bottom = line.box[3] - margin
        rows[-1].append(line)
        bottom = max(bottom, line.box[3] - margin)
    return rows


def _columns(lines: Sequence[TextLine]) -> tuple[list[TextLine], list[TextLine]] | None:
    """The lines left and right of the widest gutter; None where there is none."""
    if len(lines) < 4:
        return None
    height = median(map(_height, lines))
    by_left = sorted(lines, key=_left)
    gutters = []
    right = by_left[0].box[2]
    for at, line in enumerate(by_left[1:], 1):
        if line.box[0] - right >= _GUTTER * height:
            gutters.append((line.box[0] - right, at))
        right = max(right, line.box[2])
    for _, at in sorted(gutters, reverse=True):
        parts = by_left[:at], by_left[at:]
        if min(map(len, parts)) > 1 and not _is_table(parts, height):
            return parts
    return None


def _is_table(parts: tuple[list[TextLine], list[TextLine]], height: float) -> bool:
    fewer, more = sorted(parts, key=len)
    middles = [_middle(line) for line in more]
    aligned = sum(
        min(abs(_middle(line) - middle) for middle in middles) < _ALIGNED * height for line in fewer
    )
    narrowest = min(median(line.box[2] - line.box[0] for line in part) for part in parts)
    return aligned >= 0.8 * len(fewer) and narrowest < _CELL_WIDTH * height


def _left(line: TextLine) -> float:
    return line.box[0]


def _top(line: TextLine) -> float:
    return line.box[1]


def _height(line: TextLine) -> float:
    return max(1.0, line.box[3] - line.box[1])


def _middle(line: TextLine) -> float:
    return (line.box[1] + line.box[3]) / 2
