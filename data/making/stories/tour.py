"""The visitor tour, and the silent film of 1974 that contradicts it."""

from __future__ import annotations

from making import coast, reel
from making.story import Line, Shot, Story
from making.voice import Voice

MAREN = Voice("Maren Oduya", "en+f3", 158, 55)


TOUR = Story(
    "sorrel-holm-visitor-tour",
    "Sorrel Holm visitor tour",
    "2024-05-12T10:00:00Z",
    "srt",
    (
        Shot(
            coast.title,
            (
                Line("hello", MAREN, "Hello, and welcome to Sorrel Holm."),
                Line(
                    "director",
                    MAREN,
                    "I am Maren Oduya, and I have run this field station for nine years.",
                ),
            ),
            {"title-card": "Welcome to Sorrel Holm\nField station visitor tour\n12 May 2024"},
        ),
        Shot(
            coast.bay,
            (
                Line(
                    "came-by", MAREN, "You came over from Port Ambry on the Little Auk, our ferry."
                ),
                Line(
                    "crossing",
                    MAREN,
                    "The crossing takes thirty-five minutes when the sea is kind.",
                ),
                Line(
                    "timetable",
                    MAREN,
                    "She sails at eight in the morning and at a quarter past four, "
                    "and never on a Sunday.",
                ),
            ),
            scene=(
                "ferry-scene",
                "A small red ferry crosses a blue bay towards a green island "
                "with a striped lighthouse.",
            ),
        ),
        Shot(
            coast.jetty,
            (
                Line(
                    "planks", MAREN, "Mind the planks here, because they turn slippery after rain."
                ),
                Line("duchess", MAREN, "The grey lady in the corner is called Duchess."),
                Line("bites", MAREN, "She bites, so please walk around her."),
            ),
            {"jetty-sign": "JETTY LIMIT\n12 PERSONS\nCarts give way to seals"},
            ("seal-scene", "A grey seal lies on a wooden jetty beside a sign."),
        ),
        Shot(
            coast.island_map,
            (
                Line(
                    "beds",
                    MAREN,
                    "Everyone sleeps in Gannet House. It has twenty-two beds, "
                    "and breakfast is at half past seven.",
                ),
                Line(
                    "horn",
                    MAREN,
                    "If you ever hear three long blasts on the horn, leave everything where it is.",
                ),
                Line(
                    "bothy",
                    MAREN,
                    "Walk to the Red Bothy on the north shore, "
                    "and wait there until I have counted heads.",
                ),
            ),
            {
                "map": "Island map\nNorth path\n1.4 km\nRed Bothy\nBalloon Shed\nGannet House\n"
                "Old Cyclops\nTide House\nJetty\nRadio: channel 68"
            },
            ("map-scene", "A map of the island with a dashed path from the jetty to the north."),
        ),
        Shot(
            coast.rules,
            (
                Line(
                    "cistern",
                    MAREN,
                    "Fresh water is precious. The cistern holds only nine thousand litres.",
                ),
                Line(
                    "curtains",
                    MAREN,
                    "And draw your curtains at night, or the astronomers will sulk.",
                ),
            ),
            {
                "rules": "House rules\nBoots off at the front door\n"
                "Shower four minutes, no longer\n"
                "Lights out or curtained after 22:30\nPeelings into the green bin\n"
                "Dishes see the rota by the stove"
            },
        ),
        Shot(
            coast.dusk,
            (
                Line(
                    "sisters",
                    MAREN,
                    "The lighthouse was built in 1887 by two sisters, Agnes and Flora Penhallow.",
                ),
                Line(
                    "lamp",
                    MAREN,
                    "It turns once every twelve seconds, "
                    "and in all those years the lamp has never gone out.",
                ),
            ),
            scene=("beam-scene", "A lighthouse at night sweeps its beam under the stars."),
        ),
        Shot(
            coast.goodbye,
            (
                Line(
                    "goodbye",
                    MAREN,
                    "That is all. Enjoy the island, and say good morning to the puffins.",
                ),
            ),
            {
                "wifi": "Enjoy your stay\nFront desk open 09:00 to 11:00\n"
                "Wi-Fi network: gannet-guest\nPassword: puffin-parade-47"
            },
            ("puffin-scene", "Two puffins stand on the grass."),
            seconds=7,
        ),
    ),
)


def _card(identifier: str, *lines: str, seconds: float = 4.5) -> Shot:
    return Shot(reel.card(lines), screen={identifier: "\n".join(lines)}, seconds=seconds)


STORM = Story(
    "great-storm-1974-film",
    "The Great Storm (silent film, 1974)",
    "1974-01-09T12:00:00Z",
    "silent",
    (
        _card(
            "opening", "THE GREAT STORM", "Sorrel Holm, 9 January 1974", "Filmed by Edwin Ashgrove"
        ),
        Shot(
            reel.rising,
            scene=("clouds-scene", "Dark clouds race over a lighthouse; the sea is rough."),
            seconds=5,
        ),
        _card(
            "dawn",
            "The wind rose before dawn.",
            "By ten o'clock no boat",
            "could leave the harbour.",
        ),
        Shot(
            reel.lamp_out,
            scene=("wave-scene", "A huge wave climbs the lighthouse and its lamp goes dark."),
            seconds=5,
        ),
        _card("dark", "At noon a wave of 13 metres", "put out the lamp."),
        _card(
            "tar",
            "Keeper Tobias Crane lit",
            "barrels of tar on the cliff",
            "to guide the boats home.",
        ),
        Shot(
            reel.fires,
            scene=("fires-scene", "Three barrels burn on a cliff while small boats row in."),
            seconds=6,
        ),
        _card("saved", "All 17 fishermen", "came ashore alive."),
        _card("jetty", "The wooden jetty was lost.", "The new one was opened", "on 2 August 1975."),
        _card("end", "THE END", seconds=2.5),
    ),
    size=(640, 480),
)
