"""Text to unit vectors: MiniLM through ONNX Runtime, any sentence-transformers model, or a fake.

onnx:all-MiniLM-L6-v2          needs no download, and torch only once, for the export
onnx-int8:all-MiniLM-L6-v2     about twice as fast; benchmarks/embedding.py: what it costs
sentence-transformers:MODEL    a name on the Hugging Face hub, or a folder
fake:DIMENSION                 a hashed bag of words
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models import minilm
from pipeline.models.minilm import load_tokenizer, token_ids
from pipeline.models.registry import load_named, physical_cores
from pipeline.settings import Settings
from pipeline.types import Embedder, Vectors

MINILM = "all-MiniLM-L6-v2"

# Padded tokens in one run. Beyond it a batch falls out of the cache; short texts in batches of
# this size go twice as fast as one by one, texts of 120 tokens as fast (benchmarks/embedding.py).
_TOKENS_PER_RUN = 512
# A question and its hypothetical passages fit into one run, but several cores wait less for them.
_LEAST_TOKENS_PER_RUN = 64


def load_embedder(name: str, settings: Settings | None = None) -> Embedder:
    """The embedder called "provider:model".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a model that is
    not here and cannot be fetched.
    """
    loaders: dict[str, Callable[[str], Embedder]] = {
        "onnx:" + MINILM: partial(_minilm, "fp32"),
        "onnx-int8:" + MINILM: partial(_minilm, "int8"),
        "sentence-transformers:MODEL": SentenceTransformerEmbedder,
        "fake:DIMENSION": _fake,
    }
    return load_named("embedding_model", name, loaders)


# ---------------------------------------------------------------- MiniLM


class OnnxEmbedder:
    """An exported encoder that takes `ids` and `mask` and gives pooled unit vectors.

    Runs are single-threaded and as many at a time as there are physical cores: on small matrices
    that beats several threads in one run, and it does not slow down beside other work.
    Thread-safe.
    """

    def __init__(self, name: str, model: Path, tokenizer: Any, precision: minilm.Precision) -> None:
        self.name = name
        self.dimension = minilm.DIMENSION
        self.max_tokens = minilm.MAX_TOKENS
        self._session = _session(model)
        self._tokenizer = tokenizer
        self._threads = physical_cores()
        # int8 takes one text at a time: the scale of its activations is that of the whole run,
        # so that a vector would depend on the texts beside it.
        self._tokens_per_run = _TOKENS_PER_RUN if precision == "fp32" else 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, unit rows, in order; what is beyond 256 tokens is not seen.

        A text's vector is the same within 1e-6 whatever texts it is embedded with.
        """
        ids = token_ids(self._tokenizer, texts, self.max_tokens)
        vectors = np.empty((len(ids), self.dimension), np.float32)
        for rows, made in self._runs(ids, "vectors"):
            vectors[rows] = made
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens per text with [CLS] and [SEP], not truncated."""
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        """Per text (its tokens, 384) float32, unit rows, without [CLS] and [SEP].

        The same within 1e-6 whatever texts it is embedded with, as `embed`.
        """
        ids = token_ids(self._tokenizer, texts, self.max_tokens)
        found: dict[int, Vectors] = {}
        for rows, made in self._runs(ids, "states"):
            for row, states in zip(rows, made, strict=True):
                found[row] = _unit(states[1 : len(ids[row]) - 1])
        return [found[row] for row in range(len(ids))]

    def _runs(
        self, ids: Sequence[Sequence[int]], output: str
    ) -> Iterator[tuple[list[int], Vectors]]:
        """(rows, what the model makes of them), every row once; several runs at once."""
        lengths = [len(text) for text in ids]
        share = max(_LEAST_TOKENS_PER_RUN, sum(lengths) // self._threads)
        runs = list(_runs(lengths, min(self._tokens_per_run, share)))

        def run(rows: Sequence[int]) -> Vectors:
            made: Vectors = self._session.run([output], minilm.padded([ids[row] for row in rows]))[
                0
            ]
            return made

        if len(runs) <= 1:
            yield from ((rows, run(rows)) for rows in runs)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            yield from zip(runs, pool.map(run, runs), strict=True)


def _runs(lengths: Sequence[int], tokens_per_run: int) -> Iterator[list[int]]:
    """Rows of one run each, of about one length, so that little is padded."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if rows and (len(rows) + 1) * lengths[row] > tokens_per_run:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _session(model: Path) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except (runtime.Fail, runtime.InvalidGraph, runtime.InvalidProtobuf) as error:
        raise ModelUnavailable(
            f"{model} is damaged", f"rm '{model}'; it is exported again at the next start"
        ) from error


