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
_RARER_SMALL = 4  # times as late that a word written small may be merged
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
    folder = _folder()
    return Vocabulary(frozenset(w.casefold() for name in _FILES for w in _ranks(folder / name)))


@lru_cache(maxsize=1)
def written_small() -> frozenset[str]:
    """English words that are written small about as often as with a capital: no names.

    Byte pairs merged earlier are more frequent. Raises `ModelUnavailable`.
    """
    ranks = _ranks(_folder() / _FILES[0])
    return frozenset(
        word
        for word, rank in ranks.items()
        if word.islower() and rank < _RARER_SMALL * ranks.get(word.capitalize(), rank)
    )


def _ranks(file: Path) -> dict[str, int]:
    """Words, as they are written, with the place at which they were merged.

    Tokens that begin with a space and are letters: pieces of words have none.
    """
    ranks = {}
    for line in file.read_bytes().splitlines():
        coded, rank = line.split()
        token = base64.b64decode(coded).decode("utf-8", "replace")
        if token.startswith(" ") and token[1:].isalpha():
            ranks[token[1:]] = int(rank)
    return ranks


def _folder() -> Path:
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelUnavailable("openai-whisper is not installed", "pip install openai-whisper")
    return Path(spec.origin).parent / "assets"
