"""Whether one text follows from another: a model of natural language inference, or a fake.

nli:MODEL      a transformers cross-encoder that sorts pairs of texts into entailment, neutral and
               contradiction, a name on the hub or a folder
fake:words     words in common, and a "not" on one side only

It judges pairs. Which texts are put beside each other, and what is made of it, is the matter of
`answer/verify_model.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.registry import load_named
from pipeline.types import InferenceModel

_BATCH = 16  # pairs in one run, of about the same length
_LONGEST = 512  # tokens of a pair, where neither model nor tokenizer says
# Rounded, so that the same pair comes to the same in whatever batch it was.
_DECIMALS = 5
# How a label begins on the hub: "ENTAILMENT", "entailment", "entail", "contradiction".
_LABELS = ("entail", "neutral", "contradict")


def load_inference(name: str) -> InferenceModel:
    """The model called `name`.

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a model that is
    not here and cannot be fetched, or that was not made for this.
    """
    loaders: dict[str, Callable[[str], InferenceModel]] = {
        "nli:MODEL": CrossEncoderInference,
        "fake:words": _fake,
    }
    return load_named("verify_model", name, loaders)


# ---------------------------------------------------------------- cross-encoder


class CrossEncoderInference:
    """A classifier that reads both texts together (Bowman et al. 2015, "A large annotated corpus
    for learning natural language inference"). Its labels are found by name, in whatever order.

    Run by torch, on a GPU where there is one.
    """

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"nli:{model}"
        folder = hub_folder(model)
        self._columns = _columns(model, folder)
        with unusable(f"the inference model {model}"):
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

            quiet_transformers()
            self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            self._model = AutoModelForSequenceClassification.from_pretrained(
                str(folder), local_files_only=True
            ).eval()
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
            self._model.to(self._device)
        self.max_tokens = _max_tokens(self._model.config, self._tokenizer)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens per text, without special ones and without truncation."""
        if not texts:
            return []
        found = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)
        return [len(tokens) for tokens in found["input_ids"]]

    def infer(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """(n, 3), see `types.InferenceModel`. Where a pair is too long its premise is cut."""
        found = np.zeros((len(pairs), 3))
        order = sorted(range(len(pairs)), key=lambda at: len(pairs[at][0]) + len(pairs[at][1]))
        for begin in range(0, len(order), _BATCH):
            places = order[begin : begin + _BATCH]
            found[places] = self._batch([pairs[at] for at in places])
        return found

    def _batch(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        import torch

        # A hypothesis longer than the model leaves nothing of the premise to cut.
        longest = max(self.count_tokens([hypothesis for _, hypothesis in pairs]))
        cut = "only_first" if longest < self.max_tokens // 2 else "longest_first"
        inputs = self._tokenizer(
            [premise for premise, _ in pairs],
            [hypothesis for _, hypothesis in pairs],
            truncation=cut,
            max_length=self.max_tokens,
            padding=True,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            logits = self._model(**inputs).logits.float()
        shares = torch.softmax(logits, dim=-1).cpu().numpy()
        return np.asarray(shares[:, self._columns], np.float64).round(_DECIMALS)


def _columns(model: str, folder: Path) -> list[int]:
    """Where the model's output has entailment, neutral and contradiction."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        made_for = [str(name) for name in config.get("architectures") or []]
        labels = {int(at): str(label) for at, label in (config.get("id2label") or {}).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ModelUnavailable(
            f"the inference model {model} cannot be loaded: no config.json that can be read",
            "check the folder, or choose another model",
        ) from error
    if not any(name.endswith("ForSequenceClassification") for name in made_for):
        raise ModelUnavailable(
            f"{model} sorts no texts: it was made as {', '.join(made_for) or 'nothing known'}",
            _HINT,
        )
    found = [_column(wanted, labels) for wanted in _LABELS]
    if None in found or len(labels) != len(_LABELS):
        named = ", ".join(labels[at] for at in sorted(labels)) or "none"
        raise ModelUnavailable(
            f"{model} does not say which of its classes are entailment, neutral and "
            f"contradiction; they are called {named}",
            _HINT,
        )
    return [at for at in found if at is not None]


_HINT = "choose a model of inference, such as nli:cross-encoder/nli-deberta-v3-base"


def _column(wanted: str, labels: Mapping[int, str]) -> int | None:
    found = [at for at, label in labels.items() if label.casefold().startswith(wanted)]
    return found[0] if len(found) == 1 else None


def _max_tokens(config: object, tokenizer: object) -> int:
    """Tokens of a pair. Tokenizers that know no limit say so with an absurd number."""
    told = (
        getattr(config, "max_position_embeddings", None),
        getattr(tokenizer, "model_max_length", None),
    )
    known = [int(limit) for limit in told if isinstance(limit, int) and 0 < limit < 10**6]
    return min(known, default=_LONGEST)


# ---------------------------------------------------------------- fake


class WordInference:
    """Entailment is the share of the hypothesis's words that the premise has, and where all are
    there, a "not" in one of the two alone is a contradiction: content, without weights."""

    name = "fake:words"
    max_tokens = 64

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words per text."""
        return [len(text.split()) for text in texts]

    def infer(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """(n, 3), see `types.InferenceModel`; no more than 64 words of a premise are seen."""
        rows = [_by_words(_words(" ".join(p.split()[:64])), _words(h)) for p, h in pairs]
        return np.array(rows, np.float64).reshape(len(pairs), 3)


def _by_words(premise: set[str], hypothesis: set[str]) -> tuple[float, float, float]:
    wanted = hypothesis - {"not"}
    share = len(wanted & premise) / max(1, len(wanted))
    if ("not" in premise) != ("not" in hypothesis):
        return 0.0, 1 - share, share
    return share, 1 - share, 0.0


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _fake(script: str) -> InferenceModel:
    if script != "words":
        raise SettingsError(f"fake:{script} infers nothing", "write it as fake:words")
    return WordInference()
