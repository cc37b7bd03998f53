"""How often a language model, as the second level, catches false answers and rejects true ones.

    python -m benchmarks.verify.judge --endpoint URL [--claims 60] [--corpus FILE] [--held-out]

Half of the claims are true, the other half are of every kind of false ones in about equal parts;
drawn with a fixed seed. No two come from one sentence, so that nothing but the evidence tells a
false one. They are put to the model in answers of up to eight, in random order,
without their kinds. Scoring is that of `benchmarks.verify`: caught is what is called unsupported
or contradicted, and the same verdict on a true sentence is a false alarm.

The model judges alone first; then its verdicts are put behind the first level, as in an answer.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

from benchmarks.verify.__main__ import ALARMS, DATA, as_evidence, table, wilson
from benchmarks.verify.suite import KINDS, Case, cases, read_mutations
from pipeline.answer.verify import Claim, Judgement, TextVerifier, Verifier
from pipeline.answer.verify_model import Cascade, Effort, LlmVerifier
from pipeline.models.embedding import load_embedder
from pipeline.models.language import list_models, load_language_model
from pipeline.prompts import load_prompt
from pipeline.settings import Settings

ANSWER = 8  # claims of one request
SEED = 5


def sample(every: Sequence[Case], count: int, seed: int = SEED) -> list[Case]:
    """`count` cases, half of them true, no two from one sentence, in random order."""
    chance = random.Random(seed)
    shuffled = list(every)
    chance.shuffle(shuffled)
    by_kind = [[case for case in shuffled if case.kind == kind] for kind in KINDS]
    rounds = [case for row in zip_longest(*by_kind) for case in row if case]
    false = _different(rounds, count - count // 2, set())
    used = {_origin(case) for case in false}
    true = _different([case for case in shuffled if case.kind == "true"], count // 2, used)
    chosen = false + true
    chance.shuffle(chosen)
    return chosen


def _different(some: Sequence[Case], count: int, used: set[str]) -> list[Case]:
    found: dict[str, Case] = {}
    for case in some:
        if len(found) < count and _origin(case) not in used:
            found.setdefault(_origin(case), case)
    return list(found.values())


def _origin(case: Case) -> str:
    """The true sentence that a case is, or was made from."""
    return case.id if case.kind == "true" else _ORIGINS[case.id]


_ORIGINS = {each.id: f"{each.of}.{each.sentence}" for each in read_mutations()}


def judged_by(verifiers: Sequence[Verifier], some: Sequence[Case]) -> list[Judgement]:
    """One request for each answer of up to eight; as many verifiers as requests at once."""
    answers = [some[at : at + ANSWER] for at in range(0, len(some), ANSWER)]

    def ask(at: int) -> list[Judgement]:
        claims = [(case.sentence, as_evidence(case)) for case in answers[at]]
        return verifiers[at].judge(claims)

    with ThreadPoolExecutor(len(answers)) as pool:
        return [each for found in pool.map(ask, range(len(answers))) for each in found]


class Known:
    """A second level that gives the judgements that are there."""

    name = "known"
    effort = Effort()
    stands = LlmVerifier.stands

    def __init__(self, claims: Sequence[Claim], judged: Sequence[Judgement]) -> None:
        self._known = {text: each for (text, _), each in zip(claims, judged, strict=True)}

    def opinions(self, claims: Sequence[Claim]) -> list[Judgement | None]:
        return [self._known[text] for text, _ in claims]


def overall(some: Sequence[Case], judged: Sequence[Judgement]) -> str:
    lines = []
    for name, wanted in (("caught", False), ("false alarms", True)):
        of = [j for c, j in zip(some, judged, strict=True) if (c.kind == "true") == wanted]
        hits = sum(j.verdict in ALARMS for j in of)
        low, high = wilson(hits, len(of))
        lines.append(f"{name}: {hits} of {len(of)}, {low:.3f} to {high:.3f}")
    return "\n".join(lines)


def disagreements(some: Sequence[Case], judged: Sequence[Judgement]) -> str:
    """Every verdict but those that were wanted, as JSON lines."""
    wrong = [
        {"id": c.id, "kind": c.kind, "sentence": c.sentence, "verdict": j.verdict, "why": j.reason}
        for c, j in zip(some, judged, strict=True)
        if (j.verdict != "supported" if c.kind == "true" else j.verdict not in ALARMS)
    ]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in wrong)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--endpoint", required=True, metavar="URL")
    parser.add_argument("--model", default="", help="the endpoint's first one where none is named")
    parser.add_argument("--claims", type=int, default=60)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--corpus", type=Path, metavar="FILE")
    parser.add_argument("--held-out", action="store_true")
    options = parser.parse_args()
    settings = Settings(endpoint=options.endpoint, endpoint_timeout=1800, context_window=16384)
    model = options.model or list_models(options.endpoint, settings)[0]
    llm = load_language_model(f"openai:{model}", settings)
    every = cases(DATA / "truth.jsonl", options.corpus)
    half = [case for case in every if case.held_out == options.held_out]
    some = sample(half, options.claims, options.seed)
    prompt = load_prompt("verify")
    models = [
        LlmVerifier(llm, prompt, settings.context_window) for _ in range(0, len(some), ANSWER)
    ]
    judged = judged_by(models, some)
    embedder = load_embedder("onnx:all-MiniLM-L6-v2", settings)
    claims = [(case.sentence, as_evidence(case)) for case in some]
    behind = Cascade(TextVerifier(embedder), Known(claims, judged)).judge(claims)
    efforts = sum((model.effort for model in models), Effort())
    sys.stdout.write(
        f"{table(some, judged)}\n{overall(some, judged)}\n\nbehind the first level\n"
        f"{overall(some, behind)}\n\n{efforts.usage()}\n\n{disagreements(some, judged)}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
