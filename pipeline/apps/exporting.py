"""`footnote clip` and `footnote export`: files for people, editors, players and spreadsheets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from pipeline.apps import render
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.export.clipping import Clip
    from pipeline.export.formats import Export
    from pipeline.library import Library
    from pipeline.types import Source

STDOUT = Path("-")


def check_asked(
    answer: Path | None, video: str | None, form: str, output: Path, *, as_json: bool
) -> None:
    """Raise `UsageError` for what cannot be, before a library is opened."""
    from pipeline.apps.papers import check_place
    from pipeline.export.formats import chosen_format

    chosen_format(form)
    if (answer is None) == (video is None):
        raise UsageError("give an answer or a video", "--answer A.json, or --video V")
    if form == "reel" and answer is None:
        raise UsageError(
            "a reel is made of an answer", "footnote export --answer A.json --format reel"
        )
    if output != STDOUT:
        check_place(output)
    elif form == "reel":
        raise UsageError("a reel is a file", "-o reel.mp4")
    elif as_json:
        raise UsageError("--json and what is exported do not both fit on stdout", "-o FILE")


def export(
    library: Library,
    answer: Path | None,
    video: str | None,
    form: str,
    output: Path,
    sources: Sequence[Source],
    subtitles: str,
    *,
    quiet: bool,
) -> Export:
    """What was asked for, written to `output` unless that is stdout."""
    target = None if output == STDOUT else output
    with render.progress(quiet=quiet) as progress:
        made = library.export(
            form,
            answer=answer,
            video=video,
            sources=sources,
            subtitles=subtitles,
            target=target,
            progress=progress,
        )
    if target is not None and isinstance(made.data, bytes):
        write(target, made.data)
    return made


def write(target: Path, data: bytes) -> None:
    """Raises `UsageError` where it cannot be written after all."""
    try:
        target.expanduser().write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}", "-o FILE in a folder that is there"
        ) from error


# ---------------------------------------------------------------- told


def clip_json(done: Clip) -> dict[str, Any]:
    return {**render.plain(done)}


def clipped(done: Clip) -> None:
    """A line about the file, and one where a player shows something else than was asked for."""
    part = f"{render.span(done.begins, done.ends)} of {render.clean(done.title)}"
    how = "copied" if done.method == "copy" else "encoded"
    size = f"{done.bytes / 1e6:.1f} MB"
    render.out.print(Text(f"{render.clean(done.path)}: {part}, {how}, {size}"))
    early, late = done.start - done.begins, done.ends - done.end
    if early > 0.05:
        told = f"begins {early:.1f} s early, at a key frame: --exact, or .mp4, begins at the second"
        render.log.print(Text(f"  {told}", style="dim"))
    if late > 0.5:
        render.log.print(Text(f"  ends {late:.1f} s late; --exact ends there", style="dim"))
    if done.note:
        render.log.print(Text(f"  {render.clean(done.note)}", style="dim"))


def export_json(made: Export, output: Path) -> dict[str, Any]:
    size = len(made.data) if isinstance(made.data, bytes) else made.data.stat().st_size
    return {
        "format": made.format,
        "path": str(output),
        "mime": made.mime,
        "bytes": size,
        "notes": list(made.notes),
    }


def exported(made: Export, output: Path) -> None:
    """The export itself on stdout, or a line about its file; notes go to stderr."""
    if output == STDOUT:
        assert isinstance(made.data, bytes)
        sys.stdout.flush()
        sys.stdout.write(made.data.decode())
    else:
        size = export_json(made, output)["bytes"]
        render.out.print(Text(f"{render.clean(str(output))}: {made.format}, {size / 1e3:,.1f} kB"))
    for note in made.notes:
        render.log.print(Text(f"  {render.clean(note)}", style="dim"))
