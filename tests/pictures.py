"""Frames made for tests, and requests to caption them."""

from __future__ import annotations

import numpy as np

from pipeline.types import CaptionRequest, Image


def frame(colour: tuple[int, int, int], height: int = 48, width: int = 64) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def noise(seed: int, height: int = 48, width: int = 64) -> Image:
    """Blocks of random colours: no two seeds look alike."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


RED, BLUE = frame((220, 30, 30)), frame((40, 60, 220))


def request(
    *images: Image, prompt: str = "what is it", max_tokens: int = 256, **more: object
) -> CaptionRequest:
    times = tuple(float(at) for at in range(len(images)))
    return CaptionRequest(images, times, prompt, max_tokens=max_tokens, **more)
