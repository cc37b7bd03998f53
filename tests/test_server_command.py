"""`footnote serve` as a process: what it prints, to whom it opens, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipeline.apps.server import serve
from pipeline.apps.serving.context import ServerOptions
from pipeline.errors import UsageError
from tests.served import RIVER, library_of


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_beyond_loopback_it_makes_a_token_up_prints_the_address_and_ends_with_ctrl_c(
    tmp_path: Path,
) -> None:
    library_of(tmp_path, *RIVER).close()
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "pipeline.apps.cli",
        "serve",
        "--library",
        tmp_path / "library",
    ]
    settings = {"FOOTNOTE_EMBEDDING_MODEL": "fake:64", "FOOTNOTE_PROFILE": "embedded"}
    process = subprocess.Popen(
        [*command, "--port", str(port), "--host", "0.0.0.0"],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        told = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", process.stderr.readline())
        assert told and int(told[1]) == port
        transport = httpx.HTTPTransport(retries=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport) as client:
            # The socket listens before the address is printed: a request waits for its answer.
            assert client.get("/api/status").status_code == 401
            opened = client.get("/", params={"token": told[2]}, follow_redirects=True)
            assert opened.status_code == 200
            assert client.get("/api/status").json()["counts"]["videos"] == 2
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and out == "" and "Traceback" not in errors
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, library_of(tmp_path) as library:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} cannot be listened on"):
            serve(library, ServerOptions(port=port))
