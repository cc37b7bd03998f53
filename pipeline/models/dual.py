"""Pictures and texts in one space: any dual encoder of transformers or sentence-transformers.

clip:MODEL                     CLIP, SigLIP, MetaCLIP, Chinese CLIP ...: whatever transformers
                               loads with image features and text features; a name on the hub
                               or a folder
sentence-transformers:MODEL    a model that embeds pictures and texts ("clip-ViT-B-32")
fake:DIMENSION                 histograms of colours, and the names of colours

Pictures are prepared by the checkpoint's own recipe through Pillow and numpy: torchvision is not
needed, and having it changes no vector. MobileCLIP's own files are of another library
(open_clip) and load only where somebody has converted them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.registry import load_named
from pipeline.models.vision import COLOURS
from pipeline.types import DualEncoder, Image, Vectors

_BATCH = 16  # pictures in one run: more are no faster on a CPU, and need memory
_MOST_TOKENS = 512  # where a tokenizer does not say what its model takes


def load_dual_encoder(name: str) -> DualEncoder:
    """The dual encoder called "provider:model".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a package or a
    model that is missing, and for one that embeds only pictures or only texts.
    """
    loaders: dict[str, Callable[[str], DualEncoder]] = {
        "clip:MODEL": TransformersDualEncoder,
        "sentence-transformers:MODEL": SentenceTransformersDualEncoder,
        "fake:DIMENSION": _fake,
    }
    return load_named("frame_model", name, loaders)


def _pictures(images: Sequence[Image]) -> list[Any]:
    from PIL import Image as Pillow

    return [Pillow.fromarray(np.ascontiguousarray(image)) for image in images]


def _unit(rows: NDArray[Any]) -> Vectors:
    vectors = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _in_batches(
    some: Sequence[Any], dimension: int, embed: Callable[[Sequence[Any]], NDArray[Any]]
) -> Vectors:
    parts = [embed(some[at : at + _BATCH]) for at in range(0, len(some), _BATCH)]
    return _unit(np.concatenate(parts)) if parts else np.zeros((0, dimension), np.float32)


# ---------------------------------------------------------------- transformers


class TransformersDualEncoder:
    """A model with `get_image_features` and `get_text_features`, on a GPU where there is one.

    Thread-safe, one batch at a time: a tokenizer that two threads use at once raises.
    """

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"clip:{model}"
        self._turn = threading.Lock()
        folder = str(hub_folder(model))
        with unusable(f"the frame model {model}"):
            import torch
            from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

            quiet_transformers()
            loaded = AutoModel.from_pretrained(folder, local_files_only=True)
            if not all(hasattr(loaded, f"get_{kind}_features") for kind in ("image", "text")):
                raise _one_sided(self.name, type(loaded).__name__)
            self._processor = AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, backend="pil"
            )
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
            self._model = loaded.to(self._device).eval()
            # SigLIP was trained on texts padded to one length; for CLIP padding changes nothing.
            self._padding = "max_length" if "siglip" in loaded.config.model_type else True
            self._length = _text_length(loaded.config, self._tokenizer)
            self.dimension = self._texts(["a"]).shape[1]

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        return _in_batches(images, self.dimension, self._images)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, in order; what is beyond the model's limit (77
        tokens for CLIP) is not seen."""
        return _in_batches(texts, self.dimension, self._texts)

    def _images(self, images: Sequence[Image]) -> NDArray[Any]:
        inputs = self._processor(images=_pictures(images), return_tensors="pt")
        with self._turn:
            return self._features(self._model.get_image_features, inputs)

    def _texts(self, texts: Sequence[str]) -> NDArray[Any]:
        wanted = {"input_ids", "attention_mask"} & set(self._tokenizer.model_input_names)
        with self._turn:
            inputs = self._tokenizer(
                list(texts),
                padding=self._padding,
                truncation=True,
                max_length=self._length,
                return_tensors="pt",
            )
            return self._features(self._model.get_text_features, {k: inputs[k] for k in wanted})

    def _features(self, method: Callable[..., Any], inputs: Any) -> NDArray[Any]:
        import torch

        with torch.inference_mode():
            made = method(**{name: value.to(self._device) for name, value in inputs.items()})
        pooled = getattr(made, "pooler_output", made)  # transformers 4 gave the tensor itself
        features: NDArray[Any] = pooled.float().cpu().numpy()
        return features


