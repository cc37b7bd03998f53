"""The library's own list of names and terms: `glossary.txt`, one a line, `#` before a comment."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import SettingsError

GLOSSARY_FILE = "glossary.txt"
_LARGEST = 1 << 20


def read_glossary(library: Path) -> tuple[str, ...]:
    """The terms in the order of the file, none where there is no file. Raises `SettingsError`."""
    path = library / GLOSSARY_FILE
    if not path.is_file():
        return ()
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(f"{path} is larger than a megabyte", "keep one term on a line")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", "save it as UTF-8 text") from error
    terms = (" ".join(line.split("#", 1)[0].split()) for line in lines)
    return tuple(dict.fromkeys(term for term in terms if term))
