"""Model files: here already, or fetched once. No network is found out within three seconds.

The hub's own clients retry for 48 s where there is no network, and say something misleading
about a folder that is missing; so what is here is looked for first, and the network is tried
once. `HF_HUB_OFFLINE=1` (the hub's own switch) forbids every download, Whisper's too: the tests
set it, so that a model loaded by accident is a failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pipeline.errors import FootnoteError, ModelUnavailable, SettingsError

NETWORK_SECONDS = 3.0
# A server that sends nothing for this long has gone.
_STALLED_SECONDS = 60.0
# Formats of frameworks that are not used here, often as large again as the weights.
_OTHER_FORMATS = (
    "*.h5", "*.msgpack", "*.ot", "*.tflite", "*.gguf", "*.onnx", "*.onnx_data", "onnx/*",
    "openvino/*", "coreml/*", "original/*", "flax_model*", "tf_model*", "rust_model*",
)  # fmt: skip
_WEIGHTS = ("*.safetensors", "*.bin")


def downloads_allowed() -> bool:
    """False when `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is set."""
    flags = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return not any(flag.strip().upper() in ("1", "ON", "YES", "TRUE") for flag in flags)


def check_network(url: str, what: str, hint: str) -> None:
    """Raise `ModelUnavailable` within three seconds when `url` cannot be reached.

    The question is asked in a thread of its own: looking a name up can take longer than any
    timeout that a client has.
    """
    if not downloads_allowed():
        raise ModelUnavailable(
            f"{what} is not on this machine, and HF_HUB_OFFLINE forbids downloads",
            f"unset HF_HUB_OFFLINE; or {hint}",
        )
    found: list[str] = []

    def ask() -> None:
        try:
            httpx.head(url, timeout=NETWORK_SECONDS)
            found.append("")
        except httpx.HTTPError as error:
            found.append(str(error) or type(error).__name__)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_SECONDS)
    problem = found[0] if found else f"no answer in {NETWORK_SECONDS:g} s"
    if problem:
        host = httpx.URL(url).host
        raise ModelUnavailable(
            f"{what} is not on this machine, and {host} cannot be reached ({problem})",
            f"connect once; or {hint}",
        )


@contextmanager
def unusable(what: str) -> Iterator[None]:
    """Turn what a library raises over files it cannot use into one `ModelUnavailable`."""
    try:
        yield
    except ImportError as error:
        raise missing_package(what, error) from error
    except FootnoteError:
        raise
    except Exception as error:  # loaders raise whatever their parsers do
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, pickle.UnpicklingError):
            first = "it is no checkpoint"  # torch's own advice is to run what is in the file
        raise ModelUnavailable(
            f"{what} cannot be loaded: {first}", "check the folder, or choose another model"
        ) from error


def quiet_transformers() -> None:
    """Keep its progress bars and its advice off a terminal that shows a progress of its own."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def missing_package(what: str, error: ImportError) -> ModelUnavailable:
    """Names the package: in full where Python knows it, else where the message does."""
    named = error.name.split(".")[0] if error.name else ""
    text = str(error).lower()
    for package in ("torchvision", "timm", "num2words", "accelerate", "sentencepiece"):
        named = named or (package if package in text else "")
    if not named:
        first = str(error).strip().splitlines()[0]
        return ModelUnavailable(f"{what} cannot be loaded: {first}", "install what it names")
    return ModelUnavailable(
        f"{what} needs the package {named}, which is not installed", f"pip install {named}"
    )


# ---------------------------------------------------------------- the Hugging Face hub


def hub_folder(name: str) -> Path:
    """The folder of a model: `name` itself, the hub's cache, or fetched now with progress.

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a folder that
    does not exist, a model that the hub does not have, no network or no room.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith(("/", ".", "~", "\\")) or name.count("/") > 1:
        raise ModelUnavailable(f"there is no model folder {folder}", "check the path")
    return _cached(name) or _fetched(name)


def _cached(name: str) -> Path | None:
    """The snapshot in the hub's cache, None when there is none or it is not whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise SettingsError(
            f"{name!r} is neither a folder nor a model name", "write it as OWNER/MODEL"
        ) from error
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether an earlier download into `folder` ended: weights, every shard, nothing partial."""
    if any((folder.parent.parent / "blobs").glob("*.incomplete")):
        return False
    shards: set[str] = set()
    for index in folder.rglob("*.index.json"):
        shards |= set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
    weights = {path.name for pattern in _WEIGHTS for path in folder.rglob(pattern)}
    return bool(weights) and {Path(shard).name for shard in shards} <= weights


def _fetched(name: str) -> Path:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    what = f"the model {name}"
    check_network(constants.ENDPOINT, what, "give a folder instead of a name")
    try:
        files = HfApi().list_repo_files(name)
        # Both formats of the same weights are often there: the safe one is enough.
        twice = ("*.bin", "*.pt", "*.pth") if any(f.endswith(".safetensors") for f in files) else ()
        return Path(snapshot_download(name, ignore_patterns=[*_OTHER_FORMATS, *twice]))
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"the hub has no model {name}, or it is not public", "check the name, or hf auth login"
        ) from error
    except HfHubHTTPError as error:
        first = str(error).strip().splitlines()[0]
        raise ModelUnavailable(f"{what} cannot be fetched: {first}", "hf auth login") from error
    except OSError as error:
        raise ModelUnavailable(
            f"{what} cannot be fetched: {error}", "make room, or set HF_HOME to another disk"
        ) from error


# ---------------------------------------------------------------- a single file


def download(url: str, target: Path, sha256: str, what: str) -> None:
    """Fetch `url` to `target`, with a progress bar on stderr where that is a terminal.

    Written beside `target` and renamed once its hash is right. Raises `ModelUnavailable`.
    """
    from tqdm import tqdm  # type: ignore[import-untyped]

    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            httpx.stream("GET", url, timeout=_STALLED_SECONDS, follow_redirects=True) as reply,
            partial.open("wb") as file,
        ):
            reply.raise_for_status()
            total = int(reply.headers.get("content-length", 0)) or None
            bar: Any = tqdm(total=total, desc=what, unit="B", unit_scale=True, disable=None)
            with bar:
                for block in reply.iter_bytes(1 << 20):
                    file.write(block)
                    digest.update(block)
                    bar.update(len(block))
        if digest.hexdigest() != sha256:
            raise ModelUnavailable(f"{what} arrived damaged from {url}", "try again")
        os.replace(partial, target)
    except (httpx.HTTPError, OSError) as error:
        raise ModelUnavailable(
            f"{what} cannot be fetched from {url}: {error}", "try again when connected"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
