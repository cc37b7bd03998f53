"""List-wise reranking: a model sees several moments at once and says which order is right.

RankGPT (Sun et al. 2023, "Is ChatGPT Good at Search?"): a window slides over the list from the
back to the front, and what is good in it is carried along. The model may be a language model that
reads the moments' text, or one that also sees their frames (`rerank_frames`).

A reply that gives no order leaves its window as it was. A reply that gives one is kept under a
key made of the whole request, so that the same search asks nothing twice.

What it can gain, from 48 questions of the three reference sets, without hypothetical passages, one
window of ten each, with a careful reader as the model: MRR@10 .387 becomes .440, +.053 [-.027,
+.136]; no order of these windows could reach more than .562, because the other questions have no
right moment among the ten. What was gained was gained on speech (+.081 of .473); captions of one
sentence from everyday videos hardly tell two moments apart (-.005 of .216).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.ingest.outputs import GetOutput, PutOutput, output_key
from pipeline.models.replies import without_thoughts
from pipeline.prompts import Prompt, as_data, shortened
from pipeline.retrieve.fuse import NEIGHBOURS, VIDEO
from pipeline.retrieve.rerank import Clock, placed
from pipeline.types import HOW, Budget, LanguageModel, Moment, Reranked, Source

WINDOW, STRIDE = 10, 5
LONGEST_TEXT = 1200  # characters of one moment, about 300 tokens
_LONGEST_TITLE = 80
# Of the context window: the prompt itself, the question and the reply; then English per token.
_PROMPT_TOKENS, _CHARACTERS_PER_TOKEN = 700, 3.5

_HOW: dict[Source, str] = {**HOW, "chapter": "chapter", "summary": "summary"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A moment and its rank, from 1, by each signal that found it."""

    moment: Moment
    ranks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One window as it is put to a model. `seen` are the bytes of what it shows beside the text."""

    text: str
    seen: bytes
    send: Callable[[], str]  # the reply; raises `ModelUnavailable`


class Judge(Protocol):
    """Asks a model to order one window. `name` is the model's: it enters the key of a reply."""

    name: str

    def inquiry(self, query: str, window: Sequence[Candidate]) -> Inquiry: ...


class ListwiseReranker:
    """Windows in the orders that `judge` gives. One whose reply was kept is a call as well."""

    def __init__(
        self,
        judge: Judge,
        get_output: GetOutput | None = None,
        put_output: PutOutput | None = None,
    ) -> None:
        self.name = judge.name
        self._judge = judge
        self._get_output = get_output
        self._put_output = put_output

    def rerank(self, query: str, moments: Sequence[Moment], budget: Budget) -> Reranked:
        """See `types.Reranker`. Fewer calls reach less of the list, and always its beginning;
        where time is up, the windows nearer to the beginning stay as they are."""
        clock = Clock(budget.ms)
        wanted = min(budget.moments, len(moments))
        plan = windows(wanted, budget.calls)
        order = list(candidates(moments[: max(wanted, 0)]))
        calls = useless = 0
        for begin, end in plan:
            if clock.is_over():
                break
            found = self._ask(query, order[begin:end])
            useless += found is None
            order[begin:end] = [order[begin + place] for place in found or range(end - begin)]
            calls += 1
        return Reranked(
            placed(moments, [*(c.moment for c in order), *moments[len(order) :]]),
            calls,
            self._reason(wanted, plan, calls, useless),
        )

    def _ask(self, query: str, window: Sequence[Candidate]) -> list[int] | None:
        """Places of the window in their new order; None when the model gave none."""
        inquiry = self._judge.inquiry(query, window)
        key = output_key("rerank-1", self.name, inquiry.text, inquiry.seen)
        kept = self._get_output(key) if self._get_output else None
        if kept is not None:
            return [int(place) for place in json.loads(kept)]
        order = read_order(inquiry.send(), len(window))
        if order is not None and self._put_output:
            self._put_output(key, json.dumps(order).encode())
        return order

    def _reason(
        self, wanted: int, plan: Sequence[tuple[int, int]], calls: int, useless: int
    ) -> str:
        """What was left as it was, and why."""
        left = []
        if calls < len(plan):
            left.append(f"the time was up after {calls} of {len(plan)} calls")
        elif wanted > 1 and (not plan or plan[0][1] < wanted):
            reached = plan[0][1] if plan else 0
            left.append(f"{len(plan)} calls reach {reached} of {wanted} moments")
        if useless:
            left.append(f"{useless} of {calls} replies of {self.name} gave no order")
        return "; ".join(left)


def windows(count: int, calls: int) -> list[tuple[int, int]]:
    """(begin, end) of at most `calls` windows, from the back; the last begins at 0.

    What too few calls do not reach is the end of the list: a window that is not carried to the
    front would have been asked for nothing.
    """
    if count < 2 or calls < 1:
        return []
    end = min(count, WINDOW + (calls - 1) * STRIDE)
    plan = [(max(0, end - WINDOW), end)]
    while plan[-1][0]:
        begin = max(0, plan[-1][0] - STRIDE)
        plan.append((begin, begin + WINDOW))
    return plan


