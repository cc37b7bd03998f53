"""A stream is made in a child process of its own, which may die of the file that it reads.

The child writes into a pipe that holds 64 KB: it waits as long as nobody takes what it made. It is
killed when it is no longer wanted, and ends by itself when its parent does.

    with LiveStream("talk.mkv", 83.0, like=os.stat("talk.mkv")) as stream:
        print(stream.facts.start)
        while data := stream.read():
            ...

To the child: one line of JSON, then nothing; the end of the pipe is the end of the parent. From
it: one line of JSON, {"facts": ...} or {"error": ...}, then the bytes of the stream.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import FootnoteError, MediaError
from pipeline.media.container import identity
from pipeline.media.remux import StreamFacts, write_stream
from pipeline.media.worker import limit_memory

CHUNK = 1 << 16
_LONGEST_LINE = 1 << 16
_START = "from pipeline.media.live import serve; serve()"
# A page that is searched or answered meanwhile goes first.
_NICE = 5


class LiveStream:
    """A fragmented MP4 of `path` from `seconds` on, while it is made; see `remux.write_stream`.

    `like` is the file that is meant: another one found at `path` is not read. One thread reads;
    `close` may be called from any, and ends a `read` that waits.
    """

    def __init__(
        self,
        path: str | Path,
        seconds: float,
        *,
        like: os.stat_result,
        anew: bool = False,
        memory_mb: int = 4096,
    ) -> None:
        self._name = Path(path).name
        root = str(Path(__file__).resolve().parents[2])
        search = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # -P: a module in the folder of the videos is not ours to run. A session of its own keeps
        # the terminal's Ctrl-C away.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": search, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._closing = threading.Lock()
        request = {
            "path": os.path.abspath(path),
            "seconds": seconds,
            "like": identity(like),
            "anew": anew,
            "memory_mb": memory_mb,
        }
        self._say(json.dumps(request).encode() + b"\n")

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> StreamFacts:
        """What is known before the first byte; waits for it. To be called once, before `read`.

        Raises `MediaError` where nothing can be made of the file.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_LONGEST_LINE)
        if not line:
            raise MediaError(f"{self._name}: the decoder crashed or was stopped")
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise MediaError(said["error"]["message"], said["error"]["hint"])
        return StreamFacts(**said["facts"])

    def read(self) -> bytes:
        """The next bytes, up to 64 KB, as soon as there are any; b"" at the end.

        Raises `MediaError` where the child died before the end.
        """
        assert self._process.stdout is not None
        data: bytes = self._process.stdout.read1(CHUNK)  # type: ignore[attr-defined]
        if not data and self._process.wait() != 0:
            raise MediaError(f"{self._name}: the decoder crashed or was stopped")
        return data

    def close(self) -> None:
        """Kill the child and reap it."""
        with self._closing:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(BrokenPipeError):  # the rest of a request that it did not read
                    if pipe:
                        pipe.close()

    def _say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died: `begin` says so
            self._process.stdin.write(data)
            self._process.stdin.flush()


# ---------------------------------------------------------------- in the child


def serve() -> None:
    """What the child runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, output = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    with open(os.devnull, "r+b") as nowhere:
        # What libraries print must not get into the stream.
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    request = json.loads(requests.readline(_LONGEST_LINE))
    threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    sys.exit(_answer(request, output))


def _end_with(requests: BinaryIO) -> None:
    """Runs in a thread, so that the parent's end is noticed whatever the decoder does."""
    requests.read()
    os._exit(0)


def _answer(request: dict[str, Any], output: BinaryIO) -> int:
    """Make the stream; an exit code other than 0 says that it is not whole."""
    import av

    av.logging.set_level(None)
    limit_memory(request["memory_mb"])
    path, beginning = request["path"], _Beginning(output)
    wanted = {"anew": request["anew"], "like": request["like"]}
    try:
        write_stream(path, request["seconds"], output, beginning.announce, **wanted)
    except (FootnoteError, MemoryError) as error:
        if beginning.announced:
            return 1
        message = str(error) or f"{Path(path).name}: reading it takes too much memory"
        _tell(output, {"error": {"message": message, "hint": getattr(error, "hint", "")}})
    return 0


class _Beginning:
    """Tells the parent what it gets, once it is sure to get something."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self.announced = False

    def announce(self, facts: StreamFacts) -> None:
        self.announced = True
        _tell(self._output, {"facts": asdict(facts)})


def _tell(output: BinaryIO, said: dict[str, Any]) -> None:
    output.write(json.dumps(said).encode() + b"\n")
