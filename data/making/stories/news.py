"""The station council, and the radio news seven weeks later that contradicts it."""

from __future__ import annotations

from making import rooms
from making.stories.tour import MAREN
from making.story import Line, Shot, Story
from making.voice import Voice

PIET = Voice("Piet Halloran", "en-us+m3", 164, 45)
BRAM = Voice("Bram Teller", "en-gb-x-gbclan", 152, 32)
NELL = Voice("Nell Ashgrove", "en-gb-x-rp+f5", 156, 52)
HOST = Voice("Harbour Radio", "en-gb-x-rp+m2", 160, 48)


def _call(number: int, *lines: Line) -> Shot:
    names = "\n".join(f"{name}, {role}" for name, role, *_ in rooms.PEOPLE)
    return Shot(
        rooms.call("Station council"),
        lines,
        {f"call-{number}": f"Station council\n{names}"},
        (f"call-scene-{number}", "Four people in a video call; one of them speaks."),
    )


COUNCIL = Story(
    "station-council-september",
    "Station council, September 2024",
    "2024-09-03T19:00:00Z",
    "vtt-voices",
    (
        _call(
            1,
            Line("open", MAREN, "Good evening, everyone. We have three things to settle tonight."),
        ),
        Shot(
            rooms.agenda,
            (Line("first", MAREN, "The ferry comes first. Bram, how is the old girl?"),),
            {
                "agenda": "Station council\n3 September 2024, agenda\nFerry repair\nBreakwater\n"
                "Archive room"
            },
        ),
        _call(
            2,
            Line("gearbox", BRAM, "The Little Auk needs a new gearbox."),
            Line(
                "dry-dock",
                BRAM,
                "She goes into dry dock on the 14th of October, "
                "and she'll be running again on the 2nd of November.",
            ),
            Line("who-brings", PIET, "And who brings our groceries until then?"),
            Line(
                "wilf",
                BRAM,
                "My cousin Wilf will, in the mussel boat. Tuesdays and Fridays only.",
            ),
            Line("six", BRAM, "He can take six passengers, and they will smell of mussels."),
            Line("next", MAREN, "Good. Next, the breakwater. Piet?"),
            Line("swell", PIET, "Last winter the swell took eleven metres off the end of it."),
        ),
        Shot(
            rooms.quote,
            (
                Line("concrete", PIET, "Concrete would cost us 62,000 crowns."),
                Line(
                    "compare",
                    NELL,
                    "That is more than the whole greenhouse! "
                    "Could we not use the stone from the old quarry?",
                ),
                Line(
                    "stone",
                    PIET,
                    "We could. It brings the bill down by a third, but it takes five weeks longer.",
                ),
            ),
            {
                "quote": "Breakwater: two ways\nConcrete\n62,000 crowns\n7 weeks\n"
                "Guarantee 25 years\nQuarry stone\na third less\n12 weeks\nGuarantee 40 years"
            },
        ),
        _call(
            3,
            Line(
                "vote",
                MAREN,
                "Then let us vote. Four hands for the quarry stone, and one against.",
            ),
            Line("masons", MAREN, "Piet, would you please write to the masons?"),
            Line(
                "damp",
                NELL,
                "And the archive. The damp is getting into the film cans. "
                "I need a dehumidifier, for 450 crowns.",
            ),
            Line("approved", MAREN, "Approved. Take it from the marmalade fund."),
            Line(
                "next-meeting",
                MAREN,
                "We meet again on the first of October, in the library, after supper.",
            ),
        ),
    ),
)


RADIO = Story(
    "harbour-radio-october",
    "Harbour Radio, island news of 21 October 2024",
    "2024-10-21T07:00:00Z",
    "srt",
    (
        Shot(
            rooms.onair,
            screen={"studio": "HARBOUR RADIO\n94.6 FM\nMonday 21 October 2024"},
            scene=("radio-scene", "A wooden radio with gold knobs, while a jingle plays."),
            seconds=3,
        ),
        Shot(
            rooms.onair,
            (
                Line(
                    "hello",
                    HOST,
                    "This is Harbour Radio, with the news for Port Ambry and the islands.",
                ),
            ),
            {"studio": "HARBOUR RADIO\n94.6 FM\nMonday 21 October 2024"},
        ),
        Shot(
            rooms.ferry_news,
            (
                Line(
                    "late",
                    HOST,
                    "The Little Auk is still out of the water, "
                    "because the parts were sent to the wrong harbour.",
                ),
                Line(
                    "back",
                    HOST,
                    "She is now expected back on the 9th of November, a week later than promised.",
                ),
                Line(
                    "eight",
                    HOST,
                    "Until then the mussel boat sails on, with room for eight passengers.",
                ),
            ),
            {"ferry-news": "ISLAND NEWS\nFerry: late, again"},
            ("dock-scene", "A red ferry stands on props out of the water."),
        ),
        Shot(
            rooms.wall_news,
            (
                Line("masons", HOST, "On Sorrel Holm, work on the breakwater began on Thursday."),
                Line("price", HOST, "The masons now put the price at 44,000 crowns."),
            ),
            {"wall-news": "ISLAND NEWS\nMasons start on the breakwater"},
            ("wall-scene", "Grey stones are piled up in the sea."),
        ),
        Shot(
            rooms.school_news,
            (
                Line(
                    "hedge",
                    HOST,
                    "Two pupils of Ambry Hill school, Tam and Orla, "
                    "found a weather balloon box in a hedge.",
                ),
                Line("claim", HOST, "They have claimed their marmalade."),
            ),
            {"school-news": "SCHOOL NEWS\nAmbry Hill pupils find a box"},
            ("hedge-scene", "A white box with an orange parachute hangs in a green hedge."),
        ),
        Shot(
            rooms.weather,
            (
                Line(
                    "washing",
                    HOST,
                    "And the weather. It will blow hard tomorrow, "
                    "so bring in your washing tonight.",
                ),
                Line("sign-off", HOST, "That was Harbour Radio. Mind how you go."),
            ),
            {
                "weather": "Tomorrow\nWind south-west, force 8\nSea rough\nHigh 9 degrees\n"
                "Port Ambry tides\nHigh 05:52\nLow 11:58\nHigh 18:17"
            },
            seconds=8,
        ),
    ),
    jingle=True,
)