def candidates(moments: Sequence[Moment]) -> list[Candidate]:
    """The moments with their ranks by signal; equal parts rank in the order given.

    What a moment's surroundings lend it is no list of a retriever and has no rank.
    """
    ranks: list[dict[str, int]] = [{} for _ in moments]
    by_signal: dict[str, list[int]] = defaultdict(list)
    for place, moment in enumerate(moments):
        for signal, part in moment.why.items():
            if part > 0 and signal not in (NEIGHBOURS, VIDEO):
                by_signal[signal].append(place)
    for signal, places in by_signal.items():
        ordered = sorted(places, key=lambda place: -moments[place].why[signal])
        for rank, place in enumerate(ordered, 1):
            ranks[place][signal] = rank
    return [Candidate(moment, found) for moment, found in zip(moments, ranks, strict=True)]


# ---------------------------------------------------------------- a language model


class LanguageJudge:
    """Asks a language model with the prompt `rerank`; it takes `context_window` tokens."""

    def __init__(self, model: LanguageModel, prompt: Prompt, context_window: int = 8192) -> None:
        self.name = f"llm:{model.name}"
        self._model = model
        self._prompt = prompt
        self._room = text_room(context_window)

    def inquiry(self, query: str, window: Sequence[Candidate]) -> Inquiry:
        lines = numbered([candidate.moment for candidate in window], self._room)
        text = self._prompt.render(
            question=as_data(query), count=len(window), passages="\n".join(lines)
        )
        return Inquiry(text, b"", lambda: self._model.complete(text).text)


def text_room(context_window: int) -> int:
    """Characters that each moment of a full window may take."""
    tokens = max(context_window - _PROMPT_TOKENS, 0) / WINDOW
    return max(100, min(LONGEST_TEXT, round(tokens * _CHARACTERS_PER_TOKEN)))


def numbered(moments: Sequence[Moment], room: int) -> list[str]:
    """Each moment on one line after its number, as data: it cannot forge a number of its own.

    Videos are numbered as they come, so that moments of one video are known to belong together.
    """
    videos = list(dict.fromkeys(moment.video_id for moment in moments))
    return [
        f"[{number}] ({_place(moment, videos.index(moment.video_id) + 1)}) {_told(moment, room)}"
        for number, moment in enumerate(moments, 1)
    ]


def _place(moment: Moment, video: int) -> str:
    """`video 2 "Its title" 12:05`, the title where it says more than the file's name."""
    title = "" if moment.title == moment.video_id else as_data(moment.title)[:_LONGEST_TITLE]
    minutes, seconds = divmod(int(moment.start), 60)
    return f"video {video} " + f'"{title}" ' * bool(title) + f"{minutes}:{seconds:02}"


def _told(moment: Moment, room: int) -> str:
    told = "; ".join(f"{_HOW[p.source]}: {as_data(p.text)}" for p in moment.passages) or "no text"
    return shortened(told, room)


# ---------------------------------------------------------------- reading the reply

_NUMBER = re.compile(r"\d+")
_BRACKETED = re.compile(r"\[\s*(\d+)\s*\]")
# "[2] > [1], [3]", on one line or one to a line, after "1." and before a few words of comment
_BRACKETED_RUN = re.compile(r"\[\s*\d+\s*\](?:[\s>,;=.|&*\u2192-]*(?:\b\d+[.)]\s*)?\[\s*\d+\s*\])*")
_BARE_RUN = re.compile(r"\d+(?:[\s]*(?:>+|,|;|=>|->|\n)[\s]*\d+)+")
_ONLY_NUMBERS = re.compile(r"[\d\s,;>\[\].-]*")


def read_order(reply: str, count: int) -> list[int] | None:
    """The places, from 0, in the order that a reply gives; None when it gives none.

    Numbers that are not there and repeats are dropped, numbers that the reply leaves out follow
    in their order. Of several orders (a draft, then the answer) the fullest is taken, of equals
    the last. Thoughts are not looked at.
    """
    text = without_thoughts(reply)
    found = max(_orders(text, count), key=len, default=[])
    if not found:
        return None
    return [*found, *(place for place in range(count) if place not in found)]


def _orders(text: str, count: int) -> list[list[int]]:
    """Every order in the text, the last one first."""
    if _BRACKETED.search(text):
        runs = [_BRACKETED.findall(run[0]) for run in _BRACKETED_RUN.finditer(text)]
        if max(map(len, runs)) < 2:  # one to a line, with words between them
            runs = [_BRACKETED.findall(text)]
    else:
        runs = [_NUMBER.findall(run[0]) for run in _BARE_RUN.finditer(text)]
        if not runs and _ONLY_NUMBERS.fullmatch(text):
            runs = [_NUMBER.findall(text)]
    orders = [_known(run, count) for run in reversed(runs)]
    return [order for order in orders if order]


def _known(numbers: Sequence[str], count: int) -> list[int]:
    places = (int(number) - 1 for number in numbers if len(number) < 5)
    return list(dict.fromkeys(place for place in places if 0 <= place < count))
