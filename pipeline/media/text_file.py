"""Text files that lie beside a video, whatever their size, encoding and content.

They are read in the child process that reads the video; what is wrong with one is one line.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pipeline.errors import MediaError

_LARGEST = 64 << 20  # bytes; a transcript of ten hours with word times has ten million


def read_text(path: Path) -> str:
    """The file's text, lines ended by "\\n". Raises `MediaError`: too large, empty, no text."""
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise MediaError(f"{path.name} is too large to be read as text ({size >> 20} MB)")
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read: {error.strerror}") from error
    if not data.strip():
        raise MediaError(f"{path.name} is empty", f"delete or replace {path.name}")
    text = decode_text(data)
    if "\0" in text:
        raise MediaError(f"{path.name} is not a text file")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode_text(data: bytes) -> str:
    """Text in UTF-8 or UTF-16, else in Windows-1252, which subtitles were written in for long."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    # Without a byte order mark, half of the bytes of Latin text in UTF-16 are zero.
    zeros = data[:1000].count(0)
    if zeros > len(data[:1000]) / 4:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_json(path: Path) -> Any:
    """The file's JSON; NaN and infinities in it are null. Raises `MediaError`."""
    try:
        return json.loads(read_text(path), parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}: {error.msg}"
        raise MediaError(f"{path.name} is not JSON, or only a part of it ({where})") from error
    except (ValueError, RecursionError) as error:
        raise MediaError(f"{path.name}: a number or a nesting too large") from error


def finite(value: object) -> float | None:
    """A number of JSON, or one written as text, as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def one_line(text: object) -> str:
    """Text on one line, without lone surrogates; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    return " ".join(text.encode("utf-8", "replace").decode().split())
