"""The files behind the figures of the check of citations are whole, and agree with each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from benchmarks.verify.suite import (
    EVIDENCE_KINDS,
    HERE,
    KINDS,
    MORE_TRUE,
    TEXT_KINDS,
    Answer,
    Case,
    Mutation,
    Pointer,
    Sentence,
    bare_negations,
    cases,
    evidence_texts,
    is_plain,
    more_true,
    read_answers,
    read_mutations,
)
from pipeline.errors import UsageError

TRUTH = Path(__file__).resolve().parent.parent / "data" / "truth.jsonl"
QUOTED = re.compile(r'"([^"]+)"')


@cache
def answers() -> dict[str, Answer]:
    return {answer.id: answer for answer in read_answers()}


@cache
def mutations() -> tuple[Mutation, ...]:
    return tuple(read_mutations())


@cache
def texts() -> dict[Pointer, str]:
    return dict(evidence_texts(TRUTH))


def original(mutation: Mutation) -> Sentence:
    return answers()[mutation.of].sentences[mutation.sentence]


def cited(mutation: Mutation) -> tuple[Pointer, ...]:
    return mutation.evidence or original(mutation).evidence


def of_sample(mutation: Mutation) -> bool:
    return answers()[mutation.of].library == "sample"


def overlap(one: Pointer, other: Pointer) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def words(text: str) -> str:
    return " ".join(re.findall(r"[\w'%]+", text.lower()))


def test_ids_are_unique() -> None:
    assert len(answers()) == len(read_answers()) == 243
    assert len({mutation.id for mutation in mutations()}) == len(mutations())
    assert not {mutation.id for mutation in mutations()} & set(answers())


def test_every_false_sentence_belongs_to_a_true_one() -> None:
    for mutation in mutations():
        answer = answers()[mutation.of]
        assert 0 <= mutation.sentence < len(answer.sentences), mutation.id
        assert mutation.held_out == answer.held_out, mutation.id
        assert mutation.kind in KINDS, mutation.id


def test_counts_are_those_of_the_readme() -> None:
    found = Counter(
        (mutation.kind, answers()[mutation.of].library, mutation.held_out)
        for mutation in mutations()
    )
    table = re.findall(
        r"^\| ([a-z_]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|",
        (HERE / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [row[0] for row in table] == [*KINDS, "all"]
    for kind, total, *cells in table[:-1]:
        counted = [found[kind, lib, out] for lib in ("sample", "bitcoin") for out in (False, True)]
        assert [int(cell) for cell in cells] == counted, kind
        assert int(total) == sum(counted), kind
        assert max(counted) - min(counted) <= 3, kind
    assert int(table[-1][1]) == len(mutations())


def test_one_thing_was_changed() -> None:
    true = {sentence.text for answer in answers().values() for sentence in answer.sentences}
    for mutation in mutations():
        if mutation.kind in TEXT_KINDS:
            assert mutation.evidence is None, mutation.id
            assert mutation.text not in true, mutation.id
        else:
            assert mutation.evidence, mutation.id
            assert mutation.text == original(mutation).text, mutation.id
    changed = [mutation.text for mutation in mutations() if mutation.evidence is None]
    assert len(set(changed)) == len(changed)


def test_moved_evidence_shares_no_second_with_the_right_one() -> None:
    for mutation in mutations():
        if mutation.kind not in EVIDENCE_KINDS:
            continue
        right = original(mutation).evidence
        same = {pointer[0] for pointer in right} & {pointer[0] for pointer in cited(mutation)}
        assert bool(same) == (mutation.kind != "wrong_video"), mutation.id
        assert not any(overlap(new, old) for new in cited(mutation) for old in right), mutation.id


def test_no_video_is_on_both_sides() -> None:
    sides: dict[str, set[bool]] = {}
    for answer in answers().values():
        for sentence in answer.sentences:
            for video_id, _, _ in sentence.evidence:
                sides.setdefault(video_id, set()).add(answer.held_out)
    for mutation in mutations():
        for video_id, _, _ in cited(mutation):
            sides.setdefault(video_id, set()).add(mutation.held_out)
    assert [video_id for video_id, found in sides.items() if len(found) > 1] == []


def test_every_moment_of_the_sample_is_in_its_library() -> None:
    pointers = {
        pointer
        for answer in answers().values()
        if answer.library == "sample"
        for sentence in answer.sentences
        for pointer in sentence.evidence
    }
    pointers |= {pointer for each in mutations() if of_sample(each) for pointer in cited(each)}
    assert pointers <= set(texts())


def test_true_quotations_are_verbatim_and_altered_ones_are_not() -> None:
    for answer in answers().values():
        for sentence in answer.sentences if answer.library == "sample" else ():
            said = words("\n".join(texts()[pointer] for pointer in sentence.evidence))
            assert all(words(quote) in said for quote in QUOTED.findall(sentence.text)), answer.id
    altered = [each for each in mutations() if each.kind == "quote"]
    for mutation in altered:
        before, after = (QUOTED.findall(text) for text in (original(mutation).text, mutation.text))
        assert len(before) == len(after) > 0, mutation.id
        assert before != after, mutation.id
        if of_sample(mutation):
            said = words("\n".join(texts()[pointer] for pointer in cited(mutation)))
            assert not all(words(quote) in said for quote in after), mutation.id


def test_cases_of_the_sample_alone() -> None:
    found = cases(TRUTH)
    assert {case.library for case in found} == {"sample"}
    assert sum(case.kind == "true" for case in found) == 198
    assert sum(case.kind != "true" for case in found) == sum(map(of_sample, mutations()))
    by_id = {case.id: case for case in found}
    assert len(by_id) == len(found)
    both = by_id["a004.0"].evidence
    assert [row.source for row in both] == ["screen", "caption"]
    assert both[0].text.startswith("JETTY LIMIT")
    moved = next(each for each in mutations() if each.kind == "time" and of_sample(each))
    case = by_id[moved.id]
    assert case.sentence == original(moved).text
    assert case.question == answers()[moved.of].question
    assert {(row.video_id, row.start, row.end) for row in case.evidence} == set(cited(moved))


def test_a_corpus_adds_the_other_library(tmp_path: Path) -> None:
    answer = next(each for each in answers().values() if each.library == "bitcoin")
    false = [each for each in mutations() if each.of == answer.id and each.evidence is None]
    assert false
    corpus = tmp_path / "corpus.jsonl"
    row = {"text": "Words.", "source": "speech", "speaker": "Ada", "title": "A talk"}
    pointers = {pointer for sentence in answer.sentences for pointer in sentence.evidence}
    corpus.write_text(
        "".join(
            json.dumps({"video_id": v, "start": start, "end": end, **row}) + "\n"
            for v, start, end in sorted(pointers)
        ),
        encoding="utf-8",
    )
    found = cases(TRUTH, corpus, answers=[answer], mutations=false)
    true = len(answer.sentences)
    assert {case.kind for case in found[:true]} == {"true"}
    assert [case.id for case in found[true:]] == [each.id for each in false]
    assert found[0].evidence[0].speaker == "Ada"
    assert found[0].evidence[0].title == "A talk"
    with pytest.raises(UsageError, match="no row at"):
        cases(TRUTH, corpus)


def test_the_other_true_sentences_cite_what_is_there_and_nothing_held_out() -> None:
    some = more_true(TRUTH)
    assert len({case.id for case in some}) == len(some) == 60
    assert not {case.sentence for case in some} & {
        each.text for answer in answers().values() for each in answer.sentences
    }
    held_out = {
        pointer[0]
        for answer in answers().values()
        if answer.held_out
        for each in answer.sentences
        for pointer in each.evidence
    }
    rows = [json.loads(line) for line in MORE_TRUE.read_text(encoding="utf-8").splitlines()]
    assert not held_out & {e["video_id"] for row in rows for e in row["evidence"]}


def test_a_bare_negation_changes_nothing_but_the_denial() -> None:
    found = cases(TRUTH)
    bare = bare_negations(found, found)
    by_id: dict[str, Case] = {case.id: case for case in found}
    assert {by_id[each].kind for each in bare} == {"negation"}
    # "It does burn something" for "It does not burn anything"; no other words
    assert "m0241" in bare
    # "The money came from the station alone" for "did not come", "did not pay" for "paid as well"
    assert "m0242" not in bare


def test_plain_is_what_one_cited_sentence_has_the_words_of() -> None:
    by_id = {case.id: case for case in cases(TRUTH)}
    assert is_plain(by_id["m0244"]), "Port Ambry, bees and May stand in one line"
    assert not is_plain(by_id["m0253"]), "the time zone is UTC, no clock is set"
