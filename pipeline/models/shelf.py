"""Which model plays which role: the settings' choice, else the profile's; loaded at first need.

A model that cannot be had raises `ModelUnavailable` once and is not tried again by the same
shelf, so that a missing network costs one wait and not one per video. A model is never replaced
by another in silence: the name that was chosen is the name that enters cache keys.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pipeline.errors import ModelUnavailable
from pipeline.settings import Settings
from pipeline.types import (
    Captioner,
    Diariser,
    DualEncoder,
    Embedder,
    InferenceModel,
    LanguageModel,
    PassageScorer,
    ScreenReader,
    SoundClassifier,
    SpeechDetector,
    Transcriber,
)

Role = Literal["screen", "speech", "captions", "language", "frames", "sounds"]
T = TypeVar("T")

# What `local` uses where the settings name nothing: small enough for a laptop.
LOCAL_CAPTIONER = "transformers:HuggingFaceTB/SmolVLM-Instruct"
LOCAL_LANGUAGE_MODEL = "huggingface:Qwen/Qwen2.5-1.5B-Instruct"

_WHISPER_BY_MEMORY = ((10.0, "turbo"), (5.0, "medium"), (0.0, "small"))  # GPU GB -> size

NO_FRAME_MODEL = "no frame model; set FOOTNOTE_FRAME_MODEL=clip:OWNER/MODEL"
_NO_SOUND_MODEL = "no sound model; set FOOTNOTE_SOUND_MODEL=transformers:OWNER/MODEL"

_NOT_IN_PROFILE = {
    "speech": "the embedded profile transcribes nothing; run footnote add --profile auto",
    "captions": "the embedded profile has no caption model",
    "language": "the embedded profile has no language model;"
    " set FOOTNOTE_LANGUAGE_MODEL, or FOOTNOTE_PROFILE=auto",
}


class Shelf:
    """The models of one library, each loaded once. Thread-safe.

    `embedding` is the model the library was made with; a language model, an embedder or a
    captioner that the caller passes in takes the place of the settings' choice.
    """

    def __init__(
        self,
        settings: Settings,
        embedding: str,
        *,
        language_model: LanguageModel | None = None,
        embedder: Embedder | None = None,
        captioner: Captioner | None = None,
    ) -> None:
        self._settings = settings
        self.embedding = embedding
        self._loaded: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}
        self._lock = threading.RLock()
        self._waits = threading.local()
        self.loading = 0.0  # seconds that loading models has taken
        if language_model is not None:
            self._loaded["language"] = language_model
        if embedder is not None:
            self._loaded["embedding"] = embedder
            self.embedding = embedder.name
        if captioner is not None:
            self._loaded |= {"captions": captioner, "name of captions": captioner.name}

    def embedder(self) -> Embedder:
        from pipeline.models.embedding import load_embedder

        return self._once("embedding", lambda: load_embedder(self.embedding, self._settings))

    def screen_reader(self) -> ScreenReader:
        from pipeline.models.screen import load_screen_reader

        return self._once("screen", lambda: load_screen_reader(self._settings.screen_reader))

    def speech_detector(self) -> SpeechDetector:
        from pipeline.models.speech import load_speech_detector

        return self._once("detector", lambda: load_speech_detector(self._settings.speech_detector))

    def transcriber(self) -> Transcriber:
        from pipeline.models.speech import load_transcriber

        return self._once("speech", lambda: load_transcriber(self._named("speech"), self._settings))

    def diariser(self) -> Diariser:
        """Who has the word; there is always one, `diarisation` says which."""
        from pipeline.models.diarisation import load_diariser

        return self._once("diariser", lambda: load_diariser(self._settings.diarisation))

    def sound_classifier(self) -> SoundClassifier:
        from pipeline.models.sounds import load_sound_classifier

        return self._once("sounds", lambda: load_sound_classifier(self._named("sounds")))

    def captioner(self) -> Captioner:
        from pipeline.models.vision import load_captioner

        return self._once(
            "captions", lambda: load_captioner(self._named("captions"), self._settings)
        )

    def dual_encoder(self) -> DualEncoder:
        from pipeline.models.dual import load_dual_encoder

        return self._once("frames", lambda: load_dual_encoder(self._named("frames")))

    def language_model(self) -> LanguageModel:
        from pipeline.models.language import load_language_model

        return self._once(
            "language", lambda: load_language_model(self._named("language"), self._settings)
        )

    def passage_scorer(self) -> PassageScorer:
        """The scorer that `rerank_model` names; "llm" and "vlm" are no scorers."""
        from pipeline.models.reranking import load_scorer

        return self._once(
            "reranking", lambda: load_scorer(self._settings.rerank_model, self.embedder)
        )

    def inference_model(self) -> InferenceModel:
        """The model of inference that `verify_model` names; "llm" is none."""
        from pipeline.models.inference import load_inference

        return self._once("inference", lambda: load_inference(self._settings.verify_model))

    def available(self, role: Role) -> bool:
        """Whether the model for `role` can be had; loads it, or remembers why it cannot be."""
        load = {
            "screen": self.screen_reader,
            "speech": lambda: (self.diariser(), self.transcriber()),
            "captions": self.captioner,
            "language": self.language_model,
            "frames": self.dual_encoder,
            "sounds": self.sound_classifier,
        }[role]
        try:
            load()
        except ModelUnavailable:
            return False
        return True

    def has_language_model(self, *, look_around: bool = False) -> bool:
        """Whether a language model was chosen; `look_around` also asks the local endpoints.

        In the embedded profile an endpoint alone chooses none: there only a named model is used.
        """
        settings = self._settings
        if "language" in self._loaded or settings.language_model:
            return True
        if settings.profile == "embedded":
            return False
        if settings.endpoint or settings.profile == "local":
            return True
        return settings.profile == "auto" and look_around and bool(self.name("language"))

    def name(self, role: Role) -> str:
        """The model chosen for `role`, "provider:model"; "" when there is none, see `reason`."""
        with self._lock:
            key = f"name of {role}"
            if key not in self._loaded:
                try:
                    self._loaded[key] = self._choose(role)
                except ModelUnavailable as error:  # the endpoint that would name it is down
                    self._loaded[key], self._reasons[role] = "", error.message
            return str(self._loaded[key])

    def reason(self, role: Role) -> str:
        """Why `role` has no model, with what to do about it."""
        if role in self._reasons:
            return self._reasons[role]
        if role == "frames":
            return NO_FRAME_MODEL
        if role == "sounds":
            return _NO_SOUND_MODEL
        if self._settings.profile == "embedded":
            return _NOT_IN_PROFILE[role]
        if role == "captions":
            return (
                "no GPU and no endpoint; run footnote add --profile local, or set "
                "FOOTNOTE_ENDPOINT or FOOTNOTE_CAPTION_MODEL"
            )
        return f"no {role} model; set FOOTNOTE_ENDPOINT or FOOTNOTE_{role.upper()}_MODEL"

    # ------------------------------------------------------------ choosing

    def _choose(self, role: Role) -> str:
        settings = self._settings
        chosen = {
            "screen": settings.screen_reader,
            "speech": settings.speech_model,
            "captions": settings.caption_model,
            "language": settings.language_model,
            "frames": settings.frame_model,
            "sounds": settings.sound_model,
        }[role]
        if chosen or settings.profile == "embedded" or role in ("frames", "sounds"):
            return chosen
        if role == "speech":
            return f"whisper:{_whisper_size()}"
        if settings.profile == "local":
            return LOCAL_CAPTIONER if role == "captions" else LOCAL_LANGUAGE_MODEL
        if settings.endpoint:
            return settings.language_model or f"openai:{self._endpoint_model()}"
        return self._around(role) if settings.profile == "auto" else ""

    def _around(self, role: Role) -> str:
        """What this machine has by itself: a GPU for captions, a running endpoint for language."""
        if role == "captions":
            return LOCAL_CAPTIONER if _gpu_memory_gb() >= 6 else ""
        from pipeline.models.language import find_local_endpoint

        found = find_local_endpoint()
        if found is None:
            return ""
        self._settings = self._settings.model_copy(update={"endpoint": found.url})
        return f"openai:{found.model}"

    def _endpoint_model(self) -> str:
        from pipeline.models.language import list_models

        models = list_models(self._settings.endpoint, self._settings)
        if not models:
            raise ModelUnavailable(
                f"the endpoint {self._settings.endpoint} serves no model",
                "set FOOTNOTE_LANGUAGE_MODEL=openai:MODEL",
            )
        return models[0]

    # ------------------------------------------------------------ loading

    def _named(self, role: Role) -> str:
        name = self.name(role)
        if not name:
            raise ModelUnavailable(self.reason(role))
        return name

    def waited(self) -> float:
        """Seconds that this thread has waited for models to be loaded, in all."""
        return float(getattr(self._waits, "seconds", 0.0))

    def _once(self, role: str, load: Callable[[], T]) -> T:
        began = time.perf_counter()
        with self._lock:
            if role not in self._loaded:
                started = time.perf_counter()
                try:
                    self._loaded[role] = load()
                except ModelUnavailable as error:
                    self._loaded[role] = error
                self.loading += time.perf_counter() - started
            value: T | ModelUnavailable = self._loaded[role]
        self._waits.seconds = self.waited() + time.perf_counter() - began
        if isinstance(value, ModelUnavailable):
            raise value
        return value


def _gpu_memory_gb() -> float:
    """Memory of the first GPU, 0.0 without one."""
    if not _has_cuda_driver():
        return 0.0
    import torch

    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.get_device_properties(0).total_memory) / 1e9


def _has_cuda_driver() -> bool:
    """Whether torch could find a GPU at all: importing it to hear "no" takes seconds."""
    import ctypes.util

    return ctypes.util.find_library("cuda") is not None or Path("/dev/nvidiactl").exists()


def _whisper_size() -> str:
    gpu = _gpu_memory_gb()
    if gpu:
        return next(size for least, size in _WHISPER_BY_MEMORY if gpu >= least)
    import psutil

    return "base" if psutil.virtual_memory().total > 4e9 else "tiny"
