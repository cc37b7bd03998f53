"""Opens a video at a second: in mpv or VLC where there is one, else in the browser.

A `file://...#t=83` link loses its fragment on the way to most players, so the browser is given a
small local page whose script seeks.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import webbrowser
from pathlib import Path

from pipeline.errors import ModelUnavailable, UsageError

# player -> how it is told where to start
PLAYERS = {
    "mpv": ("--start={seconds}", "--force-window=yes"),
    "vlc": ("--start-time={seconds}",),
    "ffplay": ("-ss", "{seconds}"),
}

PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body{{margin:0;background:#111}}video{{width:100vw;height:100vh}}</style>
<video controls autoplay src="{source}"></video>
<script>const v=document.querySelector("video");
v.addEventListener("loadedmetadata",()=>{{v.currentTime={seconds}}},{{once:true}});</script>
"""


def seconds_of(time: str) -> float:
    """`83`, `83.5`, `1:23` or `1:02:03.5` as seconds. Raises `UsageError` on anything else."""
    try:
        parts = [float(part) for part in time.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < float("inf") for part in parts):
        raise UsageError(f"{time!r} is not a time", "footnote play VIDEO 1:23")
    return float(sum(part * 60**place for place, part in enumerate(reversed(parts))))


def open_at(path: str, seconds: float, library: Path) -> list[str]:
    """Start a player and return its command line; the browser's page lies in the library."""
    for player, options in PLAYERS.items():
        found = shutil.which(player)
        if found:
            given = [option.format(seconds=f"{seconds:.3f}") for option in options]
            command = [found, *given, "--", path] if player == "mpv" else [found, *given, path]
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            return command
    page = library / "play.html"
    page.write_text(page_html(path, seconds), encoding="utf-8")
    if not webbrowser.open(page.resolve().as_uri()):
        raise ModelUnavailable(
            "no player and no browser could be started", f"open {page} in a browser, or install mpv"
        )
    return ["browser", page.resolve().as_uri()]


def page_html(path: str, seconds: float) -> str:
    """A page that plays `path` from `seconds` on."""
    source = html.escape(Path(path).resolve().as_uri(), quote=True)
    return PAGE.format(title=html.escape(Path(path).name), source=source, seconds=f"{seconds:.3f}")
