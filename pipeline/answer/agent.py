"""The agent loop: answer, see what is missing, look further, answer again, within bounds.

After DrVideo (Ma et al. 2024), which asks whether the documents found are enough and searches
again for what is missing, and FALCONEye (Plou et al. 2025), which zooms from a video to a clip and
lets confidence decide where to go on. The loop is a function over callables: it knows no library.
The best answer so far wins, a later one only when more speaks for it. Every step is in the trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pipeline.answer.agent_actions import LOOK_CALLS, LOOK_TOKENS, Hands, LookAt, Search
from pipeline.answer.agent_best import better
from pipeline.answer.agent_model import Choice, Draft
from pipeline.answer.agent_moments import merged, passage_ids
from pipeline.answer.agent_rules import Next, next_by_rules
from pipeline.errors import ModelUnavailable
from pipeline.ingest.spending import Prices
from pipeline.types import Answer, Filters, Moment, SearchResult, Spent, Step, Trace

# (question, moments, queries that lines are wanted for beside the question)
Answering = Callable[[str, SearchResult, Sequence[str]], Answer]

_FRUITLESS = 2  # steps in a row that find nothing new


class Chooser(Protocol):
    """Chooses the next step in at most so many calls of a model; see `agent_model`."""

    def choose(self, draft: Draft, calls: int) -> Choice: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far an agent may go.

    No step begins that could pass `calls` of language and caption models, after `seconds`, or
    where `usd` (0: no limit) would not pay for a decision and an answer as dear as the dearest so
    far. The first answer counts, but is always made. `moments` are those of one search; an answer
    is made from half as many more. From a confidence of `enough`, the rules are content.
    """

    steps: int = 4
    calls: int = 8
    seconds: float = 120.0
    usd: float = 0.0
    moments: int = 16
    enough: float = 0.6


