"""Which descriptions are not trusted, and which are left alone."""

from __future__ import annotations

import pytest

from pipeline.ingest.caption_checks import (
    Fault,
    contradiction,
    fault_of,
    unknown_names,
    without_loops,
)
from pipeline.prompts import load_prompt

TEMPLATE = load_prompt("caption").text


def fault(*texts: str, known: str = "", written: str = "") -> Fault | None:
    return fault_of(texts, TEMPLATE, set(known.casefold().split()), written)


# ---------------------------------------------------------------- descriptions as they should be

GOOD = """
A man in a white T-shirt stands by a whiteboard and points at a diagram of a pump.
A woman with grey hair holds an X-ray image up to the light; a boy in a V-neck sweater watches.
A red Toyota pickup is parked beside the van of a plumber.
The Eiffel Tower stands behind a group of tourists who take a picture of themselves.
A slide with a bar chart of sales for January to March; the tallest bar is blue.
A person types in a Jupyter notebook; a MacBook and a cup of coffee are on the desk.
A code editor beside a terminal. A Python function is selected, and the tests below it pass.
Two children in Halloween costumes open a door, one as a ghost and one as a witch.
A Golden Retriever runs over the lawn with a tennis ball, away from the camera.
Close-up of hands in blue gloves that tighten a bolt with a torque wrench. With a red toolbox.
A soccer player in a Barcelona jersey shoots at the goal from the left. The goalkeeper jumps.
The browser shows an inbox in a Gmail window with three unread messages.
A band of four plays on a small stage at night; the guitarist holds a Fender guitar.
An elderly Japanese couple walks through a garden with stone lanterns and a wooden bridge.
Nobody is there. An empty corridor with lockers on both sides and a clock at the end.
A weather map of the country, with a cold front drawn in blue from the west to the coast.
A Victorian house with a porch. Snow lies on the roof, and smoke comes from the chimney.
She cracks an egg on the rim of the bowl, then a second egg. Four eggs are left in the carton.
A teacher writes an equation on a blackboard, and the class of about twenty listens.
A chess board from above. White has moved the queen to the middle; black has lost a rook.
The New York skyline at dusk, seen from a boat that moves towards a bridge.
A drone shot over a valley: a river, a railway line and three villages, the nearest with a church.
A nurse in green scrubs puts an N95 mask on. Behind her, a monitor shows a pulse of 72.
A cartoon of a fox in a top hat on a yellow background. The fox bows, and its tail curls up.
A woman eats éclairs on a terrace by the sea; a waiter brings two cups of tea.
The screen is split in two: a speaker in a suit on the left, a table of prices on the right.
Sorry is written in chalk on the pavement; a girl with a bucket kneels beside it and adds a heart.
Ein Mann steht in der Küche und schneidet mit einem großen Messer Gemüse auf dem Tisch.
一个穿蓝色围裙的女人在厨房里、正在切洋葱、旁边有一个红色的锅。
Девушка держит планшет. Рядом Мужчина в рубашке.
""".strip().splitlines()


@pytest.mark.parametrize("text", GOOD, ids=lambda text: text[:30])
def test_a_good_description_has_no_fault(text: str) -> None:
    assert fault(text) is None
    assert without_loops(text).split() == text.split()


def test_pictures_that_show_the_same_may_be_described_alike() -> None:
    """Six pictures of a speaker: no single description of them says anything twice."""
    text = "A lecture hall. A man in a dark suit at a desk. He speaks into a microphone."
    assert fault(*[text] * 6) is None


def test_what_is_said_and_shown_in_the_video_may_be_told() -> None:
    said = "and now the third thing that we always do before we start is to check the oil level"
    assert fault(f"A slide reads: {said}.", known=said) is None


# ---------------------------------------------------------------- useless


@pytest.mark.parametrize("texts", [(), ("",), (" ...", "-"), ("!?", "")], ids=str)
def test_without_a_word_there_is_nothing(texts: tuple[str, ...]) -> None:
    assert fault(*texts) == Fault("the reply is empty", useless=True)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I cannot identify people in images.",
        "I cannot describe this image.",
        "I can't see any images in your message.",
        "Unfortunately, I am not able to view pictures.",
        "As an AI language model, I do not have eyes.",
        "I don't see any image. Please upload one.",
        "Sorry, this request was declined.",
        "I'm unable to provide a description.",
        "No image was provided.",
    ],
)
def test_a_refusal_is_useless_and_quoted(text: str) -> None:
    found = fault(text)
    assert found is not None and found.useless and found.mendable
    assert found.reason == f"the model declined: {text[:80]}"


@pytest.mark.parametrize(
    "text",
    [
        "A sign at the door says: I'm sorry, we are closed.",
        "An actor says he is sorry and cannot stay; the others laugh.",
        "Unfortunately for the cat, the fish tank has a lid.",
        "I can see a cat.",
        "Sorry, " + "a crowd of people moves down the street to the town hall, with banners. " * 5,
    ],
)
def test_what_only_speaks_of_refusing_is_none(text: str) -> None:
    found = fault(text)
    assert found is None or "declined" not in found.reason


def test_to_repeat_the_instructions_is_useless() -> None:
    line = next(line for line in TEMPLATE.splitlines() if line.startswith("Say only"))
    found = fault(f"A kitchen. {line}")
    assert found == Fault("it repeats what the model was told", useless=True)
    few = " ".join(line.split()[:6])
    assert fault(f"A kitchen. {few}.") is None, "a few words in a row are an accident"