def _minilm(precision: minilm.Precision, model: str) -> Embedder:
    provider = "onnx" if precision == "fp32" else "onnx-int8"
    if model != MINILM:
        raise SettingsError(
            f"{provider} runs {MINILM} only, not {model!r}",
            f"embedding_model = sentence-transformers:{model}",
        )
    tokenizer = load_tokenizer(minilm.folder())
    file = minilm.onnx_file(precision)
    return OnnxEmbedder(f"{provider}:{model}", file, tokenizer, precision)


# ---------------------------------------------------------------- sentence-transformers


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, run by torch: 5 s to import."""

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        # The library's own short names: "all-mpnet-base-v2".
        short = "/" not in model and not Path(model).is_dir()
        folder = hub_folder(f"sentence-transformers/{model}" if short else model)
        with unusable(f"sentence-transformers model {model}"):
            from sentence_transformers import SentenceTransformer

            quiet_transformers()
            self._model = SentenceTransformer(str(folder), local_files_only=True)
        self._tokenizer = _whole_tokenizer(self._model.tokenizer)
        self.name = f"sentence-transformers:{model}"
        self.dimension = int(self._model.get_embedding_dimension())
        limit = self._model.max_seq_length
        # Static embeddings take any length; passages are packed by seconds anyway.
        self.max_tokens = int(limit) if limit and limit < 1 << 20 else 8192

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, in order, truncated as the model says."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        vectors = self._model.encode(
            list(texts), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        """Per text (its tokens, dimension) float32, unit rows, special tokens included."""
        if not texts:
            return []
        made = self._model.encode(
            list(texts), output_value="token_embeddings", show_progress_bar=False
        )
        return [_unit(np.asarray(rows.float().cpu(), np.float32)) for rows in made]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens per text, special tokens included, not truncated."""
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts))]


def _whole_tokenizer(tokenizer: Any) -> Any:
    """A copy that does not truncate: the model's own is set to."""
    from tokenizers import Tokenizer

    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(backend, Tokenizer):
        raise ModelUnavailable(
            "this model's tokenizer cannot count tokens", "choose a model with a tokenizer.json"
        )
    whole = Tokenizer.from_str(backend.to_str())
    whole.no_truncation()
    whole.no_padding()
    return whole


def _unit(rows: Vectors) -> Vectors:
    """The rows at unit length, rows of nothing as they are."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = rows / np.maximum(lengths, np.float32(1e-12))
    return unit


# ---------------------------------------------------------------- fake


class FakeEmbedder:
    """A hashed bag of words: texts that share words are near, and every run gives the same."""

    max_tokens = 256

    def __init__(self, dimension: int) -> None:
        self.name = f"fake:{dimension}"
        self.dimension = dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows; a text without words lies along the first axis."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in _words(text)[: self.max_tokens - 2]:
                vectors[row] += self._word(word)
            if not vectors[row].any():
                vectors[row, 0] = 1.0
        return _unit(vectors)

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        """Per text (its words, dimension)."""
        none = np.empty((0, self.dimension), np.float32)
        return [
            np.stack([self._word(word) for word in words]) if words else none
            for words in (_words(text)[: self.max_tokens - 2] for text in texts)
        ]

    def _word(self, word: str) -> Vectors:
        """(dimension,) one of its axes, or the opposite of one."""
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        vector = np.zeros(self.dimension, np.float32)
        vector[int.from_bytes(digest[1:], "big") % self.dimension] = 1 if digest[0] & 1 else -1
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words per text and two, as if there were special tokens."""
        return [len(_words(text)) + 2 for text in texts]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _fake(dimension: str) -> Embedder:
    if not dimension.isdigit() or int(dimension) < 1:
        raise SettingsError(f"fake:{dimension} is no dimension", "write it as fake:64")
    return FakeEmbedder(int(dimension))
