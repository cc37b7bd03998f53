"""The sound of one video, decoded once for all who listen to it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.audio import Sound


class SharedSound:
    """Decoded by the listener who asks first; the file goes when the last one is done.

    `decode` writes the sound into the file it is given. A track that cannot be decoded is tried
    once, and every listener is told.
    """

    def __init__(self, decode: Callable[[Path], Sound], listeners: Iterable[str]) -> None:
        self._decode = decode
        self._listeners = set(listeners)
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._sound: Sound | MediaError | None = None

    def get(self) -> Sound:
        """Raises `MediaError`."""
        with self._lock:
            if self._sound is None:
                self._folder = tempfile.TemporaryDirectory(prefix="footnote-")
                try:
                    self._sound = self._decode(Path(self._folder.name) / "audio.s16")
                except MediaError as error:
                    self._sound = error
                except BaseException:  # the run has ended: nobody asks for it, or once more
                    self._remove()
                    raise
            if isinstance(self._sound, MediaError):
                raise self._sound
            return self._sound

    def done(self, listener: str) -> None:
        """`listener` needs it no more, or never did."""
        with self._lock:
            self._listeners.discard(listener)
            if not self._listeners:
                self._remove()

    def close(self) -> None:
        """Nobody listens any more."""
        with self._lock:
            self._remove()

    def _remove(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
