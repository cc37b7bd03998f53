"""Text on pictures: title cards and burned-in subtitles, drawn with Pillow.

The font is that of the setting `reel_font`, else the one among a few that systems come with which
has most of the text's letters. Pillow's own font is always there and knows little more than ASCII:
letters with accents lose them in it, other scripts cannot be drawn, and `missing` tells which.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SettingsError
from pipeline.types import Image

Ink = NDArray[np.uint8]  # (height, width, 2): brightness of the ink, and how much of it there is

# Looked for by name where the system keeps its fonts.
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
)
OWN_FONT = "Pillow's own"
_PAPER, _TITLE, _DIM = (22, 24, 28), (240, 240, 236), (160, 164, 170)
_PLAIN = {"–": "-", "—": "-", "‑": "-", "…": "...", "•": "-", "×": "x", "→": "->"}  # noqa: RUF001
_NOT_A_CHARACTER = "\U0010ffff"
_SHADE = 150  # of 255: how dark it is behind a subtitle
_LINES = 3  # of a subtitle at most; what is over is cut off with a sign


@dataclass(frozen=True, slots=True)
class Card:
    """What stands on a title card: the title, then smaller lines."""

    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Font:
    """A font by its file's path or name; `OWN_FONT` for Pillow's."""

    name: str

    def sized(self, pixels: float) -> Any:
        return _sized(self.name, max(8, round(pixels)))

    def missing(self, text: str) -> str:
        """The characters of `text` that it cannot draw, each once, in order."""
        seen = dict.fromkeys(c for c in text if not c.isspace())
        return "".join(c for c in seen if not _has(self.name, c))

    def drawable(self, text: str) -> str:
        """`text` with letters without accents, and plain signs, where others cannot be drawn."""
        return "".join(c if c.isspace() or _has(self.name, c) else _plainer(c) for c in text)


def chosen_font(text: str, path: str = "") -> Font:
    """The font to draw `text` with. Raises `SettingsError` for a `path` that is no font."""
    if path:
        try:
            _sized(path, 20)
        except OSError as error:
            raise SettingsError(
                f"reel_font {path} cannot be read as a font: {error}", "reel_font = a .ttf file"
            ) from error
        return Font(path)
    letters = "".join(dict.fromkeys(text))
    fonts = [Font(name) for name in (*SYSTEM_FONTS, OWN_FONT) if _is_there(name)]
    return min(fonts, key=lambda font: len(font.missing(letters)))


# ---------------------------------------------------------------- drawing


def draw_card(card: Card, size: tuple[int, int], font: Font) -> Image:
    """(height, width, 3) RGB: the title in the middle, the lines below it."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width, height = size
    picture = Pillow.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(picture)
    large, small = font.sized(min(width, height) / 12), font.sized(min(width, height) / 22)
    rows = [
        (line, large, _TITLE) for line in wrapped(font.drawable(card.title), large, width * 0.84, 4)
    ]
    for text in card.lines:
        rows += [
            (line, small, _DIM) for line in wrapped(font.drawable(text), small, width * 0.84, 2)
        ]
    step = [1.35 * used.size for _, used, _ in rows]
    y = (height - sum(step)) / 2
    for (line, used, colour), down in zip(rows, step, strict=True):
        pen.text((width / 2, y + down / 2), line, colour, used, anchor="mm")
        y += down
    return np.asarray(picture)


def draw_subtitle(text: str, size: tuple[int, int], font: Font) -> tuple[int, Ink]:
    """(the row at which it goes, ink of the picture's whole width): white on a shade."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width, height = size
    used = font.sized(max(min(width, height * 16 / 9) / 30, height / 24))
    lines = _balanced(font.drawable(text), used, width * 0.9)
    step, edge = round(used.size * 1.3), max(1, round(used.size / 14))
    deep = _even(step * len(lines) + 4 * edge)
    ink = Pillow.new("LA", (width, deep), (0, 0))
    pen = ImageDraw.Draw(ink)
    for number, line in enumerate(lines):
        x, y, half = width / 2, 2 * edge + step * (number + 0.5), used.getlength(line) / 2
        box = (x - half - 5 * edge, y - step / 2, x + half + 5 * edge, y + step / 2)
        pen.rectangle(box, (0, _SHADE))
        pen.text(
            (x, y), line, (255, 255), used, anchor="mm", stroke_width=edge, stroke_fill=(0, 255)
        )
    return _even(max(0, height - deep - round(height * 0.05))), np.asarray(ink)


def wrapped(text: str, font: Any, width: float, most: int) -> list[str]:
    """Lines that are no wider than `width` pixels, `most` of them; what is over ends in "..."."""
    lines: list[str] = []
    for word in _pieces(text, font, width):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > most:
        last = lines[most - 1]
        while last and font.getlength(last + "...") > width:
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip() + "..."]
    return lines


def _balanced(text: str, font: Any, width: float) -> list[str]:
    """Lines of about the same length, and no more of them than `width` makes needful."""
    lines = wrapped(text, font, width, _LINES)
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        narrower = wrapped(text, font, width * share, len(lines) + 1)
        if len(narrower) == len(lines) > 1:
            return narrower
    return lines


def _pieces(text: str, font: Any, width: float) -> Sequence[str]:
    """Words; those that are wider than a line (an address, Chinese) in pieces that are not."""
    pieces: list[str] = []
    for word in text.split():
        while font.getlength(word) > width and len(word) > 1:
            cut = next(
                (n for n in range(len(word) - 1, 1, -1) if font.getlength(word[:n]) <= width), 1
            )
            pieces.append(word[:cut])
            word = word[cut:]
        pieces.append(word)
    return pieces


def _even(pixels: int) -> int:
    return pixels // 2 * 2


# ---------------------------------------------------------------- fonts


def _is_there(name: str) -> bool:
    try:
        _sized(name, 20)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _sized(name: str, pixels: int) -> Any:
    from PIL import ImageFont

    if name == OWN_FONT:
        return ImageFont.load_default(pixels)
    return ImageFont.truetype(str(Path(name).expanduser()), pixels)


@lru_cache(maxsize=8192)
def _has(name: str, character: str) -> bool:
    """Whether it draws something else than the box for characters that it does not have."""
    font = _sized(name, 20)
    box, mask = font.getmask(_NOT_A_CHARACTER), font.getmask(character)
    same: bool = box.size == mask.size and bytes(box) == bytes(mask)
    return not same or unicodedata.category(character) in ("Mn", "Cf", "Zs")


def _plainer(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    bare = unicodedata.normalize("NFKD", character)
    kept = "".join(c for c in bare if not unicodedata.combining(c) and ord(c) < 128)
    return kept or character
