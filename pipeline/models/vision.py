"""Frames to a description: a vision-language model in this process, behind an endpoint, or a fake.

transformers:MODEL      image-text-to-text, a name on the hub or a folder
openai:MODEL            an OpenAI-compatible endpoint that takes images
fake:colours            names the colours it sees; fake:seen does so in the structured form;
                        fake:echo says what it is asked; fake:TEXT always replies TEXT
fake:slow:C:I           names colours, and takes C seconds for a call and I for each picture
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pipeline.errors import SettingsError
from pipeline.models.registry import load_named
from pipeline.settings import Settings
from pipeline.types import Captioner, CaptionRequest, Deliver, Image, Reply


def load_captioner(name: str, settings: Settings | None = None) -> Captioner:
    """The captioner called "provider:model".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a package, a
    model or an endpoint that is missing.
    """
    settings = settings or Settings()
    loaders: dict[str, Callable[[str], Captioner]] = {
        "transformers:MODEL": partial(_transformers, settings),
        "openai:MODEL": partial(_endpoint, settings),
        "fake:SCRIPT": partial(_fake, settings),
    }
    return load_named("caption_model", name, loaders)


def _transformers(settings: Settings, model: str) -> Captioner:
    from pipeline.models.vision_local import TransformersCaptioner

    return TransformersCaptioner(model, settings)


def _endpoint(settings: Settings, model: str) -> Captioner:
    from pipeline.models.vision_endpoint import EndpointCaptioner

    return EndpointCaptioner(model, settings)


# ---------------------------------------------------------------- fakes

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (40, 60, 220),
    "yellow": (240, 220, 40),
    "orange": (240, 140, 20),
    "purple": (130, 40, 160),
}
_FAKE_WIDTH = 8


def _fake(settings: Settings, script: str) -> Captioner:
    width = settings.caption_batch or _FAKE_WIDTH
    kind, *numbers = script.split(":")
    if kind != "slow" or not numbers:
        return FakeCaptioner(script, width)
    try:
        call, image = map(float, numbers)
    except ValueError:
        raise SettingsError(
            f"caption_model 'fake:{script}' is not complete",
            "write it as fake:slow:SECONDS_PER_CALL:SECONDS_PER_IMAGE",
        ) from None
    return SlowCaptioner(call, image, width)


class FakeCaptioner:
    """Says what it was told to, or which colour each frame mostly has: content, without weights."""

    def __init__(self, script: str, width: int = _FAKE_WIDTH) -> None:
        self.name = f"fake:{script}"
        self.width = width
        self._script = script

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """One reply per request, in order. Tokens are counted as words, a picture as 100."""
        replies = [self._reply(request) for request in requests]
        for at, reply in enumerate(replies):
            if deliver:
                deliver(at, reply)
        return replies

    def _reply(self, request: CaptionRequest) -> Reply:
        text = self._text(request)
        asked = len(request.prompt.split()) + 100 * len(request.images)
        return Reply(text, asked, len(text.split()))

    def _text(self, request: CaptionRequest) -> str:
        if self._script == "echo":
            return request.prompt
        if self._script == "seen":
            return json.dumps(_structured(request))
        return _seen(request) if self._script == "colours" else self._script


class SlowCaptioner(FakeCaptioner):
    """Names colours as slowly as a model would, for measuring what goes on around it.

    Like a GPU it works on one batch of at most `width` requests at a time, whoever calls, and
    leaves the processor to others meanwhile. `busy` holds (began, ended, requests) of every batch,
    in seconds of `time.monotonic`.
    """

    def __init__(self, per_call: float, per_image: float, width: int = _FAKE_WIDTH) -> None:
        super().__init__("colours", width)
        self.name = f"fake:slow:{per_call:g}:{per_image:g}"
        self.busy: list[tuple[float, float, int]] = []
        self._per_call, self._per_image = per_call, per_image
        self._working = threading.Lock()

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """One reply per request, in order, a batch at a time."""
        replies: list[Reply] = []
        for first in range(0, len(requests), self.width):
            made = self._batch(requests[first : first + self.width])
            for at, reply in enumerate(made, first):
                if deliver:
                    deliver(at, reply)
            replies += made
        return replies

    def _batch(self, requests: Sequence[CaptionRequest]) -> list[Reply]:
        images = sum(len(request.images) for request in requests)
        with self._working:
            began = time.monotonic()
            time.sleep(self._per_call + self._per_image * images)
            self.busy.append((began, time.monotonic(), len(requests)))
        return [self._reply(request) for request in requests]


def _seen(request: CaptionRequest) -> str:
    frames = [f"{_colour(image)} frame" for image in request.images]
    return f"A {', then a '.join(frames)}." if frames else "No frame."


def _structured(request: CaptionRequest) -> dict[str, object]:
    """The colours in the form that the caption prompt asks for."""
    colours = [_colour(image) for image in request.images]
    return {
        "images": [
            {
                "image": at,
                "scene": f"a {colour} frame",
                "people": "",
                "action": f"The frame is {colour}.",
                "objects": [],
                "camera": "",
                "visible_text": "",
            }
            for at, colour in enumerate(colours, 1)
        ]
    }


def _colour(image: Image) -> str:
    mean = image.reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))
