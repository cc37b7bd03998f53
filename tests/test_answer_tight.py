"""Citations cut to the clause that carries a sentence, and seconded by those who say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pipeline.answer.ask import answer_question
from pipeline.answer.evidence import Evidence, as_quote
from pipeline.answer.footnotes import Footnotes
from pipeline.answer.generate import Settled
from pipeline.answer.recheck import check
from pipeline.answer.saved import Saved
from pipeline.answer.statements import statements
from pipeline.answer.tight import MOST_CITATIONS, cited_tightly
from pipeline.answer.verify import Claim, Judgement
from pipeline.models.embedding import load_embedder
from pipeline.types import Segment, Verdict
from tests.answer_made import MadeTranscripts, found, moment, speech, timed

LONG = (
    "Good evening and welcome to the harbour, the Little Auk goes into dry dock on the fourteenth"
    " of October, and the parts have come from the yard at Port Ambry."
)
DOCK = "The Little Auk goes into dry dock on the fourteenth of October."
SINCE = "The greenhouse on the holm weighed nine kilos of strawberries every week."


def evidence(rows: Mapping[str, Sequence[Segment]]) -> tuple[list[Evidence], MadeTranscripts]:
    library = MadeTranscripts(rows)
    said = [s for video_id in rows for s in statements(video_id, library.segments(video_id))]
    return [Evidence(n, library.video(s.video_id), s, 0) for n, s in enumerate(said, 1)], library


def tightly(
    text: str,
    cited: Sequence[Evidence],
    known: Sequence[Evidence],
    verdict: Verdict = "supported",
    verifier: Judge | None = None,
) -> list[Evidence]:
    sentence = Settled(text, tuple((item, verdict) for item in cited), verdict)
    made = cited_tightly([sentence], known, load_embedder("fake:512"), verifier)
    return [item for item, _ in made[0].cited]


class Judge:
    """A second level that says the same of everything, and keeps what it was asked."""

    name = "judge"

    def __init__(self, verdict: Verdict) -> None:
        self.verdict: Verdict = verdict
        self.asked: list[Sequence[Claim]] = []

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        self.asked.append(claims)
        return [Judgement(self.verdict, 1.0) for _ in claims]


# ---------------------------------------------------------------- clauses


def test_a_long_statement_is_cut_to_the_clause_that_carries_the_claim() -> None:
    known, library = evidence({"news": [timed(10.0, LONG)]})
    (item,) = tightly(DOCK, known, known)
    assert item.statement.text == "the Little Auk goes into dry dock on the fourteenth of October,"
    assert item.statement.text in LONG
    notes = Footnotes(library)
    notes.add(Settled(DOCK, ((item, "supported"),), "supported"))
    (citation,) = notes.citations
    assert (citation.start, citation.end) == (13.5, 19.5)  # its own words, and no others


@pytest.mark.parametrize(
    "turn",
    [
        "if the parts come",
        "but nobody believed it",
        "the skipper said",
        "unless the sea is rough",
        "or is it the fifteenth?",
    ],
)
def test_what_turns_the_clause_is_not_cut_off(turn: str) -> None:
    text = f"The Little Auk goes into dry dock on the fourteenth of October, {turn}, on a Monday."
    known, _ = evidence({"news": [timed(10.0, text)]})
    assert tightly(DOCK, known, known)[0].statement.text == text


def test_a_clause_that_leans_on_what_is_before_it_is_not_cut_from_it() -> None:
    text = (
        "The pump of the greenhouse is called Gulper after the eel, it takes four degrees from the"
        " water, and the beds are warm all of the winter."
    )
    known, _ = evidence({"talk": [timed(0.0, text)]})
    made = tightly("It takes four degrees from the water.", known, known)[0].statement.text
    assert not made.startswith("it takes") and "Gulper" in made


def test_a_slide_and_a_quotation_stay_whole() -> None:
    slide = Segment("screen", 0.0, 9.0, "\n".join([LONG, "Port Ambry tides", "High 05:52"]))
    known, _ = evidence({"news": [slide]})
    assert tightly(DOCK, known, known) == known
    said, _ = evidence({"news": [timed(10.0, LONG)]})
    assert tightly(as_quote(said[0]), said, said) == said


def test_two_sentences_on_one_statement_share_a_citation_where_one_has_the_words_of_the_other() -> (
    None
):
    known, library = evidence({"news": [timed(10.0, LONG)]})
    whole = Settled("The ferry is repaired.", ((known[0], "partly"),), "partly")
    (clause,) = tightly(DOCK, known, known)
    notes = Footnotes(library)
    notes.add(whole)
    notes.add(Settled(DOCK, ((clause, "supported"),), "supported"))
    assert len(notes.citations) == 1
    other = Footnotes(library)
    other.add(Settled(DOCK, ((clause, "supported"),), "supported"))
    other.add(whole)
    assert [c.quote == LONG for c in other.citations] == [False, True]


# ---------------------------------------------------------------- several moments


def test_what_another_video_says_too_is_a_further_citation() -> None:
    known, _ = evidence(
        {
            "spring": speech((0.0, 6.0, SINCE)),
            "autumn": speech(
                (0.0, 5.0, "Every week the greenhouse weighed nine kilos of strawberries."),
                (6.0, 9.0, "The pumps run all day."),
            ),
        }
    )
    made = tightly("The greenhouse weighed nine kilos of strawberries.", known[:1], known)
    assert [item.video.video_id for item in made] == ["spring", "autumn"]
    assert made[1].statement.text.startswith("Every week")


@pytest.mark.parametrize(
    "other",
    [
        "The greenhouse on the holm weighed eleven kilos of strawberries every week.",
        "The greenhouse on the holm weighed eleven kilos of strawberries every week, not nine.",
        "The greenhouse on the holm weighed nine kilos of strawberries every week, later eleven.",
        "The greenhouse on the holm never weighed nine kilos of strawberries every week.",
        "Did the greenhouse on the holm weigh nine kilos of strawberries every week?",
        SINCE.upper(),  # the same recording
        "The greenhouse on the holm had strawberries.",
    ],
)
def test_what_is_merely_like_it_is_none(other: str) -> None:
    known, _ = evidence({"spring": speech((0.0, 6.0, SINCE)), "v": speech((0.0, 6.0, other))})
    assert tightly(SINCE, known[:1], known) == known[:1]


def test_the_same_moment_is_no_further_one_and_a_later_one_is() -> None:
    again = "Nine kilos of strawberries the greenhouse on the holm weighed every week, yes."
    near, _ = evidence({"v": speech((0.0, 6.0, SINCE), (8.0, 14.0, again))})
    late, _ = evidence({"v": speech((0.0, 6.0, SINCE), (80.0, 86.0, again))})
    assert tightly(SINCE, near[:1], near) == near[:1]
    assert tightly(SINCE, late[:1], late) == late


def test_there_are_no_more_than_three() -> None:
    rows = {
        f"v{n}": speech((0.0, 6.0, f"{SINCE[:-1]}, {word}."))
        for n, word in enumerate(("indeed", "yes", "truly", "well", "certainly", "surely"))
    }
    known, _ = evidence(rows)
    assert len(tightly(SINCE, known[:1], known)) == MOST_CITATIONS


def test_a_sentence_that_is_not_carried_is_not_seconded() -> None:
    known, _ = evidence({"a": speech((0.0, 6.0, SINCE)), "b": speech((0.0, 6.0, SINCE + " Yes."))})
    assert tightly(SINCE, known[:1], known, "unchecked") == known[:1]


@pytest.mark.parametrize(("verdict", "count"), [("supported", 2), ("unchecked", 1)])
def test_who_judges_the_answer_judges_that_as_well_in_one_call(
    verdict: Verdict, count: int
) -> None:
    known, _ = evidence(
        {"a": speech((0.0, 6.0, SINCE)), "b": speech((0.0, 6.0, SINCE[:-1] + ", yes."))}
    )
    judge = Judge(verdict)
    assert len(tightly(SINCE, known[:1], known, verifier=judge)) == count
    assert [[item.number for _, items in asked for item in items] for asked in judge.asked] == [[2]]


def test_an_answer_that_several_carry_still_holds_when_it_is_checked_again() -> None:
    library = MadeTranscripts(
        {
            "spring": speech((0.0, 6.0, SINCE)),
            "autumn": speech(
                (0.0, 6.0, SINCE.replace("The greenhouse", "The greenhouse that is there"))
            ),
        }
    )
    embedder = load_embedder("fake:512")
    moments = found(moment("spring", 0.0, 9.0), moment("autumn", 0.0, 9.0))
    answer = answer_question(
        "How many kilos of strawberries did the greenhouse on the holm weigh?",
        moments, library, embedder,
    )  # fmt: skip
    assert len(answer.sentences) == 1 and len(answer.sentences[0].citations) == 2
    saved = Saved(answer.question, answer.sentences, answer.citations, answer.answer)
    again = check(saved, embedder, library)
    assert again.ok, again