# ---------------------------------------------------------------- loops


@pytest.mark.parametrize(
    "text",
    [
        "The man walks. The man walks. The man walks.",
        "It is a dog. " * 40,
        "A table with " + "a red cup, a blue plate, " * 14,
        "The man walks to the door and then the man walks to the door and then the man walks"
        " to the door and then the man walks to the door and then stops.",
        "他在走路。他在走路。他在走路。",
    ],
    ids=lambda text: text[:20],
)
def test_a_loop_is_a_fault_that_leaves_something(text: str) -> None:
    assert fault(text) == Fault("it says the same again and again")
    assert fault("A quiet street with two cars.", text) is not None, "in any of the pictures"


def test_a_sentence_or_two_said_twice_are_no_loop() -> None:
    assert fault("He runs. He stops. He runs. He stops.") is None


def test_of_a_loop_each_sentence_is_kept_once() -> None:
    text = "A dog runs. It barks. A dog runs. It barks! A dog  runs. The end."
    assert without_loops(text) == "A dog runs. It barks. The end."


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A man named Jonas waves.", ["Jonas"]),
        ("The speaker, Angela Dombrowski, stands on the stage.", ["Angela", "Dombrowski"]),
        ("Barack Obama speaks at a podium in front of a crowd.", ["Obama"]),
        ("Two men talk: a bearded man and Fyodor.", ["Fyodor"]),
        ("A woman hugs Katya's brother on a platform.", ["Katya"]),
        ("It is the office of Steve Wozniak.", ["Steve", "Wozniak"]),
        ("A man greets Katya. The woman smiles at Katya.", ["Katya"]),
    ],
)
def test_a_name_that_nothing_tells_is_a_fault(text: str, names: list[str]) -> None:
    assert unknown_names(text, set()) == names
    reason = f"names that appear nowhere: {', '.join(names)}"
    assert fault(text) == Fault(reason, useless=False, mendable=False)


def test_a_name_that_is_said_shown_or_read_in_the_picture_is_none() -> None:
    text = "A woman with a badge stands beside Katya Petrowna, who smiles at the others."
    assert unknown_names(text, set()) == ["Katya", "Petrowna"]
    assert unknown_names(text, {"katya", "petrowna"}) == []
    assert unknown_names(text, {"katya"}) == ["Petrowna"]
    assert unknown_names(text, {"katya"}, "K. PETROWNA, Director") == []
    assert unknown_names(text, {"katyapetrowna"}) == [], "screen readers lose spaces"
    assert fault(text, known="Katya Petrowna") is None


@pytest.mark.parametrize(
    "text",
    [
        "Katya stands at a desk with a lamp.",  # any word may begin a sentence
        'A poster on the wall says "Katya and the wolf".',
        "A slide with a title: Katya and the wolf.",
        "The text on the card is: Happy birthday. Katya and a friend look at it.",
        "A German Shepherd lies beside an African drum on a Thursday in March.",
        "Google Chrome shows a page of the Internet Archive with a USB stick and an HDMI cable.",
        "A Ford, a blue Honda and the old Vespa stand in Marseille.",
    ],
)
def test_what_is_no_persons_name_is_none(text: str) -> None:
    assert unknown_names(text, set()) == []


# ---------------------------------------------------------------- neighbours

CONTRADICTIONS = [
    ("Three men sit at a table.", "One man sits at a table.", "3 man before, 1 now"),
    ("A man talks to four women.", "A man talks to two women.", "4 woman before, 2 now"),
    ("A person by a car.", "Six people by a car.", "1 person before, 6 now"),
    ("A woman in a red coat waits.", "A woman in a blue coat waits.", "red coat before, blue now"),
    ("An indoor pool with lanes.", "An outdoor pool with lanes.", "indoor before, outdoor now"),
    ("The street at night.", "The street in daylight.", "night before, daylight now"),
    ("A sunny street.", "A street at night.", "sunny before, night now"),
    ("A crowded platform.", "A deserted platform.", "crowded before, deserted now"),
]
AGREEMENTS = [
    ("Three men sit at a table.", "Two men sit at a table, one has left."),
    ("A man and a woman talk.", "Three men and a woman talk to a man."),  # counted twice: unclear
    ("A woman in a red coat.", "A woman in a red coat and a man in a blue coat."),
    ("A black and white photo of a ship.", "A white ship on a black and white photo."),
    ("A gray wall with a door.", "A grey wall with a door that opens."),
    ("A man in a white shirt.", "A man in a white shirt holds a blue cup."),
    ("Night falls over the sunny bay.", "The bay at night."),
    ("A dark hall.", "A bright hall."),
    ("An indoor court beside an outdoor pool.", "An outdoor pool."),
    ("Two people wait.", "Some people wait at the door."),
    ("A man with glasses speaks.", "He looks at his notes."),
    ("", "A man in a red coat at night."),
    ("一个男人在厨房里。", "一个女人在花园里。"),
]


@pytest.mark.parametrize(("before", "text", "reason"), CONTRADICTIONS)
def test_what_two_descriptions_say_against_each_other_is_named(
    before: str, text: str, reason: str
) -> None:
    assert contradiction(before, text) == reason
    assert contradiction(text, before), "either way round"
    assert not contradiction(before, before) and not contradiction(text, text)


@pytest.mark.parametrize(("before", "text"), AGREEMENTS)
def test_descriptions_that_differ_in_other_things_agree(before: str, text: str) -> None:
    assert contradiction(before, text) == contradiction(text, before) == ""
