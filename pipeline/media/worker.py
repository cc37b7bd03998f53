"""What runs in the child process of a `MediaReader`: calls from a pipe, one after the other.

Messages are pickles behind an eight-byte length. To the child: (function, arguments, keyword
arguments, whether progress is wanted). From it: ("progress", seconds) any number of times, then
("result", value), or ("error", MediaError), or ("spent", MediaError) when it must not be used
again. Pictures and sound stay on disk.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from pipeline.errors import FootnoteError, MediaError

_PROGRESS_EVERY = 0.2  # seconds
_CV2_NO_MEMORY = -4  # cv::Error::StsNoMem


def serve() -> None:
    """What the child runs: calls from standard input, one after the other, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nowhere:
        # What libraries print must not get between the messages.
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    memory_mb = int(sys.argv[1])
    _import_libraries()
    limit_memory(memory_mb)
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read_calls, args=(requests, calls), daemon=True).start()
    while True:
        kind, value = _answer(calls.get(), replies, memory_mb)
        send(replies, (kind, value))


def _import_libraries() -> None:
    """Before the limit is set, so that it is the file that meets it and not an import."""
    import av
    import cv2
    import scenedetect.detectors  # noqa: F401

    av.logging.set_level(None)
    cv2.setNumThreads(1)


def limit_memory(memory_mb: int) -> None:
    try:
        import resource
    except ImportError:
        return  # Windows has no such limits; the timeout holds there
    size = memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read_calls(requests: IO[bytes], calls: queue.SimpleQueue[Any]) -> None:
    """Runs in a thread, so that the parent's end is noticed in the middle of a call."""
    while (call := receive(requests)) is not None:
        calls.put(call)
    os._exit(0)


def _answer(call: Any, replies: IO[bytes], memory_mb: int) -> tuple[str, Any]:
    """Carry out one call. Whatever goes wrong is the file's fault until shown otherwise."""
    import cv2

    function, args, kwargs, wants_progress = call
    if wants_progress:
        kwargs["progress"] = _Reporter(replies)
    name = name_in(args)
    too_much = MediaError(
        f"{name}: reading it takes more than {memory_mb} MB of memory",
        "raise the setting media_memory_mb",
    )
    try:
        return "result", function(*args, **kwargs)
    except FootnoteError as error:
        return "error", error
    except MemoryError:
        return "spent", too_much
    except Exception as error:
        if isinstance(error, cv2.error) and error.code == _CV2_NO_MEMORY:
            return "spent", too_much
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return "spent", MediaError(
            f"{name} could not be read ({type(error).__name__} in {where}: {error})"
        )


def name_in(args: Sequence[Any]) -> str:
    """The file that a call is about: its first argument's name, or that of the first of these."""
    first = args[0] if args else None
    if isinstance(first, list) and first:
        first = first[0]
    return Path(first).name if isinstance(first, str | Path) else "the file"


class _Reporter:
    """Sends progress to the parent, a few times a second."""

    def __init__(self, replies: IO[bytes]) -> None:
        self._replies = replies
        self._due = 0.0

    def __call__(self, seconds: float) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _PROGRESS_EVERY
            send(self._replies, ("progress", seconds))


# ---------------------------------------------------------------- messages


def send(pipe: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(len(data).to_bytes(8, "big") + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """The next message, None at the end of the pipe, be it in the middle of one."""
    try:
        size = int.from_bytes(_exactly(pipe, 8), "big")
        return pickle.loads(_exactly(pipe, size))
    except (EOFError, OSError, ValueError):
        return None


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data
