"""Every embedder keeps the same contract; MiniLM's export is PyTorch's model and nothing else."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import minilm
from pipeline.models.embedding import load_embedder
from pipeline.types import Embedder
from tests import checkpoints

ROOT = Path(__file__).resolve().parent.parent
MINILM = "all-MiniLM-L6-v2"
KINDS = ("fake", "onnx", "onnx-int8", "sentence-transformers")
TEXTS = [
    "",
    "Fees rise when blocks are full.",
    "the the that",
    "what is it that was at the where",
    "Drag the midpoint of the curve upward until the sky is brighter than the hill. " * 3,
    "mañana 今日は 12:30 🎬",
    "of " * 700,
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's empty cache, so that every run of the tests exports for real."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def names(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    tiny = checkpoints.sentence_transformer(tmp_path_factory.mktemp("tiny"))
    return {
        "fake": "fake:64",
        "onnx": f"onnx:{MINILM}",
        "onnx-int8": f"onnx-int8:{MINILM}",
        "sentence-transformers": f"sentence-transformers:{tiny}",
    }


@pytest.fixture(scope="module")
def loaded(names: dict[str, str]) -> dict[str, Embedder]:
    return {kind: load_embedder(name) for kind, name in names.items()}


@pytest.fixture(params=KINDS)
def embedder(request: pytest.FixtureRequest, loaded: dict[str, Embedder]) -> Embedder:
    return loaded[request.param]


def test_vectors_are_unit_rows_in_the_order_given(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    order = [3, 0, 6, 1, 5, 2, 4]
    np.testing.assert_allclose(embedder.embed([TEXTS[i] for i in order]), vectors[order], atol=1e-6)


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS * 12)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(together[-len(TEXTS) :], alone, atol=1e-6)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert embedder.count_tokens([]) == []


def test_tokens_are_counted_past_the_limit_and_embedded_up_to_it(embedder: Embedder) -> None:
    limit = embedder.max_tokens
    short, long = embedder.count_tokens(["the of", "the of " * limit])
    specials = embedder.count_tokens([""])[0]
    assert short == specials + 2
    assert long == specials + 2 * limit
    full = "the " * (limit - specials)
    beyond = full + "what who where how " * 20
    assert embedder.count_tokens([full]) == [limit]
    cut, whole = embedder.embed([full, beyond])
    np.testing.assert_allclose(cut, whole, atol=1e-5)
    half = (limit - specials) // 2
    other = embedder.embed(["the " * half + "who where how what " * (half // 4)])[0]
    assert float(cut @ other) < 0.9999, "what lies within the limit counts"


def test_the_name_is_the_one_asked_for(names: dict[str, str], loaded: dict[str, Embedder]) -> None:
    assert {kind: embedder.name for kind, embedder in loaded.items()} == names


@pytest.mark.parametrize("kind", ["fake", "onnx", "onnx-int8"])
def test_what_is_about_the_same_is_near(loaded: dict[str, Embedder], kind: str) -> None:
    question, near, far = loaded[kind].embed(
        [
            "How do I brighten the sky in a photo?",
            "To brighten the sky, select it and raise the photo's exposure.",
            "The committee voted against raising the block size.",
        ]
    )
    assert question @ near > question @ far + 0.1


# ---------------------------------------------------------------- MiniLM


def test_the_export_gives_the_vectors_of_sentence_transformers(
    loaded: dict[str, Embedder],
) -> None:
    texts = [*TEXTS, *minilm.CHECK_TEXTS]
    reference = load_embedder(f"sentence-transformers:{minilm.folder()}")
    wanted = reference.embed(texts)
    assert (loaded["onnx"].dimension, loaded["onnx"].max_tokens) == (
        reference.dimension,
        reference.max_tokens,
    )
    assert loaded["onnx"].count_tokens(texts) == reference.count_tokens(texts)
    assert (loaded["onnx"].embed(texts) * wanted).sum(axis=1).min() > 0.99999
    rough = (loaded["onnx-int8"].embed(texts) * wanted).sum(axis=1)
    assert rough.min() > 0.93 and rough.mean() > 0.98
    assert rough.mean() < 0.9999, "int8 is not the model that fp32 is, and has its own name"


def test_a_process_that_embeds_never_imports_torch(loaded: dict[str, Embedder]) -> None:
    code = (
        "import sys\n"
        "from pipeline.models.embedding import load_embedder\n"
        f"load_embedder('onnx:{MINILM}').embed(['hello', 'world'])\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
        "sys.exit(f'imports {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_token_vectors_are_unit_rows_of_the_tokens_that_were_seen(embedder: Embedder) -> None:
    made = embedder.embed_tokens(TEXTS)
    assert len(made) == len(TEXTS) and embedder.embed_tokens([]) == []
    special = 0 if embedder.name.startswith("sentence-transformers") else 2
    for rows, tokens in zip(made, embedder.count_tokens(TEXTS), strict=True):
        assert rows.shape == (min(tokens, embedder.max_tokens) - special, embedder.dimension)
        assert rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_states_of_the_export_are_what_its_vectors_are_pooled_from(
    loaded: dict[str, Embedder],
) -> None:
    onnx = loaded["onnx"]
    ids = minilm.token_ids(minilm.load_tokenizer(minilm.folder()), TEXTS[1:2], 256)
    states = onnx._session.run(["states"], minilm.padded(ids))[0][0]
    mean = states.mean(axis=0)
    assert onnx.embed(TEXTS[1:2])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_a_second_start_does_not_export_again(
    loaded: dict[str, Embedder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(minilm, "_export_in_child", refuse)
    again = load_embedder(f"onnx:{MINILM}").embed(TEXTS[:3])
    np.testing.assert_array_equal(again, loaded["onnx"].embed(TEXTS[:3]))


def test_the_export_leaves_only_whole_files(loaded: dict[str, Embedder], cache: Path) -> None:
    files = sorted(path.name for path in (cache / "footnote").iterdir())
    assert len(files) == 2 and all(name.endswith(("fp32.onnx", "int8.onnx")) for name in files)


def test_an_export_that_differs_from_pytorch_is_refused_and_not_kept(
    loaded: dict[str, Embedder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = minilm.onnx_file("fp32").read_bytes()

    def export(target: Path) -> np.ndarray:
        target.write_bytes(good)
        other = np.roll(loaded["onnx"].embed(list(minilm.CHECK_TEXTS)), 1, axis=0)
        return other

    monkeypatch.setattr(minilm, "_export", export)
    with pytest.raises(ModelUnavailable, match="differs from PyTorch"):
        minilm.main(["fp32", str(tmp_path / "model.onnx")])
    assert list(tmp_path.iterdir()) == []


def test_two_exports_at_once_leave_one_whole_file(
    loaded: dict[str, Embedder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = minilm.onnx_file("fp32").read_bytes()
    reference = loaded["onnx"].embed(list(minilm.CHECK_TEXTS))
    target = tmp_path / "model.onnx"
    half_way = threading.Barrier(2)
    seen: list[bool] = []

    def export(scratch: Path) -> np.ndarray:
        with scratch.open("wb") as file:
            file.write(good[: len(good) // 2])
            half_way.wait(30)
            seen.append(target.exists())
            half_way.wait(30)
            file.write(good[len(good) // 2 :])
        return reference

    monkeypatch.setattr(minilm, "_export", export)
    threads = [
        threading.Thread(target=minilm.main, args=(["fp32", str(target)],)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False, False]
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert target.read_bytes() == good


def test_a_damaged_export_says_which_file_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a model")
    monkeypatch.setattr(minilm, "onnx_file", lambda precision: broken)
    with pytest.raises(ModelUnavailable) as caught:
        load_embedder(f"onnx:{MINILM}")
    assert str(broken) in caught.value.message and f"rm '{broken}'" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "footnote").write_text("a file where the folder would be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable) as caught:
        load_embedder(f"onnx:{MINILM}")
    assert "\n" not in caught.value.message and "XDG_CACHE_HOME" in caught.value.hint


def test_the_childs_last_words_reach_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ModelUnavailable, match="exit code 1"):
        load_embedder(f"onnx:{MINILM}")


# ---------------------------------------------------------------- sentence-transformers


def test_a_folder_that_holds_no_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        load_embedder(f"sentence-transformers:{tmp_path}")
    assert str(tmp_path) in caught.value.message and "\n" not in caught.value.message
