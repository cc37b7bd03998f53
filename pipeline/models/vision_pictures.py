"""The frames of a caption request as pictures that a model is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.types import CaptionRequest

# Endpoints charge by pixels, models cut large pictures into more tiles, and neither sees more.
LONGEST_SIDE = 1024


def pictures_of(request: CaptionRequest) -> list[Any]:
    """Pillow images in the order of the frames, none longer than `LONGEST_SIDE` on any side."""
    from PIL import Image as Pillow

    pictures = [Pillow.fromarray(np.ascontiguousarray(image)) for image in request.images]
    for picture in pictures:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return pictures
