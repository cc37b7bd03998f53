"""Reports as files, and saved answers checked with a library or without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.answer.report_page import FORMATS, Format, html, markdown
from pipeline.errors import LibraryNotFound, UsageError
from pipeline.settings import Settings
from pipeline.types import Report, Verification

_SUFFIXES: Mapping[str, Format] = {
    ".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".json": "json",
}  # fmt: skip


def chosen_format(output: Path | None, form: str) -> Format:
    """The format that is asked for, else the one the file is called after, else Markdown."""
    for known in FORMATS:
        if known == form:
            return known
    if form:
        raise UsageError(f"--format {form!r} is not there", f"one of {', '.join(FORMATS)}")
    return _SUFFIXES.get(output.suffix.lower(), "md") if output else "md"


def page(report: Report, form: Format, shown: Mapping[str, Any]) -> str:
    """The report in a format; `shown` is its JSON value."""
    if form == "json":
        return json.dumps(shown, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    return markdown(report) if form == "md" else html(report)


def check_place(output: Path | None) -> None:
    """Raise `UsageError` where nothing can be written: found out before a report is paid for."""
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise UsageError(f"{output} cannot be written", "-o FILE in a folder that is there")


def write(output: Path, text: str) -> None:
    """Raises `UsageError` where it cannot be written after all."""
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written: {error.strerror}", "-o FILE in a folder that is there"
        ) from error


def verify(file: Path, settings: Settings, *, own: bool) -> Verification:
    """Against the library of the settings; where there is none, or with `own`, against the
    evidence of the file, which the result says."""
    from pipeline.answer.saved import load_saved
    from pipeline.library import Library, verify_file

    read = load_saved(file)  # a mistake is found out before a library is opened
    if own:
        return verify_file(file, settings)
    try:
        with Library(settings=settings, create=False) as library:
            return library.verify(file)
    except LibraryNotFound:
        if not read.evidence:
            raise
        return verify_file(file, settings)
