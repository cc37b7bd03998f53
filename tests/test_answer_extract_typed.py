"""Whether words could hold the amount, date or name that a question asks for."""

from __future__ import annotations

import pytest

from pipeline.answer.typed import lacks


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many puffins nest here?", "Say good morning to the puffins."),
        ("How many puffins nest here?", "They came on 6 June 2024."),
        ("How many of the 12 boats are red?", "All 12 boats lie in the harbour."),
        ("How much does the telescope cost?", "It is 41 cm across."),
        ("How tall is the lighthouse?", "The lighthouse was built in 1887."),
        ("How heavy is the box?", "The box hangs ten metres below."),
        ("At what temperature are mushrooms kept?", "The first crop weighed 12 kg."),
        ("In what year was the house built?", "The house has 22 beds."),
        ("When does the ferry sail?", "The ferry is red."),
        ("Who ran the station before Maren Oduya?", "The station was run by Maren Oduya."),
        ("What is the seal called?", "the seal bites"),
        ("How old was the seal in 2024?", "That was the year 2024."),
    ],
)
def test_words_without_anything_of_the_kind_lack_it(question: str, text: str) -> None:
    assert lacks(question, text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many puffins nest here?", "There are forty puffins."),
        ("How much does the telescope cost?", "It was sold for 900 crowns."),
        ("How tall is the lighthouse?", "It is 31 m high."),
        ("How heavy is the box?", "The box weighs two kilos."),
        ("At what temperature are mushrooms kept?", "We keep it at 12 degrees."),
        ("In what year was the house built?", "It was built in 1887."),
        ("When does the ferry sail?", "She sails at a quarter past four."),
        ("Who ran the station?", "It was run by Maren Oduya."),
        ("What is the seal called?", "The grey lady is called Duchess."),
        ("Why is the gate closed?", "Because of the pressure."),
    ],
)
def test_words_with_something_of_the_kind_do_not(question: str, text: str) -> None:
    assert not lacks(question, text)
