"""The sentences that measure the check of citations: true ones, and false ones made from them.

`answers.jsonl` and `mutations.jsonl` hold sentences and pointers. The texts they point to are read
from the sample library's `truth.jsonl` and, where there is one, from a corpus of imported rows;
without a corpus the cases of the other library are left out. README.md says how both were written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pipeline.answer.wording import content_stems, negations
from pipeline.errors import UsageError
from pipeline.ingest.sentences import sentences
from pipeline.types import Source

HERE = Path(__file__).resolve().parent
ANSWERS = HERE / "answers.jsonl"
MUTATIONS = HERE / "mutations.jsonl"
MORE_TRUE = HERE / "more_true.jsonl"

TextKind = Literal[
    "number", "unit", "name", "date", "negation", "relation", "quote", "overclaim", "invented"
]
EvidenceKind = Literal["citation", "wrong_video", "time"]
Kind = TextKind | EvidenceKind
CaseKind = Literal["true"] | Kind
LibraryName = Literal["sample", "bitcoin"]

# What was changed: the words of the sentence, or the moments that it cites.
TEXT_KINDS: tuple[TextKind, ...] = get_args(TextKind)
EVIDENCE_KINDS: tuple[EvidenceKind, ...] = get_args(EvidenceKind)
KINDS: tuple[Kind, ...] = (*TEXT_KINDS, *EVIDENCE_KINDS)

# One moment: a video's id, start and end in seconds, as they stand in the rows.
Pointer = tuple[str, float, float]
PERCEIVED: Mapping[str, Source] = {"speech": "speech", "screen": "screen", "scene": "caption"}

# Stems that come and go with a "not": "does not burn anything", "does burn something".
_WITH_NEGATION = frozenset(
    ("yes", "someth", "anyth", "noth", "someon", "anyon", "ever", "either", "neither", "yet")
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A true sentence; the texts of all its pointers together support it."""

    text: str
    evidence: tuple[Pointer, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One to three true sentences about one question."""

    id: str
    library: LibraryName
    question: str
    sentences: tuple[Sentence, ...]
    kinds: tuple[str, ...]
    held_out: bool


@dataclass(frozen=True, slots=True)
class Mutation:
    """A false sentence: number `sentence` of answer `of`, with one thing changed.

    `evidence` is None where the words were changed: then it is that of the original.
    """

    id: str
    of: str
    sentence: int
    kind: Kind
    text: str
    evidence: tuple[Pointer, ...] | None
    held_out: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """One row of a cited moment. Several rows may share a video and its seconds."""

    video_id: str
    start: float
    end: float
    text: str
    source: Source
    speaker: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence with its evidence: supported when `kind` is "true", and not otherwise."""

    id: str
    kind: CaseKind
    library: LibraryName
    held_out: bool
    sentence: str
    question: str
    evidence: tuple[Evidence, ...]


def read_answers(path: Path = ANSWERS) -> list[Answer]:
    """The true answers, in the order of the file."""
    return [
        Answer(
            row["id"],
            row["library"],
            row["question"],
            tuple(Sentence(s["text"], _pointers(s["evidence"])) for s in row["sentences"]),
            tuple(row["kinds"]),
            row["held_out"],
        )
        for row in _rows(path)
    ]


def read_mutations(path: Path = MUTATIONS) -> list[Mutation]:
    """The false sentences, in the order of the file: by kind."""
    return [
        Mutation(
            row["id"],
            row["of"],
            row["sentence"],
            row["kind"],
            row["text"],
            None if row["evidence"] is None else _pointers(row["evidence"]),
            row["held_out"],
        )
        for row in _rows(path)
    ]


def evidence_rows(
    sample_truth: Path, corpus: Path | None = None
) -> Mapping[Pointer, tuple[Evidence, ...]]:
    """What can be cited, by moment: the rows of one moment in the order of their file."""
    found: dict[Pointer, list[Evidence]] = defaultdict(list)
    for row in _rows(sample_truth):
        pointer = _pointer(row)
        found[pointer].append(Evidence(*pointer, row["text"], PERCEIVED[row["kind"]]))
    for row in _rows(corpus) if corpus else ():
        pointer = _pointer(row)
        found[pointer].append(
            Evidence(*pointer, row["text"], row["source"], row.get("speaker"), row.get("title"))
        )
    return {pointer: tuple(rows) for pointer, rows in found.items()}


def evidence_texts(sample_truth: Path, corpus: Path | None = None) -> Mapping[Pointer, str]:
    """The text of every moment; where rows share one, their texts, a line break between them."""
    found = evidence_rows(sample_truth, corpus)
    return {pointer: "\n".join(row.text for row in rows) for pointer, rows in found.items()}


def cases(
    sample_truth: Path,
    corpus: Path | None = None,
    *,
    answers: Sequence[Answer] | None = None,
    mutations: Sequence[Mutation] | None = None,
) -> list[Case]:
    """Every true and every false sentence with the rows it cites, the true ones first.

    The id of a true sentence is that of its answer, a dot and its number, from 0. Raises
    `UsageError` when a moment is cited that neither file has.
    """
    answers = read_answers() if answers is None else answers
    mutations = read_mutations() if mutations is None else mutations
    libraries = ("sample", "bitcoin") if corpus else ("sample",)
    by_id = {answer.id: answer for answer in answers if answer.library in libraries}
    rows = evidence_rows(sample_truth, corpus)
    true = [
        _case(f"{answer.id}.{number}", "true", answer, each.text, _cited(each.evidence, rows))
        for answer in by_id.values()
        for number, each in enumerate(answer.sentences)
    ]
    false = []
    for each in mutations:
        if (answer := by_id.get(each.of)) is None:
            continue
        pointers = each.evidence or answer.sentences[each.sentence].evidence
        false.append(_case(each.id, each.kind, answer, each.text, _cited(pointers, rows)))
    return true + false


def more_true(sample_truth: Path, corpus: Path | None = None) -> list[Case]:
    """True sentences by themselves, in the order of their file: to tune with, never to measure."""
    rows, libraries = evidence_rows(sample_truth, corpus), ("sample", "bitcoin")
    return [
        Case(
            row["id"],
            "true",
            row["library"],
            False,
            row["text"],
            row.get("question", ""),
            _cited(_pointers(row["evidence"]), rows),
        )
        for row in _rows(MORE_TRUE)
        if row["library"] in libraries[: 1 + bool(corpus)]
    ]


def bare_negations(some: Sequence[Case], originals: Sequence[Case]) -> frozenset[str]:
    """Ids of the false sentences that say the true one with a "not" more or less, and nothing
    else: their content words are the same, but for those that come and go with a "not"."""
    by_id = {case.id: case.sentence for case in originals}
    true = {each.id: by_id.get(f"{each.of}.{each.sentence}", "") for each in read_mutations()}
    return frozenset(
        case.id
        for case in some
        if case.kind == "negation"
        and _without_negation(case.sentence) == _without_negation(true[case.id])
        and negations(case.sentence) != negations(true[case.id])
    )


def is_plain(case: Case, least: float = 0.5) -> bool:
    """Whether one cited sentence has at least that share of the content words, so that what is
    denied is said there in the same words."""
    wanted = set(content_stems(case.sentence))
    parts = (row.text[a:b] for row in case.evidence for a, b in sentences(row.text, lines=True))
    shared = max(len(wanted & set(content_stems(part))) for part in parts)
    return shared >= least * len(wanted)


def _without_negation(text: str) -> list[str]:
    kept = (stem for stem in content_stems(text) if not negations(stem))
    return sorted(stem for stem in kept if stem not in _WITH_NEGATION)


def _case(
    case_id: str, kind: CaseKind, answer: Answer, text: str, evidence: tuple[Evidence, ...]
) -> Case:
    return Case(case_id, kind, answer.library, answer.held_out, text, answer.question, evidence)


def _cited(
    pointers: Sequence[Pointer], rows: Mapping[Pointer, tuple[Evidence, ...]]
) -> tuple[Evidence, ...]:
    for pointer in pointers:
        if pointer not in rows:
            raise UsageError("no row at {} from {} to {}".format(*pointer))
    return tuple(row for pointer in pointers for row in rows[pointer])


def _pointers(rows: Sequence[Mapping[str, Any]]) -> tuple[Pointer, ...]:
    return tuple(_pointer(row) for row in rows)


def _pointer(row: Mapping[str, Any]) -> Pointer:
    return str(row["video_id"]), float(row["start"]), float(row["end"])


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
