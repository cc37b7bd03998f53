"""The two Whispers, loaded for real: openai's, and CTranslate2's through faster-whisper.

Whisper invents text where nobody speaks and repeats itself when it is fed its own output: so it
never sees its last output, text beyond the audio is dropped, and what it is unsure of is flagged
and not hidden. Both are given arrays only: a path would need an ffmpeg binary.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.weights import check_network, download, hub_folder, unusable
from pipeline.types import SAMPLE_RATE, Audio, Segment, Word

# Whisper's own thresholds (Radford et al. 2022, section 4.5).
_LEAST_LOGPROB = -1.0
_MOST_NO_SPEECH = 0.6
_MOST_COMPRESSION = 2.4
_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Unlikely words beside this much silence were not said (openai/whisper, discussion 1838).
_HALLUCINATION_SILENCE: float | None = 2.0
# It reads the last 223 tokens of a prompt: what is put first would be lost first.
_MOST_PROMPT_TOKENS = 200
# Its time resolution: what it gives no length is at least this long.
_TICK = 0.02


@dataclass(frozen=True, slots=True)
class Heard:
    """What both Whispers say of one segment; words are (start, end, text, probability)."""

    start: float
    end: float
    text: str
    words: tuple[tuple[float, float, str, float], ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


def prompt_of(terms: Sequence[str], count: Callable[[str], int]) -> str | None:
    """The first of `terms` as a text that Whisper takes for what was said before, None for none.

    No longer than Whisper reads; `count` gives the tokens of a text.
    """
    prompt = ""
    for term in terms:
        longer = f"{prompt}, {term}" if prompt else term
        if count(f" {longer}.") > _MOST_PROMPT_TOKENS:
            break
        prompt = longer
    return f"{prompt}." if prompt else None


def flags(heard: Heard) -> tuple[str, ...]:
    """Why a segment is doubtful."""
    doubts = {
        "low_confidence": heard.avg_logprob < _LEAST_LOGPROB,
        "no_speech": heard.no_speech_prob > _MOST_NO_SPEECH,
        "repetition": heard.compression_ratio > _MOST_COMPRESSION,
    }
    return tuple(flag for flag, doubtful in doubts.items() if doubtful)


def segments(heard: Iterable[Heard], duration: float, language: str) -> list[Segment]:
    """`speech` segments within [0, duration], in order of their start.

    Whisper sees its input padded to 30 s: what starts in the padding was never said.
    """
    made = []
    for one in heard:
        words = tuple(
            Word(*_inside(start, end, duration), text.strip(), probability)
            for start, end, text, probability in one.words
            if start < duration - _TICK and text.strip()
        )
        text = one.text.strip() if len(words) == len(one.words) else " ".join(w.text for w in words)
        start, end = (words[0].start, words[-1].end) if words else (one.start, one.end)
        if not text or start >= duration - _TICK:
            continue
        start, end = _inside(start, end, duration)
        made.append(
            Segment("speech", start, end, text, language=language, flags=flags(one), words=words)
        )
    return sorted(made, key=lambda segment: (segment.start, segment.end))


def _inside(start: float, end: float, duration: float) -> tuple[float, float]:
    start = max(0.0, float(start))
    return start, min(duration, max(float(end), start + _TICK))


# ---------------------------------------------------------------- openai-whisper


class WhisperTranscriber:
    """openai-whisper; half precision on a GPU."""

    def __init__(self, model: str) -> None:
        self.name = f"whisper:{model}"
        model = _have_whisper(model)
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._half = device == "cuda"
        self._model = _load_whisper(model, device)

    def transcribe(
        self, audio: Audio, language: str = "", terms: Sequence[str] = ()
    ) -> list[Segment]:
        """Segments with word times, from the start of `audio` ((samples,) float32, 16 kHz)."""
        import whisper

        if len(audio) < _TICK * SAMPLE_RATE:
            return []
        with warnings.catch_warnings():
            # Its GPU kernels for word times fall back to torch, with the same result.
            warnings.filterwarnings("ignore", message="Failed to launch Triton kernels")
            # It leaves the file of its tokenizer to the garbage collector.
            warnings.filterwarnings("ignore", message="unclosed file .*tiktoken")
            result: dict[str, Any] = whisper.transcribe(
                self._model,
                np.array(audio, np.float32),  # its own: torch wants to be able to write
                language=language or None,
                word_timestamps=True,
                verbose=None,
                fp16=self._half,
                temperature=_TEMPERATURES,
                condition_on_previous_text=False,
                initial_prompt=prompt_of(terms, self._tokens),
                no_speech_threshold=_MOST_NO_SPEECH,
                logprob_threshold=_LEAST_LOGPROB,
                compression_ratio_threshold=_MOST_COMPRESSION,
                hallucination_silence_threshold=_HALLUCINATION_SILENCE,
            )
        heard = [_from_whisper(row) for row in result["segments"]]
        return segments(heard, len(audio) / SAMPLE_RATE, str(result["language"]))

    def _tokens(self, text: str) -> int:
        from whisper.tokenizer import get_tokenizer

        languages = self._model.num_languages
        return len(get_tokenizer(self._model.is_multilingual, num_languages=languages).encode(text))


def _from_whisper(row: dict[str, Any]) -> Heard:
    words = tuple(
        (float(w["start"]), float(w["end"]), str(w["word"]), float(w["probability"]))
        for w in row.get("words", ())
    )
    return Heard(
        float(row["start"]),
        float(row["end"]),
        str(row["text"]),
        words,
        float(row["avg_logprob"]),
        float(row["no_speech_prob"]),
        float(row["compression_ratio"]),
    )


def _have_whisper(model: str) -> str:
    """The size or the path that `whisper.load_model` takes, its file on this machine.

    Imports neither whisper nor torch, which take seconds: that a model cannot be had is found
    out again by every `add` that has speech pending.
    """
    sizes = _whisper_sizes()
    if model in sizes:
        _fetch_whisper(model, sizes[model])
        return model
    path = Path(model).expanduser()
    if path.is_file():
        return str(path)
    if "/" in model or model.endswith(".pt"):
        raise ModelUnavailable(f"there is no Whisper checkpoint {model}", "check the path")
    raise SettingsError(
        f"Whisper has no size {model!r}", f"a .pt file, or one of: {', '.join(sizes)}"
    )


def _load_whisper(model: str, device: str) -> Any:
    with unusable(f"the Whisper model {model}"), warnings.catch_warnings():
        import whisper

        # A file with the wrong hash is fetched again by whisper, whatever its size.
        warnings.filterwarnings("error", message=".*SHA256 checksum does not match")
        try:
            return whisper.load_model(model, device=device)
        except UserWarning as error:
            file = _whisper_file(_whisper_sizes()[model])
            raise ModelUnavailable(
                f"the file of Whisper {model} is damaged", f"rm '{file}'"
            ) from error


def _whisper_sizes() -> dict[str, str]:
    """Size -> address of its file: the table in whisper's source, read without importing it."""
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelUnavailable("openai-whisper is not installed", "pip install openai-whisper")
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS":
            return dict(ast.literal_eval(node.value))
    raise ModelUnavailable("this openai-whisper names no models", "pip install -U openai-whisper")


