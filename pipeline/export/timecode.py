"""Frame rates and SMPTE timecode, as editing programs count.

A time in Footnote is in seconds; an editor counts frames at a rate. At 29.97 and 59.94 frames a
second timecode leaves out numbers (SMPTE ST 12-1, drop frame), two or four when a minute begins,
but for each tenth minute, so that it keeps up with the clock. Only numbers are left out, no frame.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from pipeline.errors import UsageError

# Rates that editing programs have a timeline for.
STANDARD_RATES = (
    Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30),
    Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60),
)  # fmt: skip
USUAL_RATE = Fraction(25)  # where nobody knows
_SLOWEST = 5  # frames a second; below that a multiple of it would be no nearer than the usual rate
_INSIDE = (
    1e-6  # of a frame: a time that is a frame's own, give or take a rounding, means that frame
)
_TIMECODE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)[:;.,](\d\d)")


def standard_rate(rate: Fraction | float) -> Fraction:
    """The rate of a timeline for footage of `rate` frames a second, 0 for unknown.

    A low rate (a screen recording of 10) has a multiple of it, a high one a half or a quarter; one
    that no timeline has (variable, an average of 23.7) has the nearest.
    """
    wanted = float(rate)
    if not math.isfinite(wanted) or wanted < _SLOWEST:
        return USUAL_RATE
    multiples = [wanted * factor for factor in (1, 2, 3, 4, 5, 6, 0.5, 0.25)]

    def distance(standard: Fraction) -> tuple[bool, int, float]:
        off = [abs(multiple / float(standard) - 1) for multiple in multiples]
        near = min((place for place, by in enumerate(off) if by < 0.0004), default=-1)
        return near < 0, near, off[0]

    return min(STANDARD_RATES, key=distance)


def drops_numbers(rate: Fraction) -> bool:
    """Whether timecode of this rate is drop frame, unless a file says that its is not."""
    return rate in (Fraction(30000, 1001), Fraction(60000, 1001))


def first_frame(seconds: float, rate: Fraction) -> int:
    """The frame that stands on the screen at `seconds`."""
    return math.floor(seconds * rate + _INSIDE)


def end_frame(seconds: float, rate: Fraction) -> int:
    """The first frame after all that is seen before `seconds`."""
    return math.ceil(seconds * rate - _INSIDE)


def timecode(frame: int, rate: Fraction, *, drop: bool | None = None) -> str:
    """`hh:mm:ss:ff` of a frame, `;` before the last part in drop frame; 24 h wrap around."""
    nominal = round(rate)
    drop = drops_numbers(rate) if drop is None else drop
    if drop:
        frame = _with_dropped(frame, nominal)
    frame %= nominal * 86_400
    seconds, frames = divmod(frame, nominal)
    sign = ";" if drop else ":"
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{sign}{frames:02}"


def frame_at(code: str, rate: Fraction, *, drop: bool | None = None) -> int:
    """The frame that has this timecode: `timecode` backwards. Raises `UsageError` for no timecode.

    Without `drop` the sign before the frames tells (`;` is drop frame).
    """
    found = _TIMECODE.fullmatch(code.strip())
    nominal = round(rate)
    if not found or int(found[4]) >= nominal:
        raise UsageError(
            f"{code!r} is no timecode at {float(rate):.5g} frames a second", "01:00:00:00"
        )
    hours, minutes, seconds, frames = map(int, found.groups())
    drop = ";" in code if drop is None else drop
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if drop:
        whole = hours * 60 + minutes
        count -= _dropped(nominal) * (whole - whole // 10)
    return count


def _dropped(nominal: int) -> int:
    """Numbers left out in a minute: 2 at 29.97, 4 at 59.94."""
    return nominal // 15


def _with_dropped(frame: int, nominal: int) -> int:
    """The number that a frame has when numbers are left out."""
    dropped = _dropped(nominal)
    minute = 60 * nominal - dropped  # frames of a minute that drops
    ten = 10 * minute + dropped
    tens, rest = divmod(frame, ten)
    more = 0 if rest < 60 * nominal else 1 + (rest - 60 * nominal) // minute
    return frame + dropped * (9 * tens + more)
