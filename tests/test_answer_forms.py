"""The form that a question's wording asks for, its prompt, and how it is written."""

from __future__ import annotations

import pytest

from pipeline.answer.ask import answer_question
from pipeline.answer.forms import chosen_form, form_of
from pipeline.errors import UsageError
from pipeline.models.embedding import load_embedder
from pipeline.models.language import ScriptedModel
from pipeline.prompts import load_prompt
from pipeline.types import FORMS, Form
from tests.answer_made import MadeTranscripts, found, moment, speech

QUESTIONS: list[tuple[str, Form]] = [
    ("Who is the director?", "short"),
    ("When will it be fixed?", "short"),
    ("guest wifi password", "short"),
    ("Is the network better at night?", "short"),
    ("What is the Wi-Fi password for the staff network?", "short"),
    ("Why did the ferry stop?", "explained"),
    ("How does the heat exchanger work?", "explained"),
    ("What became of the orchids?", "explained"),
    ("Who is Duchess and why should visitors keep away?", "explained"),
    ("Compare the spring talk and the autumn talk.", "compare"),
    ("What changed between the two talks?", "compare"),
    ("How did the harvest change between spring and autumn?", "compare"),
    ("What is the difference between payjoin v1 and v2?", "compare"),
    ("What was on the agenda of the meeting?", "list"),
    ("List all the animals of the island", "list"),
    ("Which videos mention the ferry?", "list"),
    ("What are the arguments for it?", "list"),
    ("How do I clean the inlet valve?", "howto"),
    ("Please, how can I reset the logger?", "howto"),
    ("error E-31 tide logger fix", "howto"),
    ("I have to clean it. What are the steps?", "howto"),
    ("Give me a timeline of the storm", "timeline"),
    ("What happened before the wave?", "timeline"),
]


@pytest.mark.parametrize(("question", "form"), QUESTIONS)
def test_the_wording_tells_the_form(question: str, form: Form) -> None:
    assert form_of(question) == form


def test_a_form_that_is_asked_for_wins_and_one_that_is_none_is_refused() -> None:
    assert chosen_form("Why did the ferry stop?", "list") == "list"
    assert chosen_form("Why did the ferry stop?") == "explained"
    with pytest.raises(UsageError, match="poem") as caught:
        chosen_form("Why?", "poem")
    assert "howto" in caught.value.hint


INLET = MadeTranscripts(
    {
        "talk": speech(
            (0.0, 4.0, "Close the seaward gate first."),
            (5.0, 9.0, "Wait five minutes for the pressure to drop."),
            (10.0, 14.0, "Brush the basket of the inlet valve."),
        )
    }
)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_a_prompt_of_its_own_and_the_same_rules(form: Form) -> None:
    model = ScriptedModel(["Close the seaward gate first [1]."])
    answer = answer_question(
        "What about the inlet?",
        found(moment("talk", 0.0, 20.0)),
        INLET,
        load_embedder("fake:512"),
        model,
        form=form,
    )
    ((prompt, _),) = model.prompts
    assert load_prompt(f"answer_{form}").text in prompt
    assert "NOT_IN_LIBRARY" in prompt and "End every sentence with the numbers" in prompt
    assert answer.form == form


@pytest.mark.parametrize(
    ("form", "reply"),
    [
        ("howto", "1. Close the seaward gate first [1].\n2. Wait five minutes for the pressure to "
         "drop [2].\n3. Brush the basket of the inlet valve [3]."),
        ("list", "- Close the seaward gate first [1].\n- Wait five minutes for the pressure to "
         "drop. [2]\n- Brush the basket of the inlet valve [3]"),
    ],
)  # fmt: skip
def test_steps_and_items_stay_sentences_on_lines_in_their_order(form: Form, reply: str) -> None:
    answer = answer_question(
        "What about the inlet?",
        found(moment("talk", 0.0, 20.0)),
        INLET,
        load_embedder("fake:512"),
        ScriptedModel([reply]),
        form=form,
    )
    assert [line.rstrip(".") for line in answer.answer.splitlines()] == [
        "Close the seaward gate first. [1]",
        "Wait five minutes for the pressure to drop. [2]",
        answer.sentences[2].text + " [3]",
    ]
    assert answer.sentences[2].text.startswith("Brush the basket of the inlet valve")
