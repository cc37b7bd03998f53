"""Scorers: a made cross-encoder through the real loading code, MaxSim by hand, and a fake."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.embedding import load_embedder
from pipeline.models.reranking import LateInteraction, load_scorer
from pipeline.types import Embedder, PassageScorer, Vectors
from tests import checkpoints

QUERY = "who was at the boat"
TEXTS = [
    "the boat was on the sea",
    "what",
    "",
    "who is it that was with the boat at the harbour by the sea " * 20,
    "mañana 今日は 12:30",
    "a boat",
]


def no_embedder() -> Embedder:
    raise AssertionError("only late interaction needs the library's embedding model")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    checkpoints.cross_encoder(folder)
    checkpoints.sentence_transformer(folder)
    return folder


@pytest.fixture(params=["fake:words", "late", "late torch", "cross-encoder"])
def scorer(request: pytest.FixtureRequest, tiny: Path) -> PassageScorer:
    if request.param == "cross-encoder":
        return load_scorer(f"cross-encoder:{tiny / 'tiny-cross-encoder-1'}", no_embedder)
    if request.param == "late torch":
        embedder = load_embedder(f"sentence-transformers:{tiny / 'tiny-sentences'}")
        return load_scorer("late", lambda: embedder)
    return load_scorer(request.param, lambda: load_embedder("fake:64"))


def test_every_scorer_gives_one_finite_score_per_text(scorer: PassageScorer) -> None:
    scores = scorer.score(QUERY, TEXTS)
    assert scores.shape == (len(TEXTS),) and scores.dtype == np.float64
    assert np.isfinite(scores).all() and len(set(scores.tolist())) > 2
    assert scorer.score(QUERY, []).shape == (0,)
    assert ":" in scorer.name


def test_a_score_does_not_depend_on_the_texts_beside_it(scorer: PassageScorer) -> None:
    together = scorer.score(QUERY, TEXTS)
    assert scorer.score(QUERY, TEXTS[::-1]).tolist() == together[::-1].tolist()
    alone = [float(scorer.score(QUERY, [text])[0]) for text in TEXTS]
    assert alone == pytest.approx(together.tolist(), abs=2e-5)


# ---------------------------------------------------------------- cross-encoder


def test_the_cross_encoder_says_what_the_model_says(tiny: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny / "tiny-cross-encoder-1"
    scores = load_scorer(f"cross-encoder:{folder}", no_embedder).score(QUERY, TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for text, score in zip(TEXTS, scores, strict=True):
        pair = tokenizer([QUERY], [text], truncation=True, max_length=64, return_tensors="pt")
        with torch.no_grad():
            assert score == pytest.approx(float(model(**pair).logits), abs=1e-4)


def test_an_encoder_without_a_scoring_head_is_refused(tiny: Path) -> None:
    """Loaded as it is, a head with random weights would score the texts."""
    with pytest.raises(ModelUnavailable, match="no cross-encoder: it was made as BertModel"):
        load_scorer(f"cross-encoder:{tiny / 'encoder'}", no_embedder)


def test_a_classifier_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.cross_encoder(tmp_path, labels=3)
    with pytest.raises(ModelUnavailable, match="into 3 classes") as caught:
        load_scorer(f"cross-encoder:{folder}", no_embedder)
    assert "cross-encoder:" in caught.value.hint


def test_a_model_that_is_not_here_is_found_out_at_once(tmp_path: Path) -> None:
    began = time.perf_counter()
    with pytest.raises(ModelUnavailable, match="not on this machine") as caught:
        load_scorer("cross-encoder:nobody/no-such-model", no_embedder)
    assert caught.value.hint and time.perf_counter() - began < 5
    with pytest.raises(ModelUnavailable, match="no model folder"):
        load_scorer(f"cross-encoder:{tmp_path / 'nowhere'}", no_embedder)


def test_a_folder_that_holds_no_model_is_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        load_scorer(f"cross-encoder:{tmp_path}", no_embedder)
    broken = tmp_path / "broken"
    shutil.copytree(tiny / "tiny-cross-encoder-1", broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelUnavailable, match="cannot be loaded") as caught:
        load_scorer(f"cross-encoder:{broken}", no_embedder)
    assert "\n" not in caught.value.message


# ---------------------------------------------------------------- late interaction


class Drawn:
    """Token vectors drawn by hand: one unit vector of the plane per word, at its degrees."""

    name = "test:drawn"

    def embed_tokens(self, texts: list[str]) -> list[Vectors]:
        angles = [np.radians([float(word) for word in text.split()]) for text in texts]
        return [np.stack([np.cos(a), np.sin(a)], axis=1).astype(np.float32) for a in angles]


def test_late_interaction_is_the_mean_of_each_tokens_best_cosine() -> None:
    scores = LateInteraction(Drawn()).score("0 90", ["0", "0 90 45", "60", "180 270", ""])
    expected = [
        (1 + 0) / 2,
        1,
        (np.cos(np.radians(60)) + np.cos(np.radians(30))) / 2,
        0,
        0,
    ]
    assert scores.tolist() == pytest.approx(expected, abs=1e-5)


def test_late_interaction_of_words_finds_the_text_that_holds_them() -> None:
    scorer = load_scorer("late", lambda: load_embedder("fake:512"))
    scores = scorer.score("owl night", ["the owl hunts at night", "the owl", "a ferry"])
    assert scores[0] == 1 and scores[0] > scores[1] > scores[2]


def test_an_embedder_without_token_vectors_is_named() -> None:
    class Pooled:
        name = "caller:pooled"

    with pytest.raises(ModelUnavailable, match="caller:pooled"):
        load_scorer("late", lambda: Pooled())  # type: ignore[arg-type, return-value]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["nosuch:thing", "cross-encoder:", "late:minilm", "fake:owl"])
def test_a_name_that_cannot_be_a_scorer_says_how_to_write_it(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_scorer(name, no_embedder)
    assert caught.value.hint
