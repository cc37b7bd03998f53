"""Footnote: answers over a video library, every sentence with a footnote that opens the video.

from pipeline import Library

with Library("my-library") as library:
    library.add(["talks/"])
    print(library.ask("What is haunting Europe?").answer)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.settings import Settings

__version__ = "0.1.0"
__all__ = ["Library", "Settings", "__version__"]


def __getattr__(name: str) -> object:
    # Lazy, so that `footnote --help` does not pay for what it does not use.
    homes = {"Library": "pipeline.library", "Settings": "pipeline.settings"}
    if name not in homes:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)
