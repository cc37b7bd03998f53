"""What a language model replied that was asked for verdicts on claims: JSON, checked.

A verdict counts where it is one of those asked for, on a claim that was asked about, and the only
one on it. Of a reply that breaks off, what is whole counts.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from pipeline.answer.verify import Judgement
from pipeline.models.replies import json_rows
from pipeline.prompts import as_data
from pipeline.types import Verdict

_LONGEST_WHY = 200  # characters
# How sure each verdict is that the claim is carried: an order, not a measured probability.
_SCORES: dict[Verdict, float] = {
    "supported": 0.95, "partly": 0.6, "unsupported": 0.1, "contradicted": 0.0,
}  # fmt: skip

_Said = Literal["supported", "partly", "unsupported", "contradicted"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    claim: int
    verdict: _Said
    why: str = ""

    @field_validator("verdict", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        said = str(value).strip().casefold()
        return {"partially": "partly", "partially supported": "partly"}.get(said, said)


def read_verdicts(reply: str, count: int) -> tuple[dict[int, Judgement], str]:
    """Judgements by the number of the claim, of `count` from 1, and what is wrong with the reply,
    "" when nothing is.

    Entries that cannot be read, or of claims that are not there, are left out; a claim with two
    different verdicts has none.
    """
    found: dict[int, set[_Said]] = {}
    whys: dict[int, str] = {}
    problem = ""
    rows = json_rows(reply, "claims")
    for row in rows:
        try:
            entry = _Row.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"]) or "an entry"
            problem = problem or f"{at}: {first['msg']}"[:_LONGEST_WHY]
            continue
        if 1 <= entry.claim <= count:
            found.setdefault(entry.claim, set()).add(entry.verdict)
            whys[entry.claim] = as_data(entry.why)[:_LONGEST_WHY]
    told = {n: _judgement(min(said), whys[n]) for n, said in found.items() if len(said) == 1}
    if len(told) == count:
        return told, ""
    if not rows:
        return told, 'it holds no JSON object with a list "claims"'
    missing = ", ".join(str(n) for n in range(1, count + 1) if n not in told)
    return told, problem or f"it has no single verdict on claim {missing}"


def _judgement(verdict: _Said, why: str) -> Judgement:
    return Judgement(verdict, _SCORES[verdict], "" if verdict == "supported" else why)
