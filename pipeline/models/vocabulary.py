"""Which words are common: those that Whisper's own tokenizers write with a single token.

A word that a recogniser writes without knowing a user's names must be told from a name that it
misspelt. Byte pairs are merged by frequency (Sennrich et al. 2016), so what is one token is a
common word: 20,000 of English, the most frequent ones of other languages. The files come with
openai-whisper; neither whisper nor torch is imported.
"""

from __future__ import annotations

import base64
import importlib.util
from functools import lru_cache
from pathlib import Path

from pipeline.errors import ModelUnavailable

_FILES = ("gpt2.tiktoken", "multilingual.tiktoken")
_PREFIXES = ("un", "re", "non", "over", "under", "pre", "mis", "dis", "inter", "out", "anti", "sub")
_LEAST_PART = 4  # letters of the words that a compound is made of


class Vocabulary:
    """Common words, and what is inflected, derived or put together from them."""

    def __init__(self, words: frozenset[str]) -> None:
        from Stemmer import Stemmer

        self._words = words
        self._stemmer = Stemmer("english")
        self._stems = frozenset(self._stemmer.stemWords(sorted(words)))

    def __contains__(self, word: object) -> bool:
        folded = str(word).casefold()
        return (
            self._known(folded)
            or any(folded.startswith(p) and self._known(folded[len(p) :]) for p in _PREFIXES)
            or any(
                folded[:at] in self._words and self._known(folded[at:])
                for at in range(_LEAST_PART, len(folded) - _LEAST_PART + 1)
            )
        )

    def _known(self, word: str) -> bool:
        return word in self._words or self._stemmer.stemWord(word) in self._stems


@lru_cache(maxsize=1)
def common_words() -> Vocabulary:
    """The words of both tokenizers, in a tenth of a second. Raises `ModelUnavailable`."""
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelUnavailable("openai-whisper is not installed", "pip install openai-whisper")
    folder = Path(spec.origin).parent / "assets"
    return Vocabulary(frozenset(word for name in _FILES for word in _whole_words(folder / name)))


def _whole_words(file: Path) -> set[str]:
    """Tokens that begin with a space and are letters: pieces of words have none."""
    words = set()
    for line in file.read_bytes().splitlines():
        token = base64.b64decode(line.split()[0]).decode("utf-8", "replace")
        if token.startswith(" ") and token[1:].isalpha():
            words.add(token[1:].casefold())
    return words
