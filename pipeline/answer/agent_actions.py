"""What an agent can do: search again, zoom into a video, look at frames. Each yields moments.

None of them knows a library, and none raises for what it could not do: that is told in the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pipeline.answer.agent_moments import focussed
from pipeline.answer.agent_rules import Next
from pipeline.errors import BudgetSpent, MediaError, UsageError
from pipeline.types import (
    CITABLE,
    DERIVED,
    SOURCES,
    Filters,
    Look,
    Moment,
    SearchResult,
    Source,
    Spent,
)

Search = Callable[[str, Filters, int], SearchResult]  # (query, filters, how many)
LookAt = Callable[[str, float, float, str], Look]  # (video id, start, end, question)

LOOK_CALLS = 2  # a look asks the caption model once, and once more for a reply that is of no use
# Tokens that a call of a look is reckoned at, where USD are limited: six pictures and their text.
LOOK_TOKENS = (8000, 400)
_CHAPTERS = 6  # chapters and summaries from which a zoom chooses


@dataclass(frozen=True, slots=True)
class Done:
    """What an action found, what is to be said of it beside its number, what it took."""

    moments: Sequence[Moment]
    told: str = ""
    spent: Spent = Spent()  # noqa: RUF009 - frozen


@dataclass(slots=True)
class Hands:
    """The actions of one agent; it remembers where it zoomed to."""

    search: Search
    look: LookAt | None
    filters: Filters
    count: int  # moments of one search
    _zoomed: set[tuple[str, float]] = field(default_factory=set)  # (video, start of the chapter)

    @property
    def can_look(self) -> bool:
        """Whether there is something to look with, and what it sees may be found."""
        sources = self.filters.sources
        return self.look is not None and (not sources or "caption" in sources)

    def found(self, query: str) -> SearchResult:
        return self.search(query, self.filters, self.count)

    def act(self, chosen: Next, question: str, known: Sequence[Moment]) -> Done:
        """Search, zoom or look; `known` are the moments there are, best first.

        Raises `ModelUnavailable`.
        """
        if chosen.action == "look":
            return self._look(chosen, question)
        if chosen.action == "zoom":
            return self._zoom(chosen, known)
        return Done(self.found(chosen.query).moments)

    def _look(self, chosen: Next, question: str) -> Done:
        assert self.look is not None
        video, start, end = chosen.video_id, chosen.start, chosen.end
        try:
            seen = self.look(video, start, end, question)
        except (BudgetSpent, UsageError, MediaError) as error:
            return Done((), f"could not look: {error.message}")
        calls = seen.model_calls
        spent = Spent(calls, 0.0, *(calls * tokens for tokens in LOOK_TOKENS))
        if not seen.found:
            return Done((), f"not seen: {seen.text}", spent)
        inside = replace(self.filters, videos=(video,), sources=("caption",))
        result = self.search(question, inside, self.count)
        found = [m for m in result.moments if m.start < end and m.end > start]
        told = f"seen: {seen.text}" if found else f"seen, but not searched yet: {seen.note}"
        return Done(found, told, spent)

    def _zoom(self, chosen: Next, known: Sequence[Moment]) -> Done:
        """From the chapters and summaries to a video, and in it to moments of the best chapter
        first; where there are none of these, to the best video that was not zoomed into."""
        place = self._place(chosen, known)
        if place is None:
            return Done((), "no video to zoom into")
        self._zoomed.add((place.video_id, place.start))
        sources: tuple[Source, ...] = self.filters.sources
        sources = sources or tuple(s for s in SOURCES if s in CITABLE)
        inside = replace(self.filters, videos=(place.video_id,), sources=sources)
        result = self.search(chosen.query, inside, self.count)
        return Done(focussed(result.moments, place))

    def _place(self, chosen: Next, known: Sequence[Moment]) -> Moment | None:
        """The chapter, or the moment, of the video to zoom into."""
        wanted = replace(self.filters, sources=tuple(s for s in SOURCES if s in DERIVED))
        if chosen.video_id:
            wanted = replace(wanted, videos=(chosen.video_id,))
        found = self.search(chosen.query, wanted, _CHAPTERS).moments
        of_video = [m for m in known if chosen.video_id in ("", m.video_id)]
        for moment in [*found, *of_video]:
            if (moment.video_id, moment.start) not in self._zoomed:
                return moment
        return None
