"""A table printed and kept: one benchmark's rows as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Mapping[str, object]


def publish(out: Path, name: str, rows: Sequence[Row], convention: str) -> None:
    """Print `rows`, and write NAME.json and NAME.md into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    text = table(rows)
    print(text)
    (out / f"{name}.json").write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")
    (out / f"{name}.md").write_text(f"{convention.strip()}\n\n{text}\n", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row[name]) for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
