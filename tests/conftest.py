"""What every test runs under: no network, no real model by accident, settings from nowhere else."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import Footnote

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The developer's own FOOTNOTE_* settings and footnote.toml play no part in a test."""
    for name in list(os.environ):
        if name.startswith("FOOTNOTE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    # What is measured here says nothing about this machine's next run.
    monkeypatch.setattr("pipeline.ingest.speeds.default_file", lambda: tmp_path / "speeds.json")
    monkeypatch.setenv("FOOTNOTE_SPEEDS", str(tmp_path / "speeds.json"))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket to anything but this machine is a failure."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = self.family == getattr(socket, "AF_UNIX", None)
        host = address[0] if isinstance(address, tuple) else ""
        if not local and host not in ("127.0.0.1", "::1", "localhost"):
            pytest.fail(f"a test opened a connection to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def footnote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Footnote]:
    """The command line over an empty folder, with the fake embedder and no other model."""
    monkeypatch.setenv("FOOTNOTE_EMBEDDING_MODEL", "fake:64")
    monkeypatch.setenv("FOOTNOTE_PROFILE", "embedded")
    yield Footnote(tmp_path / "library", capsys)
