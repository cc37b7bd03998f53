"""Small pictures of a video: the stored frame that shows a second, and a JPEG of any width."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from pipeline.types import Image

_QUALITY = 82


def frame_near(
    frames: Sequence[tuple[float, Path]], cuts: Sequence[float], seconds: float
) -> tuple[float, Path] | None:
    """The stored frame that shows what is seen at `seconds`: of the same shot, the last one before,
    else the first one after. None where the shot has none."""
    shot = bisect_right(cuts, seconds + 0.001)
    same = [one for one in frames if bisect_right(cuts, one[0] + 0.001) == shot]
    before = [one for one in same if one[0] <= seconds + 0.001]
    return before[-1] if before else (same[0] if same else None)


def shrink(path: Path, width: int) -> bytes:
    """A stored JPEG at `width` pixels, or its own width where that is less; as JPEG.

    Raises `OSError` where it is gone or damaged.
    """
    from PIL import Image as Pillow

    with Pillow.open(path, formats=("JPEG",)) as opened:
        opened.draft("RGB", (width, width))
        picture = opened.convert("RGB")
    return _jpeg(picture, width)


def encode(image: Image, width: int) -> bytes:
    """An RGB image as JPEG, at most `width` pixels wide."""
    from PIL import Image as Pillow

    return _jpeg(Pillow.fromarray(image), width)


def _jpeg(picture: object, width: int) -> bytes:
    from PIL import Image as Pillow

    assert isinstance(picture, Pillow.Image)
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Pillow.Resampling.BILINEAR)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()
