"""Model files: what is here is used, what is not is fetched once or told within seconds."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from huggingface_hub import constants

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models import weights
from pipeline.models.embedding import load_embedder
from pipeline.models.weights import check_network, download, hub_folder

DATA = b"weights " * 100_000


class _Files(BaseHTTPRequestHandler):
    """/whole has DATA, /cut breaks off in the middle of it, the rest is missing as on the hub."""

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/cut"):
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA if self.path == "/whole" else DATA[: len(DATA) // 2])


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the hub."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")


def cached_model(cache: Path, *files: str) -> Path:
    """A model in the hub's cache layout, with empty files."""
    snapshot = cache / "models--owner--model" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    (snapshot.parent.parent / "blobs").mkdir()
    for name in ("config.json", *files):
        (snapshot / name).write_text("{}")
    return snapshot


# ---------------------------------------------------------------- one file


def test_a_file_arrives_whole_or_not_at_all(server: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model.pt"
    download(f"{server}/whole", target, hashlib.sha256(DATA).hexdigest(), "the model")
    assert target.read_bytes() == DATA
    for path, sha256, said in (
        ("whole", "0" * 64, "damaged"),
        ("cut", hashlib.sha256(DATA).hexdigest(), "cannot be fetched"),
        ("missing", "0" * 64, "404"),
    ):
        other = tmp_path / path / "model.pt"
        with pytest.raises(ModelUnavailable, match=said):
            download(f"{server}/{path}", other, sha256, "the model")
        assert list(other.parent.iterdir()) == []


def test_the_file_that_was_there_survives_a_failed_download(server: str, tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    target.write_bytes(b"the old one")
    with pytest.raises(ModelUnavailable):
        download(f"{server}/cut", target, "0" * 64, "the model")
    assert target.read_bytes() == b"the old one"


# ---------------------------------------------------------------- the network


@pytest.mark.usefixtures("online")
def test_no_network_is_found_out_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "NETWORK_SECONDS", 0.2)
    monkeypatch.setattr(httpx, "head", lambda *_, **__: time.sleep(3))
    start = time.monotonic()
    with pytest.raises(ModelUnavailable, match=r"models\.example.*no answer in 0\.2 s") as caught:
        check_network("https://models.example/x", "Whisper tiny", "buy a disk")
    assert time.monotonic() - start < 1.5
    assert caught.value.hint == "connect once; or buy a disk"


@pytest.mark.usefixtures("online")
def test_a_refused_connection_is_told_and_a_server_is_enough(server: str) -> None:
    check_network(server, "it", "hint")
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        check_network("http://127.0.0.1:9", "it", "hint")


@pytest.mark.usefixtures("cache")
def test_the_switch_forbids_every_download() -> None:
    start = time.monotonic()
    for name in ("sentence-transformers:all-mpnet-base-v2", "sentence-transformers:a/b"):
        with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE") as caught:
            load_embedder(name)
        assert "folder" in caught.value.hint
    assert time.monotonic() - start < 3


# ---------------------------------------------------------------- the hub


def test_a_folder_is_taken_as_it_is_and_a_missing_one_told(tmp_path: Path) -> None:
    assert hub_folder(str(tmp_path)) == tmp_path
    for name in (str(tmp_path / "none"), "./none", "~/none", "a/b/c"):
        with pytest.raises(ModelUnavailable, match="no model folder"):
            hub_folder(name)


@pytest.mark.usefixtures("cache")
def test_a_name_that_cannot_be_one_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="neither a folder nor a model name"):
        hub_folder("not a name")


@pytest.mark.usefixtures("online")
def test_a_model_in_the_cache_asks_nobody(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "check_network", lambda *_: pytest.fail("asked the network"))
    snapshot = cached_model(cache, "model.safetensors")
    assert hub_folder("owner/model") == snapshot


@pytest.mark.parametrize("missing", ["weights", "shard", "partial"])
def test_half_a_model_in_the_cache_is_none(cache: Path, missing: str) -> None:
    index = '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
    snapshot = cached_model(cache)
    if missing != "weights":
        (snapshot / "model-1.safetensors").touch()
        (snapshot / "model.safetensors.index.json").write_text(index)
    if missing == "partial":
        (snapshot / "model-2.safetensors").touch()
        (snapshot.parent.parent / "blobs" / "abc.incomplete").touch()
    with pytest.raises(ModelUnavailable, match="not on this machine"):
        hub_folder("owner/model")


@pytest.mark.usefixtures("online", "cache")
def test_a_model_that_the_hub_does_not_have_is_told(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", server)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelUnavailable, match="the hub has no model owner/nothing"):
        hub_folder("owner/nothing")


def test_an_old_cache_entry_does_not_hide_a_local_folder(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_model(cache, "model.safetensors")
    local = tmp_path / "owner" / "model"
    local.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub_folder("owner/model") == Path("owner/model")
