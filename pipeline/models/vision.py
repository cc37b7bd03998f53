"""Frames to a description: a vision-language model in this process, behind an endpoint, or a fake.

transformers:MODEL      image-text-to-text, a name on the hub or a folder
openai:MODEL            an OpenAI-compatible endpoint that takes images
fake:colours            names the colours it sees; fake:echo says what it is asked;
                        fake:TEXT always replies TEXT
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from pipeline.errors import ModelUnavailable
from pipeline.models.endpoint import EndpointClient, endpoint_of
from pipeline.models.language import without_thoughts
from pipeline.models.registry import load_named
from pipeline.settings import Settings
from pipeline.types import Captioner, CaptionRequest, Image, Reply

_MAX_NEW_TOKENS = 256
# Endpoints charge by pixels and models look at no more.
_LONGEST_SIDE = 1024
_JPEG_QUALITY = 85
# Requests in flight: an endpoint batches them, or queues them itself.
_AT_ONCE = 4


def load_captioner(name: str, settings: Settings | None = None) -> Captioner:
    """The captioner called "provider:model".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a package, a
    model or an endpoint that is missing.
    """
    settings = settings or Settings()
    loaders: dict[str, Callable[[str], Captioner]] = {
        "transformers:MODEL": TransformersCaptioner,
        "openai:MODEL": partial(EndpointCaptioner, settings=settings),
        "fake:SCRIPT": FakeCaptioner,
    }
    return load_named("caption_model", name, loaders)


def _pictures(request: CaptionRequest, longest_side: int | None = None) -> list[Any]:
    """Pillow images, downscaled to `longest_side` pixels where it is given."""
    from PIL import Image as Pillow

    pictures = [Pillow.fromarray(np.ascontiguousarray(image)) for image in request.images]
    if longest_side:
        for picture in pictures:
            picture.thumbnail((longest_side, longest_side))
    return pictures


# ---------------------------------------------------------------- in this process


class TransformersCaptioner:
    """An image-text-to-text model with a chat template: greedy, bfloat16 where there is a GPU."""

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"transformers:{model}"
        folder = str(hub_folder(model))
        with unusable(f"the caption model {model}"):
            import torch
            from transformers import AutoModelForImageTextToText, AutoProcessor

            quiet_transformers()
            gpu = torch.cuda.is_available()
            self._processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
            self._model = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=torch.bfloat16 if gpu else torch.float32, local_files_only=True
            )
        self._model = self._model.to("cuda" if gpu else "cpu").eval()

    def caption(self, requests: Sequence[CaptionRequest]) -> list[Reply]:
        """One reply per request, in order. All frames of a request go into one prompt."""
        return [self._one(request) for request in requests]

    def _one(self, request: CaptionRequest) -> Reply:
        import torch

        pictures = _pictures(request)
        content = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": request.prompt}]
        prompt = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        inputs = self._processor(
            text=[prompt], images=[pictures] if pictures else None, return_tensors="pt"
        ).to(self._model.device, dtype=self._model.dtype)
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, max_new_tokens=_MAX_NEW_TOKENS, do_sample=False)
        asked = int(inputs["input_ids"].shape[1])
        said = tokens[0, asked:]
        text = self._processor.decode(said, skip_special_tokens=True)
        return Reply(without_thoughts(text), asked, len(said))


# ---------------------------------------------------------------- behind an endpoint


class EndpointCaptioner:
    """Frames as base64 JPEG beside the prompt, in one message per request."""

    def __init__(self, model: str, settings: Settings) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._endpoint = endpoint_of(settings)
        self._client = EndpointClient(self._endpoint, model)

    def caption(self, requests: Sequence[CaptionRequest]) -> list[Reply]:
        """One reply per request, in order. Raises `ModelUnavailable`."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._one, requests))

    def _one(self, request: CaptionRequest) -> Reply:
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in _data_urls(request)]
        body = {
            "model": self._model,
            "messages": [
                {
                    "role": "user",
                    "content": [*pictures, {"type": "text", "text": request.prompt}],
                }
            ],
            "max_tokens": _MAX_NEW_TOKENS,
            "temperature": 0,
        }
        reply = self._client.post(f"{self._endpoint.url}/chat/completions", json=body).json()
        text = without_thoughts(str(reply["choices"][0]["message"].get("content") or ""))
        if not text:
            raise ModelUnavailable(
                f"the caption model {self.name} at {self._endpoint.url} gave an empty reply",
                "choose another FOOTNOTE_CAPTION_MODEL, one that takes images",
            )
        usage = reply.get("usage") or {}
        return Reply(
            text, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        )


def _data_urls(request: CaptionRequest) -> list[str]:
    urls = []
    for picture in _pictures(request, _LONGEST_SIDE):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_JPEG_QUALITY)
        urls.append("data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode())
    return urls


# ---------------------------------------------------------------- fake

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


class FakeCaptioner:
    """Says what it was told to, or which colour each frame mostly has: content, without weights."""

    def __init__(self, script: str) -> None:
        self.name = f"fake:{script}"
        self._script = script

    def caption(self, requests: Sequence[CaptionRequest]) -> list[Reply]:
        """One reply per request, in order. Tokens are counted as words."""
        texts = [self._text(request) for request in requests]
        return [
            Reply(text, len(request.prompt.split()), len(text.split()))
            for request, text in zip(requests, texts, strict=True)
        ]

    def _text(self, request: CaptionRequest) -> str:
        if self._script == "echo":
            return request.prompt
        if self._script != "colours":
            return self._script
        return f"A {', then a '.join(f'{_colour(image)} frame' for image in request.images)}."


def _colour(image: Image) -> str:
    mean = image.reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))
