"""A model is named "provider:model": from the name to the loader, and where its files lie.

Every role has a few providers, among them `fake`, which ships with Footnote and needs nothing.
A provider that is not known is a `SettingsError` that names those that are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pipeline.errors import SettingsError

T = TypeVar("T")


def load_named(role: str, name: str, loaders: Mapping[str, Callable[[str], T]]) -> T:
    """Call the loader of `name`'s provider with what follows the colon.

    `loaders` is keyed by usage, "provider:WHAT" or "provider" for one that takes no model.
    Raises `SettingsError` for a provider that is not among them, or a model that is missing.
    """
    provider, _, model = name.partition(":")
    for usage, loader in loaders.items():
        known, _, takes = usage.partition(":")
        if known != provider:
            continue
        if bool(takes) != bool(model.strip()):
            raise SettingsError(f"{role} {name!r} is not complete", f"write it as {usage}")
        return loader(model.strip())
    raise SettingsError(f"unknown {role} {name!r}", f"it is one of: {', '.join(sorted(loaders))}")


def cache_folder() -> Path:
    """Where Footnote keeps what it can make again, for this user, over all libraries.

    `XDG_CACHE_HOME` decides where it is set, on every platform.
    """
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "footnote"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "footnote"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "footnote" / "cache"
    return Path.home() / ".cache" / "footnote"


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads not counted: more threads only queue."""
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))
