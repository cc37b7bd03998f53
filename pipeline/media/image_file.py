"""A picture that somebody hands in to be looked for: any format Pillow reads, upright, RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.media.frames import PICTURE_SIDE
from pipeline.types import Image

_HINT = "give a JPEG, PNG or WebP file"


def read_image(path: str | Path) -> Image:
    """(height, width, 3) RGB, turned as a viewer sees it, at most as large as a stored frame.

    Raises `UsageError` for what is no picture, cut off, or too large to be one.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with Pillow.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except FileNotFoundError as error:
        raise UsageError(f"there is no picture {path}", _HINT) from error
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise UsageError(f"{path} cannot be read as a picture: {error}", _HINT) from error
    upright.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    return np.asarray(upright)


def checked_image(image: object) -> Image:
    """`image` as it is, or `UsageError` where it is no (height, width, 3) array of bytes."""
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise UsageError(
            f"a picture is a (height, width, 3) array of uint8, not {array.shape} {array.dtype}",
            "give an RGB array, or the path of a file",
        )
    return array
