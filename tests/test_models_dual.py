"""Dual encoders: made CLIP and SigLIP checkpoints through the real loading code, and the fake."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.dual import load_dual_encoder
from pipeline.models.shelf import Shelf
from pipeline.settings import Settings
from pipeline.types import DualEncoder, Image
from tests import checkpoints, clips

RED, BLUE, BLACK = clips.colour(220, 30, 30), clips.colour(40, 60, 220), clips.colour(0, 0, 0)
PICTURES = [RED, clips.texture(1, (96, 160)), BLUE, clips.texture(2), BLACK]
TEXTS = ["the what", "who is it", "a", ""]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dual")
    return {"clip": checkpoints.clip(folder), "siglip": checkpoints.siglip(folder)}


@pytest.fixture(scope="module")
def loaded(folders: dict[str, Path]) -> dict[str, DualEncoder]:
    names = {
        "clip": f"clip:{folders['clip']}",
        "siglip": f"clip:{folders['siglip']}",
        "sentence-transformers": f"sentence-transformers:{folders['clip']}",
        "fake": "fake:64",
    }
    encoders = {kind: load_dual_encoder(name) for kind, name in names.items()}
    assert {kind: encoder.name for kind, encoder in encoders.items()} == names
    return encoders


KINDS = ["clip", "siglip", "sentence-transformers", "fake"]


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest, loaded: dict[str, DualEncoder]) -> DualEncoder:
    return loaded[request.param]


def test_pictures_and_texts_are_unit_vectors_of_one_space(encoder: DualEncoder) -> None:
    for vectors, count in (
        (encoder.embed_images(PICTURES), len(PICTURES)),
        (encoder.embed_texts(TEXTS), len(TEXTS)),
    ):
        assert vectors.shape == (count, encoder.dimension) and vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.embed_images([]).shape == (0, encoder.dimension)
    assert encoder.embed_texts([]).shape == (0, encoder.dimension)


def test_a_vector_is_the_same_whatever_is_embedded_beside_it(encoder: DualEncoder) -> None:
    many = [PICTURES[i % 5] for i in range(20)]  # more than one batch
    vectors = encoder.embed_images(many)
    for at in (0, 6, 19):
        np.testing.assert_allclose(encoder.embed_images([many[at]])[0], vectors[at], atol=1e-5)
    together = encoder.embed_texts(TEXTS)
    for at, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.embed_texts([text])[0], together[at], atol=1e-5)


def test_another_picture_is_another_vector(encoder: DualEncoder) -> None:
    vectors = encoder.embed_images(PICTURES)
    products = vectors @ vectors.T
    assert (products - np.eye(len(PICTURES)) * 2 < 1 - 1e-6).all()


def test_a_long_text_is_cut_and_not_refused(encoder: DualEncoder) -> None:
    assert encoder.embed_texts(["the what who where how " * 100]).shape == (1, encoder.dimension)


def test_threads_may_share_an_encoder(encoder: DualEncoder) -> None:
    texts = ["the what " * (1 + at % 5) for at in range(40)]
    alone = encoder.embed_texts(texts)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: encoder.embed_texts([text])[0], texts))
    np.testing.assert_allclose(np.array(rows), alone, atol=1e-5)


def test_sentence_transformers_give_the_checkpoint_the_same_vectors(
    loaded: dict[str, DualEncoder],
) -> None:
    one, other = loaded["clip"], loaded["sentence-transformers"]
    np.testing.assert_allclose(one.embed_images(PICTURES), other.embed_images(PICTURES), atol=1e-5)
    np.testing.assert_allclose(one.embed_texts(TEXTS), other.embed_texts(TEXTS), atol=1e-5)


def test_pictures_are_prepared_as_the_checkpoint_says(
    folders: dict[str, Path], loaded: dict[str, DualEncoder], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folders["clip"], other)
    recipe = json.loads((other / "preprocessor_config.json").read_text())
    recipe["image_mean"] = [0.9, 0.1, 0.1]
    (other / "preprocessor_config.json").write_text(json.dumps(recipe))
    changed = load_dual_encoder(f"clip:{other}").embed_images([RED])
    assert float((changed @ loaded["clip"].embed_images([RED]).T)[0, 0]) < 0.999


# ---------------------------------------------------------------- the fake


def near(encoder: DualEncoder, text: str, pictures: list[Image]) -> int:
    return int((encoder.embed_texts([text]) @ encoder.embed_images(pictures).T).argmax())


def test_the_fake_knows_colours(loaded: dict[str, DualEncoder]) -> None:
    fake, pictures = loaded["fake"], [RED, BLUE, BLACK]
    assert near(fake, "a red car", pictures) == 0
    assert near(fake, "The BLUE sea", pictures) == 1
    assert near(fake, "at night", pictures) == 2
    nothing = fake.embed_texts(["an ambiguous sentence"]) @ fake.embed_images(pictures).T
    assert not nothing.any(), "a text without colours is like no picture"


# ---------------------------------------------------------------- what cannot be had


@pytest.mark.parametrize("name", ["fake:", "fake:3", "fake:x", "clip:", "clip", "open_clip:x"])
def test_a_name_that_cannot_be_one(name: str) -> None:
    with pytest.raises(SettingsError):
        load_dual_encoder(name)


@pytest.mark.parametrize("name", ["clip:openai/clip-vit-base-patch32", "clip:/no/such/folder"])
def test_a_model_that_is_not_here_is_found_out_at_once(name: str) -> None:
    began = time.monotonic()
    with pytest.raises(ModelUnavailable) as raised:
        load_dual_encoder(name)
    assert raised.value.hint and time.monotonic() - began < 3


def test_a_model_of_texts_only_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    texts = checkpoints.sentence_transformer(tmp_path)
    for name in (f"clip:{texts}", f"sentence-transformers:{texts}"):
        with pytest.raises(ModelUnavailable) as raised:
            load_dual_encoder(name)
        assert "pictures" in raised.value.message and "clip:" in raised.value.hint


def test_a_checkpoint_without_its_recipe_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["clip"], tmp_path / "half")
    (tmp_path / "half" / "preprocessor_config.json").unlink()
    with pytest.raises(ModelUnavailable) as raised:
        load_dual_encoder(f"clip:{tmp_path / 'half'}")
    assert "frame model" in raised.value.message


def test_the_shelf_has_it_only_where_it_is_set() -> None:
    shelf = Shelf(Settings(frame_model="fake:32"), "fake:8")
    assert shelf.dual_encoder() is shelf.dual_encoder() and shelf.name("frames") == "fake:32"
    without = Shelf(Settings(profile="local"), "fake:8")
    assert not without.available("frames") and without.name("frames") == ""
    with pytest.raises(ModelUnavailable, match="FOOTNOTE_FRAME_MODEL"):
        without.dual_encoder()
