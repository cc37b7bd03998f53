"""A question and texts to scores: a cross-encoder, late interaction over tokens, or a fake.

cross-encoder:MODEL     a sentence-transformers cross-encoder, a name on the hub or a folder
late                    the library's own embedding model, token by token; loads nothing else
fake:words              the share of the question's words that a text holds

These are the models of a reranker that judges every text by itself; `retrieve/rerank.py` makes
an order of the scores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.registry import load_named
from pipeline.types import Embedder, PassageScorer, Vectors

# Texts in one run of a cross-encoder; it sorts them by length itself.
_BATCH = 16
# Rounded, so that the same texts score the same in whatever batch they were.
_DECIMALS = 5


@runtime_checkable
class TokenEmbedder(Protocol):
    """An embedder that also gives the vectors it pools."""

    name: str

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        """Per text (tokens, dimension) float32, unit rows; no rows for a text without any."""
        ...


def load_scorer(name: str, embedder: Callable[[], Embedder]) -> PassageScorer:
    """The scorer called `name`; `embedder` gives the library's embedding model, for `late`.

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a model that is
    not here and cannot be fetched.
    """
    loaders: dict[str, Callable[[str], PassageScorer]] = {
        "cross-encoder:MODEL": CrossEncoderScorer,
        "late": lambda _: LateInteraction(_token_embedder(embedder())),
        "fake:words": _fake,
    }
    return load_named("rerank_model", name, loaders)


# ---------------------------------------------------------------- cross-encoder


class CrossEncoderScorer:
    """A model that reads question and text together (Nogueira and Cho 2019, "Passage
    Re-ranking with BERT"): one run per text, nothing can be computed before the question.

    Run by torch, on a GPU where there is one. What is beyond the model's tokens is not seen.
    """

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"cross-encoder:{model}"
        folder = hub_folder(model)
        _check_head(model, folder)
        with unusable(f"the cross-encoder {model}"):
            import torch
            from sentence_transformers import CrossEncoder

            quiet_transformers()
            # The logits themselves: a sigmoid would round the best ones to the same 1.0.
            self._model = CrossEncoder(
                str(folder), local_files_only=True, activation_fn=torch.nn.Identity()
            )
            labels = int(self._model.num_labels)
        if labels != 1:
            raise ModelUnavailable(
                f"{model} sorts texts into {labels} classes and gives no single score",
                "choose a cross-encoder for retrieval, such as "
                "cross-encoder:cross-encoder/ms-marco-MiniLM-L6-v2",
            )

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) logits."""
        if not texts:
            return np.empty(0)
        pairs = [(query, text) for text in texts]
        scores = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        return np.asarray(scores, np.float64).reshape(len(texts)).round(_DECIMALS)


def _check_head(model: str, folder: Path) -> None:
    """Refuse a model that has no scoring head: one with random weights would be put on it."""
    if (folder / "modules.json").is_file():
        return  # a model that sentence-transformers saved names all its parts
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        made_for = list(config.get("architectures") or [])
    except (OSError, ValueError, AttributeError) as error:
        raise ModelUnavailable(
            f"the cross-encoder {model} cannot be loaded: no config.json that can be read",
            "check the folder, or choose another model",
        ) from error
    if not any(str(name).endswith("ForSequenceClassification") for name in made_for):
        raise ModelUnavailable(
            f"{model} is no cross-encoder: it was made as {', '.join(made_for) or 'nothing known'}",
            "choose one, such as cross-encoder:cross-encoder/ms-marco-MiniLM-L6-v2",
        )


# ---------------------------------------------------------------- late interaction


class LateInteraction:
    """The mean over the question's tokens of each one's best cosine with a token of the text.

    MaxSim of ColBERT (Khattab and Zaharia 2020), used on video by Video-ColBERT (Reddy et al.
    2025). The embedding model was not trained for it.
    """

    def __init__(self, embedder: TokenEmbedder) -> None:
        self.name = f"late:{embedder.name}"
        self._embedder = embedder

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) in [-1, 1]; 0 for a text, or a question, without a token."""
        asked, *told = self._embedder.embed_tokens([query, *texts])
        scores = [
            float((asked @ tokens.T).max(axis=1).mean()) if len(asked) and len(tokens) else 0.0
            for tokens in told
        ]
        return np.array(scores, np.float64).round(_DECIMALS)


def _token_embedder(embedder: Embedder) -> TokenEmbedder:
    if not isinstance(embedder, TokenEmbedder):
        raise ModelUnavailable(
            f"the embedding model {embedder.name} gives no vectors of single tokens",
            "choose another FOOTNOTE_RERANK_MODEL",
        )
    return embedder


# ---------------------------------------------------------------- fake


class WordScorer:
    """The share of the question's words that a text holds: content, without weights."""

    name = "fake:words"

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) in [0, 1]."""
        asked = _words(query)
        shares = [len(asked & _words(text)) / max(len(asked), 1) for text in texts]
        return np.array(shares, np.float64)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _fake(script: str) -> PassageScorer:
    if script != "words":
        raise SettingsError(f"fake:{script} scores nothing", "write it as fake:words")
    return WordScorer()
