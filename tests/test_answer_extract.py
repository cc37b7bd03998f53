"""Answers without a language model: the right statement quoted, or an honest no."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answer import extract
from pipeline.answer.ask import NOT_ANSWERED, answer_question
from pipeline.answer.cite import resolves
from pipeline.answer.evidence import gather
from pipeline.answer.wording import asked_kind, holds_kind, names, negations, question_stems
from pipeline.models.embedding import load_embedder
from pipeline.types import Answer, Segment, Vectors
from tests.answer_made import MadeTranscripts, found, moment, speech, timed, tracks

LIBRARY = MadeTranscripts(
    {
        "talk": [
            timed(10.0, "Good evening. The harvest of the greenhouse weighed nine kilos. Beans"),
            timed(17.0, "were the first crop of the greenhouse. The pumps run all day."),
            Segment("screen", 0.0, 40.0, "The harvest of the greenhouse\nYuki Sandoval, botanist"),
        ],
        "update": [
            *speech((5.0, 9.0, "The harvest of the greenhouse weighed fourteen kilos.")),
            *speech((9.5, 13.0, "Orchids did not survive the salt winds.")),
        ],
        "copy": speech((60.0, 64.0, "The harvest of the greenhouse weighed nine kilos!")),
    }
)
MOMENTS = (
    moment("talk", 0.0, 40.0, "speech", "screen"),
    moment("update", 0.0, 15.0, score=0.5),
    moment("copy", 55.0, 70.0, score=0.4),
)


def ask(question: str, library: MadeTranscripts = LIBRARY) -> Answer:
    return answer_question(question, found(*MOMENTS), library, load_embedder("fake:512"))


def test_the_answer_quotes_the_words_that_hold_it_at_their_own_time() -> None:
    answer = ask("How many kilos did the harvest of the greenhouse weigh?")
    first = answer.citations[0]
    assert first.quote == "The harvest of the greenhouse weighed nine kilos."
    assert (first.video_id, first.start, first.end) == ("talk", 11.0, 15.0)
    assert first.link == "file:///videos/talk.mp4#t=11"
    assert answer.answer.startswith("“The harvest of the greenhouse weighed nine kilos.” [1]")
    assert not answer.abstained and 0.5 <= answer.confidence <= 1.0


def test_videos_that_contradict_each_other_are_both_quoted_and_a_copy_is_not() -> None:
    answer = ask("How many kilos did the harvest of the greenhouse weigh?")
    assert "weighed nine kilos." in answer.answer and "weighed fourteen kilos." in answer.answer
    cited = {marker for sentence in answer.sentences for marker in sentence.citations}
    assert {answer.citations[m - 1].video_id for m in cited} == {"talk", "update"}


def test_a_question_that_asks_why_is_also_given_what_was_said_next() -> None:
    library = MadeTranscripts(
        {
            "talk": speech(
                (0.0, 4.0, "Never touch the balloon with your bare hands."),
                (4.2, 8.0, "Grease weakens the rubber."),
                (20.0, 24.0, "Now tie the neck with cord."),
            ),
            "update": [],
            "copy": [],
        }
    )
    answer = ask("Why not touch the balloon with bare hands?", library)
    assert [c.start for c in answer.citations] == [0.0, 4.2]


def test_a_sentence_over_two_cues_is_quoted_whole() -> None:
    answer = ask("Which beans were the first crop of the greenhouse?")
    assert answer.citations[0].quote == "Beans were the first crop of the greenhouse."
    assert (answer.citations[0].start, answer.citations[0].end) == (15.0, 20.5)


@pytest.mark.parametrize(
    "question",
    [
        "Who won the world cup of 1990?",
        "When was the greenhouse painted?",
        "What is the capital of Mongolia?",
        "zzz",
        "???",
    ],
)
def test_what_the_library_does_not_know_it_does_not_answer(question: str) -> None:
    answer = ask(question)
    assert answer.abstained and answer.answer == NOT_ANSWERED
    assert answer.sentences == () and answer.citations == ()
    assert 0.0 <= answer.confidence < 0.5
    assert answer.moments == MOMENTS


def test_a_statement_that_asks_the_same_gives_way_to_one_that_answers() -> None:
    library = MadeTranscripts(
        {
            "talk": speech(
                (0.0, 4.0, "Which sealant do you use for the greenhouse roof?"),
                (30.0, 34.0, "The sealant for the greenhouse roof is beeswax."),
            ),
            "update": [],
            "copy": [],
        }
    )
    answer = ask("Which sealant do they use for the greenhouse roof?", library)
    assert answer.citations[0].start == 30.0


def quoted(monkeypatch: pytest.MonkeyPatch, *told: tuple[str, float, bool]) -> list[str]:
    """What is quoted of statements (text, score, whether it lacks the kind asked for)."""
    track = speech(*((10.0 * i, 10.0 * i + 4, text) for i, (text, _, _) in enumerate(told)))
    evidence = gather([moment("talk", 0.0, 60.0)], MadeTranscripts({"talk": track}), 1000)
    ranking = np.array([[score, 0, 0, 0, 0, 0] for _, score, _ in told]) / extract.WEIGHTS[0]
    telling = np.array([[0.5, lacking, 0.6] for _, _, lacking in told])
    signals = extract.Signals(np.arange(len(told)), ranking, telling)
    monkeypatch.setattr(extract, "signals_of", lambda *_: signals)
    made = extract.extract("How many?", evidence, load_embedder("fake:16"), MOMENTS)
    return [item.statement.text for item in made.quoted]


def test_the_best_comes_first_and_what_is_as_good_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ("Nine of the beans.", 3.2, False), ("Ten pears.", 4.0, False), ("Plums.", 2.9, False)
    assert quoted(monkeypatch, *told) == ["Ten pears.", "Nine of the beans."]


def test_what_lacks_the_number_is_not_quoted_beside_what_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = ("Nine of the beans.", 4.0, False), ("Ripe pears over there.", 3.9, True)
    assert quoted(monkeypatch, one, other) == ["Nine of the beans."]
    assert len(quoted(monkeypatch, (*one[:2], True), other)) == 2


def test_the_same_words_are_quoted_once_unless_the_number_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = ("Nine of the beans were ripe.", 4.0, False)
    assert len(quoted(monkeypatch, one, ("Of the beans nine were ripe!", 3.9, False))) == 1
    assert len(quoted(monkeypatch, one, ("Ten of the beans were ripe.", 3.9, False))) == 2


def test_the_better_moment_decides_between_statements_that_say_the_same() -> None:
    library = MadeTranscripts(
        {
            "talk": speech((0.0, 4.0, "The harvest of the greenhouse weighed eight kilos.")),
            "update": speech((5.0, 9.0, "The harvest of the greenhouse weighed fourteen kilos.")),
            "copy": [],
        }
    )
    question, embedder = "How many kilos did the harvest weigh?", load_embedder("fake:512")
    for one, two in ((1.0, 0.2), (0.2, 1.0)):
        moments = [moment("talk", 0.0, 40.0, score=one), moment("update", 0.0, 15.0, score=two)]
        moments.sort(key=lambda m: -m.score)
        answer = answer_question(question, found(*moments), library, embedder)
        assert answer.citations[0].video_id == moments[0].video_id


def test_an_embedder_without_tokens_answers_as_well() -> None:
    class Whole:
        """Gives vectors of whole texts alone."""

        def __init__(self) -> None:
            self._made = load_embedder("fake:512")
            self.name, self.dimension = self._made.name, self._made.dimension
            self.max_tokens = self._made.max_tokens

        def embed(self, texts: Sequence[str]) -> Vectors:
            return self._made.embed(texts)

        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            return self._made.count_tokens(texts)

    question = "How many kilos did the harvest of the greenhouse weigh?"
    answer = answer_question(question, found(*MOMENTS), LIBRARY, Whole())
    assert answer.citations[0].quote == "The harvest of the greenhouse weighed nine kilos."


def test_a_marker_in_a_quote_cannot_pass_for_one_of_the_answer() -> None:
    library = MadeTranscripts(
        {
            "talk": speech((0.0, 5.0, "The harvest [7] of the greenhouse [2, 3] was nine kilos.")),
            "update": [],
            "copy": [],
        }
    )
    answer = ask("How many kilos was the harvest of the greenhouse?", library)
    assert answer.answer == "“The harvest (7) of the greenhouse (2, 3) was nine kilos.” [1]"
    assert answer.citations[0].quote == library.segments("talk")[0].text


@settings(max_examples=60)
@given(tracks(), st.text(max_size=40).filter(str.strip))
def test_whatever_is_asked_of_whatever_text_every_quote_is_stored(
    track: list[Segment], question: str
) -> None:
    library = MadeTranscripts({"v": track})
    everything = moment("v", 0.0, 5000.0, "speech", "caption", "screen", "sound")
    embedder = load_embedder("fake:16")
    for asked in (question, track[0].text):
        if asked.strip():
            answer = answer_question(asked, found(everything), library, embedder)
            assert all(resolves(c, library.segments("v")) for c in answer.citations)
            assert all(s.citations for s in answer.sentences)
            assert answer.abstained == (not answer.sentences)


# ---------------------------------------------------------------- wording


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many panels are on the roof?", "count"),
        ("At what altitude does the balloon burst?", "count"),
        ("How old is the seal?", "duration"),
        ("How long is the crossing?", "duration"),
        ("In what year was the jetty opened?", "year"),
        ("When will the ferry be back?", "time"),
        ("On what date was the jetty opened?", "time"),
        ("Who built the lighthouse?", "person"),
        ("Who came, and how long did she stay?", "person"),
        ("Why is it closed?", "other"),
        ("wifi password", "other"),
    ],
)
def test_a_question_tells_what_kind_of_answer_it_wants(question: str, kind: str) -> None:
    assert asked_kind(question) == kind


def test_text_holds_a_kind_of_answer_or_does_not() -> None:
    assert holds_kind("count", "It bursts at about 29 kilometres.")
    assert not holds_kind("count", "It bursts too low.")
    assert not holds_kind("count", "Weather balloon handbook, part 1, 6 June 2024")
    assert holds_kind("year", "The lighthouse was built in 1887.")
    assert not holds_kind("year", "The lighthouse was built in May.")
    assert holds_kind("duration", "The crossing takes thirty-five minutes.")
    assert not holds_kind("duration", "Room for eight passengers.")
    assert holds_kind("time", "She sails at a quarter past four.")
    assert holds_kind("time", "On the 2nd of November.")
    assert not holds_kind("time", "She needs a new gearbox.")
    assert holds_kind("person", "It was filmed by Edwin Ashgrove.")
    assert not holds_kind("person", "Four hands for the quarry stone.")


def test_what_a_question_is_about_leaves_out_how_it_asks() -> None:
    assert question_stems("What does the speaker say about the gearbox in this video?") == [
        "gearbox"
    ]
    assert question_stems("What is that?") == ["what", "is", "that"]


def test_names_and_negations() -> None:
    assert names("The boat of Port Ambry uses GitHub.") == {"port", "ambry", "github"}
    assert negations("It isn't open and never was.") == 2
