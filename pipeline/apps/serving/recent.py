"""Answers that were given before, for as long as nothing has changed: search as you type asks the
same again with every letter that is taken back, and so do many people at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable


class Recent:
    """At most `most` answers of one version of what they are made from. For the event loop's
    thread only."""

    def __init__(self, version: Callable[[], Hashable], most: int = 512) -> None:
        self._version = version
        self._most = most
        self._made: Hashable = None
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The answer to `key`, made where it is not there. Raises what `make` raises."""
        version = self._version()
        if version != self._made:
            self._answers.clear()
            self._made = version
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
            return found
        found = await make()
        # What has changed meanwhile may or may not be in it.
        if self._version() == version == self._made:
            self._answers[key] = found
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return found
