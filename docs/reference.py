"""Writes docs/settings.md from the code: `python docs/reference.py`.

The page is kept in the repository; a test fails where it and `pipeline.settings` differ.
"""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any

from pipeline.settings import ENVIRONMENT_PREFIX, Settings

PAGE = Path(__file__).resolve().parent / "settings.md"
_HEADING = re.compile(r"^    # -{10,} (?P<title>.+)$|^    (?P<name>[a-z_]+): ", re.MULTILINE)
_HEAD = """# Settings

Made by `python docs/reference.py` from `pipeline/settings.py`.

A setting is read from `footnote.toml` in the current folder, then from the one in the library,
then from the environment, then from a flag where there is one; the later wins. In the environment
its name is in capitals after `FOOTNOTE_`; a list is written with commas. A name that does not exist
is an error that tells the nearest one.

```toml
# footnote.toml
profile = "server"
endpoint = "http://127.0.0.1:11434/v1"
language_model = "openai:llama3.1"
glossary = ["Sorrel Holm", "Maren Oduya"]
```

```console
$ FOOTNOTE_LANGUAGE_MODEL=openai:llama3.1 footnote ask "What changed?"
```
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, names in _groups():
        parts.append(f"\n## {title[0].upper()}{title[1:]}\n\n")
        parts.append("| setting | values | default | what it does |\n|---|---|---|---|\n")
        parts += [_row(name) for name in names]
    return "".join(parts)


def _groups() -> list[tuple[str, list[str]]]:
    """The headings of the class body, each with its settings, in order."""
    import inspect

    groups: list[tuple[str, list[str]]] = [("the library", [])]
    for found in _HEADING.finditer(inspect.getsource(Settings)):
        if found["title"]:
            groups.append((found["title"], []))
        elif found["name"] in Settings.model_fields:
            groups[-1][1].append(found["name"])
    return groups


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    text = " ".join((field.description or "").split())
    default = field.default
    secret = hasattr(default, "get_secret_value")
    shown = "" if secret or default in ("", None, ()) else f"`{default}`"
    environment = f"`{ENVIRONMENT_PREFIX}{name.upper()}`"
    return f"| `{name}` {environment} | {_values(field.annotation)} | {shown} | {text} |\n"


def _values(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " ".join(f"`{value}`" for value in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return "texts"
    if isinstance(annotation, types.UnionType):
        return _values(typing.get_args(annotation)[0])
    names = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "path"}
    return names.get(annotation, "text")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