def _text_length(config: Any, tokenizer: Any) -> int:
    limit = int(getattr(config.get_text_config(), "max_position_embeddings", _MOST_TOKENS))
    return min(limit, int(min(tokenizer.model_max_length, _MOST_TOKENS)))


def _one_sided(name: str, what: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{name} ({what}) does not embed both pictures and texts",
        "set FOOTNOTE_FRAME_MODEL to a dual encoder such as clip:openai/clip-vit-base-patch32",
    )


# ---------------------------------------------------------------- sentence-transformers


class SentenceTransformersDualEncoder:
    """A sentence-transformers model that takes pictures as well as texts. Thread-safe."""

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"sentence-transformers:{model}"
        self._turn = threading.Lock()
        short = "/" not in model and not Path(model).is_dir()
        folder = hub_folder(f"sentence-transformers/{model}" if short else model)
        with unusable(f"the frame model {model}"):
            from sentence_transformers import SentenceTransformer

            quiet_transformers()
            self._model = SentenceTransformer(str(folder), local_files_only=True)
            if not {"image", "text"} <= set(getattr(self._model, "modalities", ("text",))):
                raise _one_sided(self.name, "a model of texts")
            self.dimension = self._embed(["a"]).shape[1]

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        return _in_batches(images, self.dimension, lambda some: self._embed(_pictures(some)))

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, in order, truncated as the model says."""
        return _in_batches(texts, self.dimension, self._embed)

    def _embed(self, some: Sequence[Any]) -> NDArray[Any]:
        with self._turn:
            made = self._model.encode(list(some), convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(made)


# ---------------------------------------------------------------- fake

_PLAIN = len(COLOURS) + 1  # axes of colours, and one of texts that name none
_LAYOUT_WEIGHT = 0.3
# What a picture in words is mostly coloured like.
_LOOKS_LIKE = {
    "night": "black", "dark": "black", "snow": "white", "bright": "white", "gray": "grey",
    "fog": "grey", "fire": "red", "grass": "green", "forest": "green", "sea": "blue",
    "sky": "blue", "sun": "yellow", "sunset": "orange",
}  # fmt: skip


class FakeDualEncoder:
    """How much of a picture is of which colour, and which colours a text names.

    The axes that are left hold where a picture is bright, at a lower weight, so that two
    pictures of like colours are near each other and not the same.
    """

    def __init__(self, dimension: int) -> None:
        self.name = f"fake:{dimension}"
        self.dimension = dimension

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows."""
        return _unit(np.array([self._image(i) for i in images]).reshape(-1, self.dimension))

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows; a text that names no colour is like no picture."""
        return _unit(np.array([self._text(t) for t in texts]).reshape(-1, self.dimension))

    def _image(self, image: Image) -> NDArray[np.float64]:
        vector = np.zeros(self.dimension)
        pixels = image[:: max(1, len(image) // 48), :: max(1, image.shape[1] // 64)]
        colours = np.array(list(COLOURS.values()))
        nearest = np.abs(pixels.reshape(-1, 1, 3) - colours).sum(axis=2).argmin(axis=1)
        shares = np.bincount(nearest, minlength=len(colours)) / len(nearest)
        vector[: len(colours)] = np.sqrt(shares)  # so that the vector is of unit length
        bright = pixels.mean(axis=2).ravel()
        parts = np.array_split(bright, self.dimension - _PLAIN) if self.dimension > _PLAIN else []
        means = np.array([part.mean() if len(part) else 0.0 for part in parts])
        if len(means):
            vector[_PLAIN:] = _LAYOUT_WEIGHT * (means - means.mean()) / 255
        return vector

    def _text(self, text: str) -> NDArray[np.float64]:
        vector = np.zeros(self.dimension)
        for word in re.findall(r"\w+", text.lower()):
            colour = _LOOKS_LIKE.get(word, word)
            if colour in COLOURS:
                vector[list(COLOURS).index(colour)] += 1.0
        if not vector.any():
            vector[len(COLOURS)] = 1.0
        return vector


def _fake(dimension: str) -> DualEncoder:
    if not dimension.isdigit() or int(dimension) < _PLAIN:
        raise SettingsError(
            f"fake:{dimension} is no dimension of {_PLAIN} or more", "write it as fake:64"
        )
    return FakeDualEncoder(int(dimension))
