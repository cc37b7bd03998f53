"""Verdicts: what plainly agrees, what plainly does not, and "unchecked" for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.evidence import Evidence, gather
from pipeline.answer.numerals import numbers, numbers_within
from pipeline.answer.verify import TextVerifier
from pipeline.models.embedding import load_embedder
from pipeline.settings import Settings
from pipeline.types import Embedder, Vectors, Verdict, Video
from tests.answer_made import MadeTranscripts, moment, speech


def evidence(*texts: str) -> list[Evidence]:
    rows = [(i * 10.0, i * 10.0 + 9, text) for i, text in enumerate(texts)]
    videos = {"v": Video("v", "Sorrel Holm tour", date="2024-05-12")}
    transcripts = MadeTranscripts({"v": speech(*rows, speaker="Maren Oduya")}, videos)
    return gather([moment("v", 0.0, 100.0)], transcripts, 1000)


class Counting:
    """An embedder that notes how many texts it is given at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self.max_tokens, self.embed = embedder.max_tokens, embedder.embed
        self.count_tokens = embedder.count_tokens
        self._tokens = embedder.embed_tokens  # type: ignore[attr-defined]
        self.batches: list[int] = []

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        self.batches.append(len(texts))
        made: list[Vectors] = self._tokens(texts)
        return made


@pytest.fixture(scope="module")
def verifier() -> TextVerifier:
    return TextVerifier(load_embedder("onnx:all-MiniLM-L6-v2", Settings()))


def verdict_of(verifier: TextVerifier, claim: str, *cited: str) -> Verdict:
    (judged,) = verifier.judge([(claim, evidence(*cited))])
    assert judged.verdict == "supported" or judged.reason
    return judged.verdict


@pytest.mark.parametrize(
    ("claim", "cited", "verdict"),
    [
        ("The roof has 12 panels.", "The roof has twelve panels.", "supported"),
        ("Maren Oduya says the roof has 12 panels.", "The roof has 12 panels.", "supported"),
        ("The roof has 14 panels.", "The roof has twelve panels.", "unsupported"),
        ("The ferry takes 35 hours.", "The ferry takes thirty-five minutes.", "contradicted"),
        ("The ferry takes 90 minutes.", "The ferry takes an hour and a half.", "partly"),
        ("She sails on 3 November.", "She sails on the second of November.", "contradicted"),
        ("She sails on May 12.", "She sails on 12 May.", "supported"),
        ("The low tide is at 11:58.", "Low tide is at two minutes to twelve.", "partly"),
        ('He said "the sea was rough".', "He said the sea was calm.", "unsupported"),
        ("Piet Halloran fixed the pump.", "Yuki Sandoval fixed the pump.", "unsupported"),
        ("The roof was finished in 1998.", "Panels are fun to clean.", "unsupported"),
        ("Bananas grow in hot countries.", "The lamp went out at noon.", "unsupported"),
        ("The jetty is safe in winter.", "The jetty is not safe in winter.", "contradicted"),
        ("The jetty is not safe in winter.", "The jetty is safe in winter.", "contradicted"),
        ("The jetty isn't safe in winter.", "The jetty is not safe in winter.", "supported"),
        (
            "The stone costs 18,000 crowns less.",
            "Concrete costs 62,000 crowns, the stone 44,000 crowns.",
            "unchecked",
        ),
    ],
)
def test_a_verdict_is_what_the_words_allow(
    verifier: TextVerifier, claim: str, cited: str, verdict: Verdict
) -> None:
    assert verdict_of(verifier, claim, cited) == verdict


def test_what_it_cannot_tell_is_not_called_supported(verifier: TextVerifier) -> None:
    said = "Piet paid Yuki for the pump."
    assert verdict_of(verifier, "Yuki paid Piet for the pump.", said) in ("unchecked", "partly")
    every = verdict_of(verifier, "Every lamp went out.", "Some lamps went out.")
    assert every in ("unchecked", "partly")
    built = "The lighthouse was built by two sisters in 1887."
    assert verdict_of(verifier, "In 1887 two sisters had a lighthouse put up.", built) in (
        "unchecked",
        "partly",
    )


def test_the_texts_of_an_answer_are_embedded_in_one_batch() -> None:
    embedder = Counting(load_embedder("onnx:all-MiniLM-L6-v2", Settings()))
    cited = evidence("The roof has twelve panels. It leaks.", "The cook bet against the lemons.")
    claims = [("The roof has 12 panels.", cited[:1]), ("The cook bet on lemons.", cited[1:])]
    together = TextVerifier(embedder).judge([*claims, claims[0]])
    assert embedder.batches == [5], "two claims and three cited sentences, each once"
    apart = [TextVerifier(embedder).judge([claim])[0] for claim in claims]
    assert [j.verdict for j in together] == [j.verdict for j in [*apart, apart[0]]]
    assert [j.score for j in together[:2]] == pytest.approx([j.score for j in apart], abs=1e-5)


def test_a_sentence_of_rare_words_is_no_other_language(verifier: TextVerifier) -> None:
    claim = "A fourth key becomes active another 6 weeks later."
    assert verdict_of(verifier, claim, "A fourth key becomes active 6 months later.") in (
        "contradicted",
        "unsupported",
    )


def test_two_lines_may_carry_a_claim_together(verifier: TextVerifier) -> None:
    lines = ("The grey seal is called Duchess.", "She bites visitors who come too close.")
    claim = "The grey seal Duchess bites visitors who come close."
    assert verdict_of(verifier, claim, *lines) == "supported"
    assert verdict_of(verifier, claim, lines[1]) == "unsupported", "nobody named her"


def test_all_claims_of_an_answer_are_judged_in_order(verifier: TextVerifier) -> None:
    cited = evidence("The roof has twelve panels.")
    claims = ["The roof has 12 panels.", "The roof has 13 panels.", "The roof has twelve panels."]
    verdicts = [judged.verdict for judged in verifier.judge([(c, cited) for c in claims])]
    assert verdicts == ["supported", "unsupported", "supported"]
    assert verifier.judge([]) == []


def test_no_citation_is_no_support(verifier: TextVerifier) -> None:
    assert verifier.judge([("Anything.", [])])[0].verdict == "unsupported"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("two hundred and fifty panels", {"250"}),
        ("1.2 million or 1,000, or 3,5", {"1200000", "1000", "3.5"}),
        ("two million three hundred thousand and five", {"2300005"}),
        ("twenty nineteen, twenty-five", {"20", "19", "25"}),
        ("at 3:30 with firmware 2.7.1", {"3:30", "2.7.1"}),
        ("one of them, no one", set()),
        ("exactly 1 of them", {"1"}),
        ("the 500k range, 3k, vitamin k", {"500000", "3000"}),
        ("five and six", {"5", "6"}),
        ("٣ items", {"3"}),
    ],
)
def test_numbers_are_read_as_values(text: str, values: set[str]) -> None:
    assert numbers(text) == values


def test_an_ordinal_or_a_spelled_one_can_carry_a_number() -> None:
    assert numbers_within("the second of one") == {"1", "2"}


@given(st.integers(0, 10**15))
def test_digits_say_their_value_with_and_without_separators(value: int) -> None:
    assert numbers(f"it is {value:,} or {value} now") == {str(value)}


@given(st.text(max_size=60))
def test_any_text_has_numbers_or_none(text: str) -> None:
    assert numbers(text) - {"1"} <= numbers_within(text)