def _whisper_file(url: str) -> Path:
    """Where whisper keeps a model; the same place as `whisper.load_model` looks in."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "whisper" / Path(url).name


def _fetch_whisper(size: str, url: str) -> None:
    """Have the model's file in whisper's cache; whisper itself would write it in place."""
    file = _whisper_file(url)
    if file.is_file():
        return
    what = f"Whisper {size}"
    check_network(url, what, f"put whisper's {file.name} into {file.parent}")
    download(url, file, url.split("/")[-2], what)


# ---------------------------------------------------------------- faster-whisper


class FasterWhisperTranscriber:
    """CTranslate2's Whisper: int8 on a CPU, float16 on a GPU."""

    def __init__(self, model: str) -> None:
        self.name = f"faster-whisper:{model}"
        folder = _faster_whisper_folder(model)
        with unusable(f"the faster-whisper model {model}"):
            from faster_whisper import WhisperModel

            if not (folder / "tokenizer.json").is_file():
                raise OSError(f"{folder} has no tokenizer.json")  # it would be fetched from the hub
            self._model = WhisperModel(str(folder), device="auto", compute_type="default")

    def transcribe(
        self, audio: Audio, language: str = "", terms: Sequence[str] = ()
    ) -> list[Segment]:
        """Segments with word times, from the start of `audio` ((samples,) float32, 16 kHz)."""
        if len(audio) < _TICK * SAMPLE_RATE:
            return []
        found, info = self._model.transcribe(
            np.ascontiguousarray(audio, np.float32),
            language=language or None,
            word_timestamps=True,
            temperature=_TEMPERATURES,
            condition_on_previous_text=False,
            initial_prompt=prompt_of(terms, self._tokens),
            no_speech_threshold=_MOST_NO_SPEECH,
            log_prob_threshold=_LEAST_LOGPROB,
            compression_ratio_threshold=_MOST_COMPRESSION,
            hallucination_silence_threshold=_HALLUCINATION_SILENCE,
        )
        heard = [_from_faster_whisper(one) for one in found]
        return segments(heard, len(audio) / SAMPLE_RATE, str(info.language))

    def _tokens(self, text: str) -> int:
        return len(self._model.hf_tokenizer.encode(text, add_special_tokens=False).ids)


def _from_faster_whisper(one: Any) -> Heard:
    words = tuple(
        (float(w.start), float(w.end), str(w.word), float(w.probability)) for w in one.words or ()
    )
    return Heard(
        one.start,
        one.end,
        one.text,
        words,
        one.avg_logprob,
        one.no_speech_prob,
        one.compression_ratio,
    )


def _faster_whisper_folder(model: str) -> Path:
    from faster_whisper.utils import _MODELS

    return hub_folder(_MODELS.get(model, model))
