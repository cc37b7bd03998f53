"""One talk given twice: the second corrects the figures of the first."""

from __future__ import annotations

from making import greenhouse
from making.story import Line, Shot, Story
from making.voice import Voice

YUKI = Voice("Yuki Sandoval", "en-us+f2", 162, 55)


TALK_1 = Story(
    "tidal-greenhouse-talk-v1",
    "The Tide House: growing food with the warmth of the sea",
    "2024-03-14T15:00:00Z",
    "vtt-words",
    (
        Shot(
            greenhouse.title("Growing food with the warmth of the sea", "14 March 2024"),
            (
                Line(
                    "hello",
                    YUKI,
                    "Good afternoon. I look after the plants in the Tide House, "
                    "and I want to show you how the sea keeps them warm.",
                ),
            ),
            {
                "title-card": "The Tide House\nGrowing food with the warmth of the sea\n"
                "Yuki Sandoval, botanist\n14 March 2024"
            },
        ),
        Shot(
            greenhouse.pipework(4, "Gulper"),
            (
                Line(
                    "pipe",
                    YUKI,
                    "Twice a day, the rising water pushes through a pipe under the floor.",
                ),
                Line(
                    "exchanger",
                    YUKI,
                    "A heat exchanger takes four degrees out of it and gives them to the soil.",
                ),
                Line(
                    "gulper",
                    YUKI,
                    "Nothing is burned, and the only thing that moves is one pump, "
                    "which we call Gulper.",
                ),
            ),
            {
                "pipework": "How the sea warms the beds\nPump: Gulper\nFuel burned: none\nSea\n"
                "Heat exchanger\ntakes 4 degrees\nWarm soil"
            },
            ("pipes-scene", "A diagram: warm dots travel through pipes from the sea to a bed."),
        ),
        Shot(
            greenhouse.harvest({"Tomatoes": 31, "Chard": 18, "Strawberries": 9, "Lemons": 6}),
            (
                Line("yield", YUKI, "In a good week we carry sixty-four kilograms to the kitchen."),
                Line(
                    "bet",
                    YUKI,
                    "Dot Farrow, our cook, bet that lemons would never ripen this far north.",
                ),
                Line("lost", YUKI, "She lost, and had to make marmalade for everyone."),
            ),
            {
                "harvest": "Harvest per week\nTomatoes 31 kg\nChard 18 kg\nStrawberries 9 kg\n"
                "Lemons 6 kg"
            },
        ),
        Shot(
            greenhouse.money("48,000 crowns", "2,100 litres"),
            (
                Line("cost", YUKI, "Building it cost 48,000 crowns."),
                Line("diesel", YUKI, "It saves us 2,100 litres of diesel every year."),
            ),
            {
                "money": "What it cost, what it saves\nBuild cost\n48,000 crowns\n"
                "Diesel saved per year\n2,100 litres\n"
                "Paid for by the station and the island co-operative"
            },
        ),
        Shot(
            greenhouse.valve("KV-217", 10),
            (
                Line(
                    "kelp",
                    YUKI,
                    "The weak spot is the inlet valve. It clogs with kelp, "
                    "so we rinse it every ten days.",
                ),
                Line(
                    "gate",
                    YUKI,
                    "Close the seaward gate, and wait five minutes for the pressure to drop.",
                ),
                Line(
                    "collar",
                    YUKI,
                    "Then unscrew the brass collar, and brush the basket with fresh water.",
                ),
            ),
            {
                "valve": "Care of the inlet valve\nSeaward gate shut\nWait five minutes\n"
                "Brass collar off\nBrush the basket\nPart KV-217\nRinse every 10 days"
            },
        ),
        Shot(
            greenhouse.next_steps(
                ("Vanilla orchids this autumn", "Bees from Port Ambry in May"), flower=True
            ),
            (
                Line(
                    "orchids",
                    YUKI,
                    "This autumn we shall try vanilla orchids, which nobody has grown "
                    "on an island like ours.",
                ),
            ),
            {"next": "What comes next\nVanilla orchids this autumn\nBees from Port Ambry in May"},
            ("orchid-scene", "Two pale pink flowers with yellow hearts."),
        ),
    ),
)


