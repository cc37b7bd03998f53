"""In which form a question wants its answer, told from its wording: no model is asked.

"How do I clean the inlet?" wants steps, "how did the harvest change between the talks?" what each
of them says, "who found it?" a sentence. The rules are few and know English best; where none of
them fits the answer is short, which is never wrong, only brief. `--form` overrides them.
"""

from __future__ import annotations

import re

from pipeline.answer.wording import fold
from pipeline.errors import UsageError
from pipeline.retrieve.framing import is_whole_library
from pipeline.types import FORMS, Form

# Forms that want what several videos say, not the most that one of them does.
SPREAD: frozenset[Form] = frozenset(("compare", "list", "timeline"))

_VIDEOS = "(?:talks?|videos?|speakers?|recordings?|lectures?|meetings?|interviews?|episodes?)"
_YOU = "(?:i|we|you|one|somebody|someone|anyone|people)"
# Looked for in this order; each form is wanted where one of its patterns is in the question.
_RULES: dict[Form, tuple[str, ...]] = {
    "timeline": (
        "time ?line",
        "chronolog(?:y|ical|ically|ie)",
        "in (?:what|which) order (?:did|were|was|do|does)",
        "(?:history|evolution|sequence) of",
        "what happened (?:when|before|after|between|from)",
    ),
    "compare": (
        "compar(?:e|es|ed|ing|ison)",
        f"(?:differ(?:s|ed|ent|ently)?|differences?) (?:.* )?(?:between|from|than|{_VIDEOS})",
        "versus",
        "vs",
        "(?:dis)?agree(?:s|d|ments?)?",
        "contradict(?:s|ed|ions?)?",
        "between the .* and the",
        f"(?:both|each of the|the two|the three) {_VIDEOS}",
        "changed? (?:between|since|from)",
        "what (?:has |have |had )?changed",
        "(?:better|worse|faster|slower|larger|bigger|smaller|cheaper|safer) than",
        "(?:unterschiede?|vergleiche?)",
    ),
    "howto": (
        f"how (?:do|can|should|could|would|must|to|shall|might) {_YOU}",
        "how to",
        "how (?:is|are) (?:\\w+ )*"
        "(?:done|made|installed|set up|configured|replaced|cleaned|fixed|repaired)",
        "(?:steps?|instructions?|procedure)",
        "walk me through",
        f"what (?:do|should|must) {_YOU} do",
        "am i supposed to do",
        "(?:fix|install|set ?up|configure|troubleshoot|replace)",
        "wie (?:kann|mache|muss|soll)",
    ),
    "list": (
        "(?:list|enumerate|name) (?:all|every|each|the|some|me|\\d+|two|three|four|five)",
        "(?:which|what)(?: \\w+){0,2} (?:are|were) there",
        "what (?:are|were) (?:the|some|all)",
        "all (?:the|of the) \\w+s",
        "(?:what|which) (?:\\w+ )?(?:kinds|types|sorts|examples|reasons|ways|topics|items|points"
        "|arguments|advantages|disadvantages|benefits|drawbacks|risks|options|things|features"
        "|animals|people|speakers|projects|tools|methods)",
        "(?:on the agenda|examples of|pros and cons)",
    ),
    "explained": (
        "(?:why|explain(?:s|ed)?|describe|warum|erklare?|pourquoi|por que)",
        "how (?:does|do|did|is|are|was|were|come|has|have|can|could|should|would|might|will)",
        "what (?:is|are|was|were) .*\\b(?:about|mean|meant|work|idea|purpose|reason|background)",
        "tell me (?:more )?about",
        "what became of",
        "summar(?:y|ise|ize)",
        "what (?:does|did|do) .* (?:say|think|argue|suggest|recommend)",
    ),
}
_COMPILED = {form: re.compile(rf"\b(?:{'|'.join(some)})\b") for form, some in _RULES.items()}
# What can be said in a word or a number, however it goes on.
_BRIEF = re.compile(
    r"^(?:who|whose|when|where|how (?:many|much|long|old|far|tall|high|deep|big|wide|large|fast"
    r"|heavy|often)|what (?:time|year|day|date)"
    r"|is|are|was|were|do|does|did|has|have|had|can|will)\b"
)
_ASIDES = re.compile(r"^(?:(?:so|and|now|ok|okay|hi|hello|please|well|hey)\b[ ,]*)+")


def form_of(question: str) -> Form:
    """The form that the wording of `question` asks for, "short" where it asks for none."""
    folded = _ASIDES.sub("", " ".join(fold(question).replace("’", "'").split()))  # noqa: RUF001
    fitting = {form for form, pattern in _COMPILED.items() if pattern.search(folded)}
    brief = bool(_BRIEF.search(folded))
    for form in _COMPILED:
        # "When will it be fixed?" wants a date; only what compares is longer than it begins.
        if form in fitting and (
            not brief or form in ("compare", "timeline") or _asks_twice(folded)
        ):
            return form
    return "list" if is_whole_library(question) else "short"


def chosen_form(question: str, asked: str = "") -> Form:
    """`asked` where it is given, else what the wording says. Raises `UsageError` for no form."""
    if not asked:
        return form_of(question)
    for form in FORMS:
        if form == asked:
            return form
    raise UsageError(f"there is no form of answer {asked!r}", f"one of {', '.join(FORMS)}")


def _asks_twice(folded: str) -> bool:
    """Whether the question goes on with another one: "Who is Duchess and why ...?"."""
    return bool(re.search(r"[,;.?] (?:and )?(?:how|why|what)\b|\band (?:how|why)\b", folded))