def run(
    question: str,
    search: Search,
    look: LookAt | None,
    answer: Answering,
    bounds: Bounds,
    *,
    chooser: Chooser | None = None,
    filters: Filters | None = None,
    prices: Prices | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """The best answer that `bounds` allow, with its trace.

    Without a `chooser` rules choose the steps; `look` is None where nothing can look at frames.
    The first search and answer raise as they do; what fails later ends the loop, and the trace
    says so. `usage` and `took_ms` are those of all answers and decisions together.
    """
    hands = Hands(search, look, filters or Filters(), bounds.moments)
    agent = _Agent(question, hands, answer, bounds, chooser, prices or Prices(), clock, clock())
    agent.begin()
    stopped = failed = ""
    while not (stopped := agent.over()):
        try:
            stopped = agent.step()
        except ModelUnavailable as error:
            failed = error.message
            stopped = "a model failed; the best answer until then stays"
        if stopped:
            break
    return agent.finished(stopped, failed)


# ---------------------------------------------------------------- the loop


@dataclass(slots=True)
class _Agent:
    question: str
    hands: Hands
    answer: Answering
    bounds: Bounds
    chooser: Chooser | None
    prices: Prices
    clock: Callable[[], float]
    began: float
    steps: list[Step] = field(default_factory=list)
    tried: list[Next] = field(default_factory=list)
    moments: tuple[Moment, ...] = ()
    seen: set[str] = field(default_factory=set)  # ids of passages
    usage: dict[str, float] = field(default_factory=dict)
    took_ms: dict[str, float] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    dearest: Spent = field(default_factory=Spent)  # of one answer
    deciding: float = 0.0  # USD of the dearest decision
    fruitless: int = 0
    best: Answer | None = None

    def begin(self) -> None:
        result = self.hands.found(self.question)
        self.moments = result.moments
        self.seen |= passage_ids(result.moments)
        self.took_ms |= result.took_ms
        first, spent = self._answered(result)
        count = len(result.moments)
        self._note(Next("answer", "the question as it is"), f"{count} moments", count, first, spent)

    def over(self, *, choosing: bool = True) -> str:
        """Why no step may begin, or a chosen one be done, "" when it may."""
        bounds, asks = self.bounds, choosing and self.chooser is not None
        needed = self._answer_calls() + asks
        if len(self.steps) > bounds.steps:
            return f"all {bounds.steps} steps allowed are done"
        if self.clock() - self.began >= bounds.seconds:
            return f"the {bounds.seconds:g} seconds allowed have passed"
        if self.spent.calls + needed > bounds.calls:
            return f"the {bounds.calls} calls allowed would be passed"
        expected = self.dearest.usd + self.deciding * asks
        if bounds.usd and self.spent.usd + expected > bounds.usd:
            return f"the {bounds.usd:g} USD allowed would be passed"
        # Rules end by themselves: each thing they can try is tried once.
        tired = self.chooser is not None and self.fruitless >= _FRUITLESS
        return "nothing new was found twice" if tired else ""

    def step(self) -> str:
        """Choose and do one thing. Why it is the last, "" when it is not."""
        began = self.clock()
        chosen, spent = self._chosen()
        self.spent += spent
        if chosen.action == "answer":
            return chosen.why
        if stopped := self.over(choosing=False):  # to choose takes of what is left
            return stopped
        self.tried.append(chosen)
        done = self.hands.act(chosen, self.question, self.moments)
        found, told, acted = done.moments, done.told, self._priced(done.spent)
        # The tokens of a look are reckoned for their price only: nobody counted them.
        acted = replace(acted, prompt_tokens=0, completion_tokens=0)
        self.spent += acted
        if acted.calls:
            self.usage["look_calls"] = self.usage.get("look_calls", 0) + acted.calls
        spent += acted
        fresh = passage_ids(found) - self.seen
        looked = chosen.action == "look" and bool(found)
        self.fruitless = 0 if fresh or looked else self.fruitless + 1
        count = sum(bool(passage_ids([m]) & fresh) for m in found) if fresh else int(looked)
        alone = self._alone(chosen, found)
        if not count:
            self._note(chosen, told or "nothing new", 0, alone, spent, began)
            return ""
        self.seen |= fresh
        cited = self.best.citations if self.best else ()
        self.moments = merged(self.moments, found, self.bounds.moments * 3 // 2, cited)
        made, answering = self._answered(SearchResult(self.question, self.moments, {}))
        if alone is not None and better(self.question, alone, made):
            made = alone
        told = told or f"{count} new moment{'s' * (count != 1)}"
        self._note(chosen, told, count, made, spent + answering, began)
        return ""

    def _alone(self, chosen: Next, found: Sequence[Moment]) -> Answer | None:
        """The answer from what a zoom found and nothing else, where that costs no call: words
        weigh more among the few of one video, and what is like them elsewhere does not distract.
        """
        if chosen.action != "zoom" or not found or self.chooser is not None:
            return None
        return self._answered(SearchResult(self.question, tuple(found), {}))[0]

    def finished(self, stopped: str, failed: str) -> Answer:
        assert self.best is not None
        seconds = self.clock() - self.began
        spent = replace(self.spent, seconds=seconds)
        total = {"total": max(1000 * seconds, self.took_ms.get("total", 0.0))}
        return replace(
            self.best,
            usage={**self.best.usage, **self.usage, "agent_steps": len(self.steps) - 1},
            took_ms={**self.best.took_ms, "agent": 1000 * seconds, **total},
            trace=Trace(tuple(self.steps), stopped, spent, failed),
        )

    # ------------------------------------------------------------ choosing

    def _chosen(self) -> tuple[Next, Spent]:
        assert self.best is not None
        can_look = self._can_look()
        if self.chooser is None:
            return self._by_rules(can_look=can_look), Spent()
        draft = Draft(self.question, self.best, self.moments, self.tried, can_look)
        spare = self.bounds.calls - self.spent.calls - self._answer_calls()
        choice = self.chooser.choose(draft, spare - LOOK_CALLS * can_look)
        spent = self._priced(choice.spent)
        self.deciding = max(self.deciding, spent.usd)
        self._count("language_calls", spent)
        if choice.next is not None:
            return choice.next, spent
        chosen = self._by_rules(can_look=can_look)
        return replace(chosen, why=f"{chosen.why} (by rule: {choice.problem})"), spent

    def _by_rules(self, *, can_look: bool) -> Next:
        assert self.best is not None
        return next_by_rules(
            self.question, self.best, self.moments, self.tried, self.bounds.enough,
            can_look=can_look,
        )  # fmt: skip

    def _can_look(self) -> bool:
        """Whether there is something to look with, and enough left for it and another answer."""
        if not self.hands.can_look:
            return False
        needed = self._answer_calls() + LOOK_CALLS + (self.chooser is not None)
        dear = self._priced(Spent(LOOK_CALLS, 0.0, *(LOOK_CALLS * t for t in LOOK_TOKENS)))
        paid = self.spent.usd + dear.usd + self.dearest.usd
        affordable = not self.bounds.usd or paid <= self.bounds.usd
        return affordable and self.spent.calls + needed <= self.bounds.calls

    # ------------------------------------------------------------ answering

    def _answered(self, result: SearchResult) -> tuple[Answer, Spent]:
        made = self.answer(self.question, result, self._wanted())
        usage = made.usage
        calls = _all(usage, "_calls")
        tokens = _all(usage, "prompt_tokens"), _all(usage, "completion_tokens")
        spent = self._priced(Spent(calls, 0.0, *tokens))
        self.spent += spent
        self.dearest = max(self.dearest, spent, key=lambda s: (s.usd, s.calls))
        for name, count in usage.items():
            if name.endswith(("_calls", "_tokens")):
                self.usage[name] = self.usage.get(name, 0) + count
        return made, spent

    def _wanted(self) -> list[str]:
        """What lines are wanted for beside the question: what was looked for last, and what the
        best answer says, so that what carries it is not lost to what is new."""
        asked = next((step.query for step in reversed(self.tried) if step.query), "")
        known = "" if self.best is None else " ".join(s.text for s in self.best.sentences)
        return [text for text in (asked, known) if text and text != self.question]

    def _answer_calls(self) -> int:
        """Calls that another answer is expected to take: one at least, where a model writes."""
        return max(self.dearest.calls, int(self.chooser is not None))

    def _priced(self, spent: Spent) -> Spent:
        usd = self.prices.of(spent.prompt_tokens, spent.completion_tokens, spent.calls)
        return replace(spent, usd=usd)

    def _count(self, calls: str, spent: Spent) -> None:
        taken: Mapping[str, int] = {
            calls: spent.calls,
            "prompt_tokens": spent.prompt_tokens,
            "completion_tokens": spent.completion_tokens,
        }
        for name, count in taken.items():
            self.usage[name] = self.usage.get(name, 0) + count

    def _note(
        self,
        chosen: Next,
        told: str,
        new: int,
        made: Answer | None,
        spent: Spent,
        began: float | None = None,
    ) -> None:
        """A step into the trace; the better of its answer and the best one stays."""
        kept = made is not None and better(
            self.question, made, self.best, lacking=chosen.by_model, enough=self.bounds.enough
        )
        if kept:
            self.best = made
        took = self.clock() - (self.began if began is None else began)
        self.steps.append(
            Step(
                chosen.action,
                chosen.why,
                told,
                chosen.query,
                chosen.video_id,
                chosen.start,
                chosen.end,
                new,
                made.confidence if made else 0.0,
                kept,
                replace(spent, seconds=took),
            )
        )


def _all(usage: Mapping[str, float], ending: str) -> int:
    """What is counted under names of this ending: who writes an answer, and who checks it."""
    return int(sum(count for name, count in usage.items() if name.endswith(ending)))
