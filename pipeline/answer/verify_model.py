"""Verdicts by a model that reads: natural language inference, or the language model.

What the first level (`verify`) finds in so many words it finds for certain, and paraphrase it
cannot judge. So a cascade asks it first, and then a second level about every claim that has not
failed on a fact that the second level is known to overlook. Where the second gives no verdict, the
first one's stays. The inference models follow SummaC (Laban et al. 2022, section 3): a few
sentences at a time, the best of them counts.

Claims and lines reach the language model as data (DESIGN 6, invariant 9): one line each, without
a square bracket of their own, so that nothing in them can pass for the label of another claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.answer.checks import findings
from pipeline.answer.evidence import WIDTH_PER_TOKEN, Evidence, as_lines, clock
from pipeline.answer.statements import width
from pipeline.answer.verify import Claim, Judgement, TextVerifier, Verifier, beside
from pipeline.answer.verify_replies import read_verdicts
from pipeline.answer.wording import content_stems
from pipeline.errors import ModelUnavailable
from pipeline.ingest.sentences import sentences
from pipeline.models.registry import load_named
from pipeline.prompts import Prompt, as_data, load_prompt
from pipeline.types import HOW, Embedder, InferenceModel, LanguageModel

if TYPE_CHECKING:
    from pipeline.models.shelf import Shelf
    from pipeline.settings import Settings

# Of the classes of an inference model. More likely than not is the usual border (Honovich et al.
# 2022, "TRUE", section 3); a verdict against a claim takes more, since it drops a sentence. They
# are not fitted: what a model's shares are worth differs from model to model.
ENTAILED, HALF_ENTAILED, RULED_OUT = 0.5, 0.25, 0.8
_MOST_SENTENCES = 3  # of a premise, where it is not the whole of what is cited

# Of one request to a language model.
MOST_CLAIMS = 24
LONGEST_LINE = 3500  # columns of one cited line, about 1000 tokens
_PROMPT_TOKENS, _REPLY_TOKENS = 950, 60  # the prompt itself; the reply for one claim
_LONGEST_CLAIM, _LONGEST_TITLE = 1000, 120


@dataclass(frozen=True, slots=True)
class Effort:
    """What judging took: calls of a language model, tokens, and `unread`: claims without a verdict
    by the second level. `failure` says why that could not go on, "" when it could."""

    calls: int = 0
    unread: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failure: str = ""

    def __add__(self, other: Effort) -> Effort:
        return Effort(
            self.calls + other.calls,
            self.unread + other.unread,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.failure or other.failure,
        )

    def usage(self) -> dict[str, float]:
        """To stand in `Answer.usage`."""
        return {
            "verify_calls": self.calls,
            "verify_unread": self.unread,
            "verify_prompt_tokens": self.prompt_tokens,
            "verify_completion_tokens": self.completion_tokens,
        }


class SecondLevel(Protocol):
    """Judges what it can. `stands` are the kinds of finding of the first level (`checks.Finding`)
    against which its verdict counts for nothing; `effort` is all that it has taken so far."""

    name: str
    stands: frozenset[str]
    effort: Effort

    def opinions(self, claims: Sequence[Claim]) -> list[Judgement | None]:
        """One per claim, in order, None where it cannot tell. Raises `ModelUnavailable`."""
        ...


def load_verifier(settings: Settings, shelf: Shelf, embedder: Embedder) -> Verifier:
    """The verifier of `settings.verify_model`: the first level alone where that is "".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a model that is
    not to be had. Cheap once the model is loaded: the shelf keeps it.
    """
    first = TextVerifier(embedder)
    if not settings.verify_model:
        return first

    def inference(_: str) -> SecondLevel:
        return NliVerifier(shelf.inference_model())

    def language(_: str) -> SecondLevel:
        prompt = load_prompt("verify", settings.prompt_folders)
        return LlmVerifier(shelf.language_model(), prompt, settings.context_window)

    loaders: dict[str, Callable[[str], SecondLevel]] = {
        "nli:MODEL": inference,
        "llm": language,
        "fake:words": inference,
    }
    return Cascade(first, load_named("verify_model", settings.verify_model, loaders))


class Cascade:
    """The first level, and the second about all that the first has not settled.

    `effort.failure` says that the second level could not go on, where the first one's verdicts
    stand: what was written is not lost over that, and the caller has to say so.
    """

    def __init__(self, first: Verifier, second: SecondLevel) -> None:
        self.name = f"{first.name}+{second.name}"
        self._first = first
        self._second = second
        self._failure = ""

    @property
    def effort(self) -> Effort:
        """All that was taken so far."""
        return self._second.effort + Effort(failure=self._failure)

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """See `Verifier`; asks the second level once."""
        judged = self._first.judge(claims)
        asked = [
            at
            for at, claim in enumerate(claims)
            if claim[1] and not _kinds_not_found(claim) & self._second.stands
        ]
        if not asked:
            return judged
        try:
            found = self._second.opinions([claims[at] for at in asked])
        except ModelUnavailable as error:
            self._failure = error.message
            return judged
        for at, opinion in zip(asked, found, strict=True):
            judged[at] = opinion or judged[at]
        return judged


def _kinds_not_found(claim: Claim) -> set[str]:
    text, cited = claim
    source = "\n".join(dict.fromkeys(item.statement.text for item in cited))
    return {f.kind for f in findings(text, source, beside(cited)) if f.verdict != "unchecked"}


def _judged(found: Sequence[Judgement | None]) -> list[Judgement]:
    """A second level that stands alone says so where it cannot tell."""
    return [each or Judgement("unchecked", 0.4, "no verdict") for each in found]


# ---------------------------------------------------------------- inference


class NliVerifier:
    """A model of inference: what is cited as premise, the claim as hypothesis.

    Premises are what is cited as a whole where it fits, and every run of up to three sentences.
    The best entailment counts; a contradiction counts by the premise that is most on the subject,
    and only where nothing entails the claim. Neutral is no verdict: these models call much true
    paraphrase of speech neutral. They are known to miss figures and altered quotations, where the
    first level stands. Cost: a run of the model for each premise.
    """

    stands = frozenset({"quote", "number", "unit", "date"})

    def __init__(self, model: InferenceModel) -> None:
        self.name = model.name
        self.effort = Effort()
        self._model = model

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """See `Verifier`."""
        return _judged(self.opinions(claims))

    def opinions(self, claims: Sequence[Claim]) -> list[Judgement | None]:
        """See `SecondLevel`."""
        premises = [self._premises(text, cited) for text, cited in claims]
        pairs = [
            (premise, text)
            for (text, _), some in zip(claims, premises, strict=True)
            for premise in some
        ]
        shares = self._model.infer(pairs) if pairs else np.empty((0, 3))
        ends = np.cumsum([len(some) for some in premises])[:-1]
        found = [_inferred(part) if len(part) else None for part in np.split(shares, ends)]
        self.effort += Effort(unread=found.count(None))
        return found

    def _premises(self, text: str, cited: Sequence[Evidence]) -> list[str]:
        """Runs of sentences that fit beside the claim; a sentence that does not is cut."""
        texts = list(dict.fromkeys(as_lines(item.statement.text) for item in cited))
        parts = [part for each in texts for part in _sentences(each)]
        counts = self._model.count_tokens([*parts, text])
        room = self._model.max_tokens - counts.pop() - 4  # what marks the two texts
        whole = [" ".join(texts)] if sum(counts) <= room else []
        runs = [
            " ".join(parts[at : at + size])
            for size in range(1, _MOST_SENTENCES + 1)
            for at in range(len(parts) - size + 1)
            if size == 1 or sum(counts[at : at + size]) <= room
        ]
        return [premise for premise in dict.fromkeys([*whole, *runs]) if premise.strip()]


def _inferred(shares: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Judgement | None:
    """From (premises, 3)."""
    entailed = float(shares[:, 0].max())
    against = float(shares[shares[:, 1].argmin(), 2])
    if entailed >= ENTAILED:
        return Judgement("supported", entailed)
    if against >= RULED_OUT:
        return Judgement("contradicted", entailed, "they say something else")
    if entailed >= HALF_ENTAILED:
        return Judgement("partly", entailed, "it follows from them in part")
    return None


def _sentences(text: str) -> list[str]:
    return [text[begin:end].strip() for begin, end in sentences(text)] or [text]


# ---------------------------------------------------------------- a language model


class LlmVerifier:
    """The language model, asked once about all claims, and once more about those that its reply
    gives no verdict on. More than fit `context_window` tokens are asked about in several parts."""

    # A reader forgives a word changed inside quotation marks; comparing letters does not.
    stands = frozenset({"quote"})

    def __init__(self, model: LanguageModel, prompt: Prompt, context_window: int = 8192) -> None:
        self.name = f"llm:{model.name}"
        self.effort = Effort()
        self._model = model
        self._prompt = prompt
        self._tokens = max(0, context_window - _PROMPT_TOKENS)

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """See `Verifier`."""
        return _judged(self.opinions(claims))

    def opinions(self, claims: Sequence[Claim]) -> list[Judgement | None]:
        """See `SecondLevel`. A claim that cites nothing, or more than fits, has none."""
        found: list[Judgement | None] = [None] * len(claims)
        shown = [_shown(claim) for claim in claims]
        for part in self._parts(claims, shown):
            for at, judgement in self._ask(part, shown).items():
                found[at] = judgement
        self.effort += Effort(unread=found.count(None))
        return found

    def _parts(self, claims: Sequence[Claim], shown: Sequence[str]) -> Iterator[list[int]]:
        part: list[int] = []
        taken = 0.0
        for at, text in enumerate(shown):
            cost = width(text) / WIDTH_PER_TOKEN + _REPLY_TOKENS
            if not claims[at][1] or cost > self._tokens:
                continue
            if part and (taken + cost > self._tokens or len(part) == MOST_CLAIMS):
                yield part
                part, taken = [], 0.0
            part.append(at)
            taken += cost
        if part:
            yield part

    def _ask(self, part: Sequence[int], shown: Sequence[str]) -> dict[int, Judgement]:
        """The judgements on the claims at these places: of a reply, and of a second one."""
        found: dict[int, Judgement] = {}
        problem = ""
        for _ in range(2):
            left = [at for at in part if at not in found]
            if not left:
                break
            rows = [f"[claim {n}] {shown[at]}" for n, at in enumerate(left, 1)]
            text = self._prompt.render(
                claims="\n\n".join(rows), count=len(left), problem=problem
            ).strip()
            reply = self._model.complete(text)
            self.effort += Effort(1, 0, reply.prompt_tokens, reply.completion_tokens)
            told, fault = read_verdicts(reply.text, len(left))
            found |= {left[number - 1]: judgement for number, judgement in told.items()}
            problem = f"Your last reply could not be used: {fault}. Reply with the JSON alone."
        return found


def _shown(claim: Claim) -> str:
    """A claim and a line for each statement that it cites, as data."""
    text, cited = claim
    lines = dict.fromkeys(_line(item, text) for item in cited)
    return "\n".join([as_data(text)[:_LONGEST_CLAIM], *lines])


def _line(item: Evidence, claim: str) -> str:
    statement, video = item.statement, item.video
    how = HOW[statement.source]
    if statement.speaker:
        how += f" by {as_data(statement.speaker)}"
    if statement.doubtful:
        how += ", badly heard" if statement.source == "speech" else ", uncertain"
    title = as_data(video.title or video.video_id)[:_LONGEST_TITLE]
    date = f", {as_data(video.date[:10])}" if video.date else ""
    told = as_data(_excerpt(as_lines(statement.text), claim))
    return f'- "{title}"{date}, {clock(statement.start)}, {how}: {told}'


def _excerpt(text: str, claim: str) -> str:
    """A line that is too long is cut to the run of its sentences with most of the claim's words,
    with as much before the nearest sentence as after it."""
    if width(text) <= LONGEST_LINE:
        return text
    parts, wanted = _sentences(text), set(content_stems(claim))
    shared = [len(wanted & set(content_stems(part))) for part in parts]
    nearest = shared.index(max(shared)) + 0.5
    begin, end = max(
        _runs(parts),
        key=lambda run: (sum(shared[slice(*run)]), -abs(sum(run) / 2 - nearest)),
    )
    kept = " ".join(parts[begin:end])[:LONGEST_LINE]
    return "... " * (begin > 0) + kept + " ..." * (end < len(parts))


def _runs(parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """For every part, the longest run that ends with it and is no longer than a line may be."""
    begin, room = 0, 0
    for end, part in enumerate(parts, 1):
        room += width(part) + 1
        while room > LONGEST_LINE and begin < end - 1:
            room -= width(parts[begin]) + 1
            begin += 1
        yield begin, end
