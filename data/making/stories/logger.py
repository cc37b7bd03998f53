"""A silent screen recording: setting up the tide logger in a dialog and a terminal."""

from __future__ import annotations

from making import desktop
from making.desktop import Row
from making.story import Shot, Story


def _dialog(
    identifier: str,
    tab: str,
    rows: tuple[Row, ...],
    begin: tuple[int, int],
    end: tuple[int, int],
    button: str = "Apply",
    seconds: float = 6.0,
) -> Shot:
    fields = "\n".join(f"{row.label} {row.value}" for row in rows)
    text = f"Tide Logger TL-40: Settings\nGeneral Network Alarm\n{fields}\n{button}"
    return Shot(
        desktop.dialog(tab, rows, button, begin, end), screen={identifier: text}, seconds=seconds
    )


def _session(*commands: tuple[str, str, tuple[str, ...]]) -> list[Shot]:
    """Commands typed one under the other on one terminal: (id, command, output)."""
    above: list[str] = []
    shown: dict[str, str] = {}
    shots = []
    for identifier, command, output in commands:
        typing = desktop.terminal(tuple(above), command)
        shots.append(Shot(typing, screen=dict(shown), seconds=desktop.typing_seconds(command)))
        above += ["$ " + command, *output]
        shown[identifier] = "\n".join(["$ " + command, *output])
        done = desktop.terminal(tuple(above), "")
        shots.append(Shot(done, screen=dict(shown), seconds=4.5))
    return shots


_ALARM = (
    Row("High water above", "3.85 m", True),
    Row("Low battery below", "15 %"),
    Row("Alarm sound", "foghorn"),
)

SCREENCAST = Story(
    "tide-logger-setup",
    "Setting up the tide logger (screen recording)",
    "2024-09-17T13:20:00Z",
    "silent",
    (
        _dialog(
            "general",
            "General",
            (
                Row("Station name", "North Steps"),
                Row("Sampling interval", "10 minutes"),
                Row("Time zone", "UTC"),
            ),
            (500, 600),
            (930, 330),
        ),
        _dialog(
            "sampling",
            "General",
            (
                Row("Station name", "North Steps"),
                Row("Sampling interval", "6 minutes", True),
                Row("Time zone", "UTC"),
            ),
            (930, 330),
            (470, 160),
        ),
        _dialog(
            "network",
            "Network",
            (
                Row("Send reports to", "duty@sorrelholm.example"),
                Row("Upload every", "2 hours", True),
                Row("Network port", "4411"),
            ),
            (470, 160),
            (640, 160),
        ),
        _dialog("alarm", "Alarm", _ALARM, (640, 160), (1010, 626)),
        _dialog("saved", "Alarm", _ALARM, (1010, 626), (1010, 626), button="Saved", seconds=2.5),
        *_session(
            (
                "status",
                "tidelog status",
                ("firmware 2.7.1", "battery 81 %", "last upload 06:42 UTC"),
            ),
            (
                "error",
                "tidelog calibrate --zero 0.117",
                ("error E-31: sensor cable loose", "reseat plug J4, then run: tidelog selftest"),
            ),
        ),
        *_session(
            ("selftest", "tidelog selftest", ("14 of 14 checks passed",)),
            ("calibrated", "tidelog calibrate --zero 0.117", ("zero offset saved",)),
            (
                "export",
                "tidelog export --month 2024-08 --csv",
                ("wrote tides-2024-08.csv", "7440 rows"),
            ),
        ),
    ),
    size=(1280, 720),
)
