"""Pictures of a video for its page: of which widths, at which times, kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

WIDEST = 1280  # pixels
_STEP = 16  # widths are rounded up to it: pages of all sizes share a few pictures
_KEPT_BYTES = 32 << 20


def width_of(asked: int) -> int:
    """The width that is made for one that is asked for."""
    return min(WIDEST, max(_STEP, -(-asked // _STEP) * _STEP))


def strip_times(duration: float, count: int) -> list[float]:
    """The middles of `count` equal parts."""
    return [round((number + 0.5) * duration / count, 3) for number in range(count)]


class KeptPictures:
    """Pictures by key, the latest used ones, so many bytes of them. Thread-safe."""

    def __init__(self, most: int = _KEPT_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        """The picture of that key; made where it is not there. Two may make the same one."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._bytes += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._bytes > self._most and self._kept:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return made