TALK_2 = Story(
    "tidal-greenhouse-talk-v2",
    "The Tide House: growing food with the warmth of the sea, second edition",
    "2024-11-20T18:00:00Z",
    "srt",
    (
        Shot(
            greenhouse.title("Growing food with the warmth of the sea", "20 November 2024"),
            (
                Line(
                    "hello",
                    YUKI,
                    "Good evening. I look after the plants in the Tide House, "
                    "and this is an update of the talk I gave in March.",
                ),
            ),
            {
                "title-card": "The Tide House\nGrowing food with the warmth of the sea\n"
                "Yuki Sandoval, botanist\n20 November 2024"
            },
        ),
        Shot(
            greenhouse.pipework(6, "Gulper and Slurp"),
            (
                Line(
                    "pipe",
                    YUKI,
                    "Twice a day, the rising water pushes through a pipe under the floor.",
                ),
                Line(
                    "exchanger",
                    YUKI,
                    "The heat exchanger takes six degrees out of it now, "
                    "and gives them to the soil.",
                ),
                Line(
                    "slurp",
                    YUKI,
                    "Nothing is burned. We added a second pump in July, "
                    "so Gulper has a brother called Slurp.",
                ),
            ),
            {
                "pipework": "How the sea warms the beds\nPump: Gulper and Slurp\n"
                "Fuel burned: none\nSea\nHeat exchanger\ntakes 6 degrees\nWarm soil"
            },
            ("pipes-scene", "A diagram: warm dots travel through pipes from the sea to a bed."),
        ),
        Shot(
            greenhouse.harvest({"Tomatoes": 38, "Chard": 22, "Strawberries": 12, "Lemons": 9}),
            (
                Line("yield", YUKI, "In a good week we now carry 81 kilograms to the kitchen."),
                Line(
                    "bet",
                    YUKI,
                    "Dot Farrow, our cook, has stopped betting against the lemons.",
                ),
            ),
            {
                "harvest": "Harvest per week\nTomatoes 38 kg\nChard 22 kg\nStrawberries 12 kg\n"
                "Lemons 9 kg"
            },
        ),
        Shot(
            greenhouse.money("53,000 crowns", "2,900 litres"),
            (
                Line(
                    "cost",
                    YUKI,
                    "When the last bills came in, the building had cost 53,000 crowns, "
                    "not the 48,000 I told you in spring.",
                ),
                Line("diesel", YUKI, "It saves us 2,900 litres of diesel a year."),
            ),
            {
                "money": "What it cost, what it saves\nBuild cost\n53,000 crowns\n"
                "Diesel saved per year\n2,900 litres\n"
                "Paid for by the station and the island co-operative"
            },
        ),
        Shot(
            greenhouse.valve("KV-230", 21),
            (
                Line(
                    "mesh",
                    YUKI,
                    "The inlet valve has a finer mesh now, "
                    "so we rinse it every three weeks instead of every ten days.",
                ),
                Line(
                    "steps",
                    YUKI,
                    "The steps are the same. Close the gate, wait, "
                    "take off the collar, brush the basket.",
                ),
            ),
            {
                "valve": "Care of the inlet valve\nSeaward gate shut\nWait five minutes\n"
                "Brass collar off\nBrush the basket\nPart KV-230\nRinse every 21 days"
            },
        ),
        Shot(
            greenhouse.next_steps(
                ("Oyster mushrooms, coal cellar", "First crop: February 2025"), flower=False
            ),
            (
                Line(
                    "orchids",
                    YUKI,
                    "The vanilla orchids did not survive the salt winds of September.",
                ),
                Line(
                    "mushrooms",
                    YUKI,
                    "So now we grow mushrooms in the old coal cellar, "
                    "in the dark, where the wind cannot find them.",
                ),
            ),
            {"next": "What comes next\nOyster mushrooms, coal cellar\nFirst crop: February 2025"},
            ("mushroom-scene", "Two brown mushrooms with white spots."),
        ),
    ),
)
