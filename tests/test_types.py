"""Every timed value is checked when it is made."""

from __future__ import annotations

import math
import pickle

import pytest

from pipeline import errors
from pipeline.errors import ClockError, FootnoteError
from pipeline.types import Passage, Segment


@pytest.mark.parametrize(
    ("start", "end"), [(-0.1, 1), (1, 1), (2, 1), (math.nan, 1), (0, math.inf), (0, math.nan)]
)
def test_an_impossible_interval_is_refused_where_it_is_made(start: float, end: float) -> None:
    with pytest.raises(ClockError):
        Segment("speech", start, end, "text")
    with pytest.raises(ClockError):
        Passage("speech", start, end, "text", 0, 0)


def test_every_error_has_an_exit_code_of_the_contract_and_survives_a_pipe() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, FootnoteError)
    ]
    assert len(kinds) > 8
    for kind in kinds:
        error = pickle.loads(pickle.dumps(kind("what", "do this")))
        assert type(error) is kind
        assert (error.message, error.hint) == ("what", "do this")
        assert error.exit_code in (1, 2, 3, 4, 5, 130)
    assert len({kind.code for kind in kinds}) == len(kinds)
