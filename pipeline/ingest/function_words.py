"""Words that say nothing of a subject: what is left of a text without them is what it is about.

Listed for English. In other languages few words are told apart here: a long text tells by itself
which of its words are everywhere (`key_phrases`).
"""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+(?:['\u2019.\-][^\W_]+)*")
_SHORTEST, _LONGEST = 3, 24  # letters of a word that says something


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = _words(
    """
    a about above across after again against ago all almost along already also although
    always am among an and another any anybody anymore anyone anything anyway are aren't
    around as at away back be because been before being behind below between both but by can
    can't cannot could couldn't did didn't do does doesn't doing don't done down during each
    either else enough even ever every everybody everyone everything except few first for
    from further get gets getting go goes going gone gonna got gotta had hadn't has hasn't
    have haven't having he he's her here here's hers herself him himself his how how's
    however i i'd i'll i'm i've if in inside instead into is isn't it it's its itself just
    last least less let let's like many may maybe me might mine more most much must my
    myself near neither never next no nobody none nor not nothing now of off often on once
    one one's ones only onto or other others ought our ours ourselves out over own per
    perhaps quite rather really same second several shall she she's should shouldn't since
    so some somebody someone something somewhere soon still such than that that's the their
    theirs them themselves then there there's therefore these they they'd they'll they're
    they've this those though through till to today together too toward towards under unless
    until up upon us very via was wasn't we we'd we'll we're we've were weren't what what's
    whatever when where where's whether which while who who's whoever whole whom whose why
    will with within without won't would wouldn't yes yet you you'd you'll you're you've
    your yours yourself yourselves
    """
)
FILLERS = _words(
    """
    able absolutely actual actually ah anywhere apparently ask asked asking basically begin
    beginning believe best better big bit bunch call called came care case cases certain
    certainly clear clearly come comes coming completely consider cool correct couple course
    day days definitely depend depends different difficult easy end entire especially
    essentially etc exactly example examples fact fair feel felt figure fine find followed
    follows found fun gave give given gives giving good great guess guy guys half happen
    happened happening happens hard hear heard hello help hey hi hmm honestly hope hour
    hours huge huh hundred hundreds idea imagine important interested interesting job keep
    kept kind kinds knew know known knows large later leave left likely literally little
    long longer look looked looking looks lot lots love made main make makes making man
    matter mean meaning means meant mention mentioned mhm million mind minute minutes moment
    mr mrs ms month months necessarily need needed needs new nice normal number obvious
    obviously oh ok okay old order part particular particularly parts people person piece
    place plus point points possible pretty previous probably problem put putting question
    questions quick quickly ran read ready real reason reasons recent recently remember
    right run said saw say saying says seconds see seem seems seen set show shows similar
    simple simply single small sort sorts speak speaking specific specifically start started
    starting starts step stop stuff super suppose supposed sure take taken takes taking talk
    talked talking talks tell telling terms thank thanks thing things think thinking third
    thought thoughts thousand thousands time times told took totally tried true truly try
    trying turn turned type uh uh-huh um understand use used useful uses using usually
    version want wanted wants way ways week weeks welcome well went whatsoever word words
    work worked working works world worth wow wrong yeah year years yep two three four five
    six seven eight nine ten twenty fifty
    """
)


def telling(word: str) -> bool:
    """Whether a word, in lower case, says something: no function word, filler or number."""
    if word in FUNCTION_WORDS or word in FILLERS:
        return False
    return _SHORTEST <= len(word) <= _LONGEST and not word[0].isdigit()


def words_of(text: str) -> list[str]:
    """The words in lower case."""
    return [word.casefold().replace("\u2019", "'") for word in WORD.findall(text)]


def telling_words(text: str) -> list[str]:
    """The words that say something, in lower case."""
    return [word for word in words_of(text) if telling(word)]
