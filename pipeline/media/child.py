"""Hostile files are read in a child process, which may die of them.

A decoder that crashes, hangs or eats all memory takes the child with it, and the file gets one
line that says so; the next file gets a new child. Children are kept for the next file, since
starting one takes half a second. A child ends when its parent does, however that ends, and does
not hear Ctrl-C, which its parent does.

    with MediaReader(memory_mb=4096, timeout=3600) as reader:
        info = reader.probe("talk.mp4")
        scan = reader.scan_video("talk.mp4", folder)
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pipeline.errors import MediaError
from pipeline.media.audio import Sound, read_audio
from pipeline.media.bundles import BundleText, read_bundle
from pipeline.media.cues import SubtitleTrack
from pipeline.media.frames import save_frames_at
from pipeline.media.probe import MediaInfo, probe
from pipeline.media.published import Published, read_published
from pipeline.media.scan import Scan, scan_video
from pipeline.media.subtitles import read_subtitles
from pipeline.media.worker import name_in, receive, send

P = ParamSpec("P")
T = TypeVar("T")

_START = "from pipeline.media.worker import serve; serve()"


class MediaReader:
    """Reads media files in children with `memory_mb` of address space, `timeout` s a call.

    Thread-safe: calls made at the same time get children of their own. Every method raises
    `MediaError` as the function of its name does, and where the child crashed or took too long.
    """

    def __init__(self, memory_mb: int = 4096, timeout: float = 3600.0) -> None:
        self._memory_mb = memory_mb
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[_Child] = []

    def __enter__(self) -> MediaReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the children. A later call starts a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def probe(self, path: str | Path) -> MediaInfo:
        return self.run(probe, path)

    def scan_video(
        self,
        path: str | Path,
        folder: str | Path,
        *,
        frames_per_second: float = 2.0,
        key_frames_per_shot: int = 3,
        progress: Callable[[float], None] | None = None,
    ) -> Scan:
        return self.run(
            scan_video,
            path,
            folder,
            frames_per_second=frames_per_second,
            key_frames_per_shot=key_frames_per_shot,
            progress=progress,
        )

    def read_audio(
        self,
        path: str | Path,
        target: str | Path,
        *,
        stream: int | None = None,
        language: str = "",
        levels: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> Sound:
        return self.run(
            read_audio,
            path,
            target,
            stream=stream,
            language=language,
            levels=levels,
            progress=progress,
        )

    def subtitles(
        self,
        path: str | Path,
        sidecars: Sequence[str | Path] = (),
        info: MediaInfo | None = None,
    ) -> tuple[tuple[SubtitleTrack, ...], tuple[str, ...]]:
        return self.run(read_subtitles, path, sidecars, info)

    def published(self, sidecars: Sequence[str | Path], duration: float = 0.0) -> Published:
        """What files beside the video say of it; nothing is read where there are none."""
        return self.run(read_published, list(sidecars), duration) if sidecars else Published()

    def bundle(self, files: Sequence[Path]) -> BundleText:
        """What the files of a video say that is not here itself."""
        return self.run(read_bundle, list(files))

    def frames_at(
        self, path: str | Path, times: Sequence[float], folder: Path
    ) -> list[tuple[float, Path]]:
        """(the frame's own time, JPEG in `folder`) for each time, ascending; see `frames_at`."""
        return self.run(save_frames_at, path, list(times), folder)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a module-level function in a child. `progress` is called here, not there."""
        progress: Any = kwargs.pop("progress", None)
        child = self._take()
        try:
            value: T = child.call(function, args, kwargs, progress, self._timeout)
        except BaseException:
            # Whatever state it is in: crashed, busy with a call that nobody waits for, or fine.
            if child.ready:
                self._give_back(child)
            else:
                child.end()
            raise
        self._give_back(child)
        return value

    def _take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.end()
        return _Child(self._memory_mb)

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            self._idle.append(child)


class _Child:
    """The parent's side of one child process."""

    def __init__(self, memory_mb: int) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._memory_mb = memory_mb
        # -P: a module in the folder of the videos is not ours to run. A session of its own keeps
        # the terminal's Ctrl-C away.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._messages: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.ready = True  # no call under way, and fit for the next one

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        progress: Callable[[float], None] | None,
        timeout: float,
    ) -> Any:
        self.ready = False
        name = name_in(args)
        deadline = time.monotonic() + timeout
        try:
            assert self._process.stdin is not None
            send(self._process.stdin, (function, args, kwargs, progress is not None))
        except BrokenPipeError:
            raise self._death(name) from None
        while True:
            kind, value = self._receive(deadline, timeout, name)
            if kind == "progress":
                if progress:
                    progress(value)
                continue
            self.ready = kind != "spent"
            if kind == "result":
                return value
            raise value

    def _receive(self, deadline: float, timeout: float, name: str) -> tuple[str, Any]:
        try:
            message = self._messages.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise MediaError(
                f"{name}: reading it took longer than {timeout:g} s and was stopped",
                "raise the setting media_timeout",
            ) from None
        if message is None:
            raise self._death(name)
        return message

    def _death(self, name: str) -> MediaError:
        code = self._process.wait()
        if code == -9:
            return MediaError(f"{name}: the decoder was killed, perhaps for lack of memory")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return MediaError(f"{name}: the decoder crashed ({how})")

    def _listen(self) -> None:
        """Runs in a thread: messages to the queue, None at the end of them."""
        assert self._process.stdout is not None
        while (message := receive(self._process.stdout)) is not None:
            self._messages.put(message)
        self._messages.put(None)

    def end(self) -> None:
        """Kill and reap it; it holds nothing that is worth a goodbye."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe:
                    pipe.close()
            except BrokenPipeError:
                pass  # the rest of a request that the child did not live to read
