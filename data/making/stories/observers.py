"""The balloon launch and the night sky guide."""

from __future__ import annotations

from making import sky
from making.story import Line, Shot, Story
from making.voice import Voice

IDRIS = Voice("Idris Fenwick", "en-gb-scotland+m3", 152, 45)
CORIN = Voice("Corin Blythe", "en-us+m7", 156, 40)


BALLOON = Story(
    "weather-balloon-launch",
    "Launching the weather balloon",
    "2024-06-06T08:30:00Z",
    "subrip",
    (
        Shot(
            sky.launch_title,
            (
                Line(
                    "intro",
                    IDRIS,
                    "My name is Idris Fenwick, and this is how we send up Marigold, "
                    "our weather balloon.",
                ),
            ),
            {
                "title-card": "Launching Marigold\nWeather balloon handbook, part 1\n"
                "Idris Fenwick, 6 June 2024"
            },
            ("tied-scene", "A red balloon on a string floats above a meadow."),
            chapter="Preparation",
        ),
        Shot(
            sky.call_first,
            (
                Line(
                    "coast-guard",
                    IDRIS,
                    "Before anything else, ring the coast guard "
                    "and ask for a clear sky until noon.",
                ),
                Line("no-call", IDRIS, "If they do not answer, we do not fly."),
            ),
            {
                "phone": "Before you start\nCoast guard desk, Port Ambry\nTelephone 0555 0147\n"
                "No call, no launch"
            },
        ),
        Shot(
            sky.windsock,
            (
                Line(
                    "wind",
                    IDRIS,
                    "Then look at the windsock. Above eighteen knots we stay in the shed "
                    "and drink tea.",
                ),
            ),
            {"wind-limit": "Wind limit\n18 knots"},
            ("windsock-scene", "An orange and white windsock swings in the breeze."),
        ),
        Shot(
            sky.gloves,
            (
                Line("bare-hands", IDRIS, "Never touch the skin of the balloon with bare hands."),
                Line(
                    "grease",
                    IDRIS,
                    "The grease on your fingers weakens it, and it will burst too low.",
                ),
            ),
            {
                "gloves": "Hands\nCotton gloves, always\nRings and watches off\n"
                "No rubber gloves: they stick"
            },
        ),
        Shot(
            sky.gauge,
            (
                Line("tap", IDRIS, "Open the tap a quarter turn, no more, and watch the dial."),
                Line("stop", IDRIS, "Stop when the needle touches the green line."),
            ),
            {"lift": "Filling\nGreen line:\n1450 grams\nGas: helium\nLIFT\ngrams"},
            ("gauge-scene", "The needle of a round gauge climbs to a green mark."),
            seconds=9.5,
            chapter="Filling",
        ),
        Shot(
            sky.knot,
            (
                Line(
                    "neck",
                    IDRIS,
                    "Tie the neck twice with waxed cord, fold it upwards, and tie it once more.",
                ),
                Line(
                    "hang",
                    IDRIS,
                    "The instrument box hangs ten metres below, "
                    "so that it swings clear of the turbulence.",
                ),
            ),
            {"knot": "Tying off\nWaxed cord\nTwice, fold, once more\nBox on ten metres of line"},
        ),
        Shot(
            sky.crossing,
            (
                Line(
                    "let-go",
                    IDRIS,
                    "Now walk downwind, hold her high, and let go gently. There she goes.",
                ),
                Line(
                    "climb",
                    IDRIS,
                    "She climbs five metres every second, and bursts at about 29 kilometres.",
                ),
            ),
            scene=(
                "crossing-scene",
                "A red balloon rises from the shore and crosses the sky above the sea.",
            ),
            seconds=12,
            chapter="Release",
        ),
        Shot(
            sky.parachute,
            (
                Line("chute", IDRIS, "The box comes down under an orange parachute."),
                Line(
                    "reward",
                    IDRIS,
                    "Whoever posts it back to us is sent a jar of marmalade as a reward.",
                ),
            ),
            scene=("chute-scene", "A white box sinks to the grass under an orange parachute."),
            chapter="Recovery",
        ),
        Shot(
            sky.label,
            screen={
                "label": "FOUND ME?\nI am not dangerous.\nPlease post me to Box 19, Port Ambry\n"
                "Serial RS9-0412\nBattery lasts 6 hours"
            },
            seconds=5,
        ),
    ),
    suffix=".mkv",
)


NIGHT_SKY = Story(
    "night-sky-guide",
    "Night sky guide: visitors' evening at Old Cyclops",
    "2024-10-05T20:00:00Z",
    "none",
    (
        Shot(
            sky.dome,
            (
                Line(
                    "hello",
                    CORIN,
                    "Good evening. My name is Corin Blythe, and the lady in the dome "
                    "is Old Cyclops.",
                ),
            ),
            {"title-card": "Night sky guide\nVisitors' evening at Old Cyclops\n5 October 2024"},
            ("dome-scene", "A telescope dome opens under a starry sky."),
            seconds=7,
            chapter="Welcome",
        ),
        Shot(
            sky.telescope,
            (
                Line(
                    "bakery",
                    CORIN,
                    "A baker ground her one great eye by hand, between two batches of bread.",
                ),
                Line("bicycle", CORIN, "We turn the dome with a bicycle chain and strong legs."),
            ),
            {
                "telescope": "The telescope\nMirror: 41 cm across\nBuilt in 1936 in a bakery\n"
                "On the island since 1998"
            },
            ("telescope-scene", "A drawing of a golden telescope on a tripod."),
            chapter="The telescope",
        ),
        Shot(
            sky.comet,
            (
                Line(
                    "comet",
                    CORIN,
                    "If the clouds are kind, we shall see a comet later on. "
                    "Look for a smudge with a tail.",
                ),
                Line("rings", CORIN, "After that we visit the planet with the rings."),
            ),
            {
                "tonight": "Tonight\nComet Vasquel: from 23:10\nWhere: low in the east\n"
                "Saturn: due south at midnight"
            },
            ("comet-scene", "A comet with a pale tail drifts across a dark sky."),
            chapter="Comet and planets tonight",
        ),
        Shot(
            sky.dome_rules,
            (
                Line("eyes", CORIN, "Your eyes need twenty minutes to wake up in the dark."),
                Line("careful", CORIN, "So please, no telephones, and mind the step."),
            ),
            {
                "dome-rules": "In the dome\nRed torches only\nEight people at a time\n"
                "No hot drinks near the mirror"
            },
            ("torch-scene", "A torch shines red."),
            chapter="Rules in the dome",
        ),
    ),
)
