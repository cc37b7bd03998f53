"""A language model says whether an answer is right, given the right one.

Words in common tell little of an answer that is right in other words. The judge sees question,
gold answer and answer, not the evidence: one call a question, and its ruling is kept in the
library under a key of the whole request. It is the library's own language model, so where that
wrote the answers it judges itself, which flatters it (Zheng et al. 2023, "Judging LLM-as-a-Judge",
section 3.3).

What is judged may address the judge. It is one line of data inside a fence, without brackets or
braces that could pass for a ruling; and a reply with two different rulings in it is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from pipeline.evaluate.answer_metrics import RULINGS
from pipeline.evaluate.questions import Question
from pipeline.ingest.outputs import GetOutput, PutOutput, output_key
from pipeline.models.replies import json_objects
from pipeline.prompts import Prompt, as_data, shortened
from pipeline.types import LanguageModel

LONGEST = 4000  # characters of an answer that are judged
_WHY_ROOM = 400
_BRACES = str.maketrans("{}｛｝", "()()")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Ruling:
    """`verdict` is "right", "partly" or "wrong"."""

    verdict: str
    why: str = ""


@dataclass(slots=True)
class AnswerJudge:
    """Asks `model` with the prompt `judge_answer`; what it said before is not asked again."""

    model: LanguageModel
    prompt: Prompt
    get_output: GetOutput
    put_output: PutOutput
    spent: dict[str, int] = field(
        default_factory=lambda: {
            "calls": 0, "unread": 0, "prompt_tokens": 0, "completion_tokens": 0
        }
    )  # fmt: skip

    def rule(self, question: Question, said: str) -> Ruling | None:
        """The ruling on `said`, None when the reply gave none. Raises `ModelUnavailable`."""
        text = self.prompt.render(
            question=as_data(question.text), gold=as_data(question.answer), answer=_as_answer(said)
        )
        key = output_key("judge-answer-1", self.model.name, text)
        kept = self.get_output(key)
        if kept is not None:
            return Ruling(**json.loads(kept))
        reply = self.model.complete(text)
        self.spent["calls"] += 1
        self.spent["prompt_tokens"] += reply.prompt_tokens
        self.spent["completion_tokens"] += reply.completion_tokens
        ruling = read_ruling(reply.text)
        if ruling is None:
            self.spent["unread"] += 1
        else:
            self.put_output(key, json.dumps(asdict(ruling)).encode())
        return ruling


def _as_answer(said: str) -> str:
    return shortened(as_data(said).translate(_BRACES), LONGEST)


def read_ruling(reply: str) -> Ruling | None:
    """The one ruling in a reply, whatever stands around it; None without one, or with several
    that differ."""
    rulings = list(_rulings(reply))
    return rulings[0] if len({ruling.verdict for ruling in rulings}) == 1 else None


def _rulings(reply: str) -> Iterator[Ruling]:
    for value in json_objects(reply):
        verdict = str(value.get("verdict", "")).strip().casefold()
        if verdict in RULINGS:
            yield Ruling(verdict, as_data(str(value.get("why", "")))[:_WHY_ROOM])
