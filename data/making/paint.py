"""Pictures: a canvas drawn at twice the size and made smaller, so that edges are smooth.

Coordinates are pixels of the finished picture. The font is the one that comes with Pillow, so
the pictures come out the same on every machine.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from making.story import Picture

Colour = tuple[int, int, int] | str
Point = tuple[float, float]
_FINER = 2

SAND, PAPER, INK = "#f6f1e7", "#fffdf8", "#22313a"
TEAL, SEA, SKY = "#1f4e5f", "#5da9b8", "#cfe8ef"
CORAL, GOLD, LEAF = "#e4572e", "#e9b44c", "#6ba368"
GREY, WHITE, NIGHT = "#8a969c", "#ffffff", "#101b33"


@functools.cache
def font(size: float) -> ImageFont.FreeTypeFont:
    found = ImageFont.load_default(size=size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise SystemExit("Pillow was built without FreeType: its default font cannot be scaled")
    return found


class Canvas:
    """A picture being drawn. Every method takes pixels of the finished picture."""

    def __init__(self, width: int, height: int, ground: Colour | Image.Image = SAND) -> None:
        self.width, self.height = width, height
        if isinstance(ground, Image.Image):
            self._image = ground.copy()
        else:
            self._image = Image.new("RGB", (width * _FINER, height * _FINER), ground)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def image(self) -> Image.Image:
        return self._image.resize((self.width, self.height), Image.Resampling.BOX)

    def box(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        fill: Colour | tuple[int, int, int, int] | None,
        radius: float = 0,
        outline: Colour | None = None,
        width: float = 2,
    ) -> None:
        self._draw.rounded_rectangle(
            [v * _FINER for v in (left, top, right, bottom)],
            radius * _FINER,
            fill,
            outline,
            round(width * _FINER),
        )

    def disc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        fill: Colour | tuple[int, int, int, int] | None = None,
        outline: Colour | None = None,
        width: float = 2,
    ) -> None:
        ry = rx if ry is None else ry
        self._draw.ellipse(
            [v * _FINER for v in (x - rx, y - ry, x + rx, y + ry)],
            fill,
            outline,
            round(width * _FINER),
        )

    def shape(self, points: Sequence[Point], fill: Colour | tuple[int, int, int, int]) -> None:
        self._draw.polygon([(x * _FINER, y * _FINER) for x, y in points], fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float = 2) -> None:
        self._draw.line(
            [(x * _FINER, y * _FINER) for x, y in points],
            fill,
            round(width * _FINER),
            joint="curve",
        )

    def arc(
        self, x: float, y: float, r: float, begin: float, end: float, fill: Colour, width: float
    ) -> None:
        """Degrees, clockwise from three o'clock."""
        self._draw.arc(
            [v * _FINER for v in (x - r, y - r, x + r, y + r)],
            begin,
            end,
            fill,
            round(width * _FINER),
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        fill: Colour = INK,
        anchor: str = "lm",
        bold: bool = False,
    ) -> None:
        """`anchor` as in Pillow: l, m, r across and t, m, s (baseline), b down."""
        self._draw.text(
            (x * _FINER, y * _FINER),
            text,
            fill,
            font(size * _FINER),
            anchor,
            stroke_width=max(1, round(size * _FINER / 44)) if bold else 0,
        )


def gradient(width: int, height: int, colours: Sequence[str]) -> Image.Image:
    """A vertical gradient through `colours`, evenly spaced, at drawing size."""
    rows = height * _FINER
    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], float)
    at = np.linspace(0, len(colours) - 1, rows)
    channels = [np.interp(at, range(len(colours)), stops[:, i]) for i in range(3)]
    column = np.stack(channels, axis=1).round().astype(np.uint8)  # (rows, 3)
    return Image.fromarray(np.repeat(column[:, None, :], width * _FINER, axis=1))


def still(draw: Callable[[], Canvas]) -> Picture:
    """A picture that does not move: drawn once."""
    drawn = functools.cache(lambda: draw().image())
    return lambda _seconds, _speaker: drawn()


def slide(title: str, ground: Colour = SAND, accent: Colour = TEAL) -> Canvas:
    """The common look of slides: a coloured edge, a title, a rule under it."""
    canvas = Canvas(960, 540, ground)
    canvas.box(0, 0, 22, 540, accent)
    canvas.text(64, 66, title, 40, accent, bold=True)
    canvas.box(64, 102, 184, 107, GOLD)
    return canvas


def bullets(
    canvas: Canvas,
    lines: Sequence[str],
    x: float = 70,
    y: float = 165,
    size: float = 27,
    step: float = 58,
    fill: Colour = INK,
    dot: Colour = CORAL,
) -> None:
    for number, line in enumerate(lines):
        canvas.disc(x + 6, y + number * step, 6, fill=dot)
        canvas.text(x + 30, y + number * step, line, size, fill)
