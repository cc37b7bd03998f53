"""One request to the language model that writes what a search looks for, made once and kept.

All expansions are made this way. A reply that held something to search with is kept under a key
made of the whole request (the question, the prompt, what was shown) and the model's name, so that
the same question costs one call ever. No other reply is kept: a model that was down is asked again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.errors import ModelUnavailable
from pipeline.types import LanguageModel

GetOutput = Callable[[str], bytes | None]
PutOutput = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Expansion:
    """Hypothetical passages; where there are none, `reason` says why. Tokens are 0 if cached.

    `translations` are the question in other languages of the library.
    """

    passages: tuple[str, ...] = ()
    reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    translations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """A language model, and where what it wrote is kept."""

    model: LanguageModel
    get_output: GetOutput | None = None
    put_output: PutOutput | None = None

    def write(
        self, kind: str, request: str, read: Callable[[str], Sequence[str]], most: int
    ) -> Expansion:
        """At most `most` texts that `read` finds in the reply to `request`.

        A model that fails, or replies with nothing to search with, gives none and a `reason`.
        """
        asked = f"{self.model.name}\n{request}".encode()
        key = f"{kind}:{hashlib.sha256(asked).hexdigest()}"
        kept = self.get_output(key) if self.get_output else None
        if kept is not None:
            return Expansion(tuple(json.loads(kept)))
        try:
            reply = self.model.complete(request)
        except ModelUnavailable as error:
            return Expansion(reason=error.message)
        texts = tuple(read(reply.text))[:most]
        if texts and self.put_output:
            self.put_output(key, json.dumps(texts, ensure_ascii=False).encode())
        reason = "" if texts else f"{self.model.name} replied with no passage to search with"
        return Expansion(texts, reason, reply.prompt_tokens, reply.completion_tokens)
