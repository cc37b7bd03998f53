"""The purse that calls of the vision model are paid from, and the library's budget behind it.

A budget is so many calls, so many minutes in which a call is under way, or so many USD by the
endpoint's prices. It belongs to the library: it stays in force until `footnote add --more` opens
another one, and what is spent of it is written in the moment a reply is kept. A run that was
killed goes on with what is left; the calls that were under way are not counted.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, cast

from pipeline.errors import SettingsError, UsageError
from pipeline.settings import Settings
from pipeline.store.spendings import Spendings
from pipeline.store.work import lease_owner
from pipeline.types import Allowance, BudgetState, BudgetUnit, Reply, Spent

# Calls that are made to learn what one takes, where nothing has been measured.
FIRST_CALLS = 4
FORMS = "--budget 200calls, --budget 10min or --budget 2usd"
PRICES = "price_per_million_input and price_per_million_output"
_FORM = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(calls?|min|usd)", re.IGNORECASE)
_LOCAL = ("transformers:", "huggingface:")  # in this process: nobody charges for it


def read_allowance(text: str) -> Allowance:
    """ "200calls", "10min" or "2usd", with or without a space. Raises `UsageError`."""
    found = _FORM.fullmatch(text.strip())
    amount = float(found[1]) if found else math.inf
    unit = found[2].lower() if found else ""
    unit = "calls" if unit == "call" else unit
    if not math.isfinite(amount) or (unit == "calls" and amount != int(amount)):
        raise UsageError(f"a budget of {text!r} is not one of calls, minutes or USD", FORMS)
    return Allowance(amount, cast(BudgetUnit, unit))


# ---------------------------------------------------------------- prices


@dataclass(frozen=True, slots=True)
class Prices:
    """USD for a million tokens, and for a call."""

    input: float = 0.0
    output: float = 0.0
    call: float = 0.0

    def __bool__(self) -> bool:
        return any((self.input, self.output, self.call))

    def of(self, prompt_tokens: float, completion_tokens: float, calls: float = 1) -> float:
        tokens = self.input * prompt_tokens + self.output * completion_tokens
        return tokens / 1e6 + self.call * calls


def prices_of(settings: Settings, model: str) -> Prices:
    """What calls of `model` cost: what the settings say, nothing in this process."""
    if model.startswith(_LOCAL):
        return Prices()
    return Prices(
        settings.price_per_million_input, settings.price_per_million_output, settings.price_per_call
    )


def check_prices(allowance: Allowance | None, prices: Prices, model: str) -> None:
    """Raise `SettingsError` for a budget in USD where no price is known."""
    if allowance is None or allowance.unit != "usd" or prices:
        return
    if model.startswith(_LOCAL):
        raise SettingsError(
            f"{model} runs on this machine: its calls cost no USD", "--budget 200calls, or 10min"
        )
    raise SettingsError(
        f"a budget of {allowance} needs the endpoint's prices: {PRICES} are not set",
        "set FOOTNOTE_PRICE_PER_MILLION_INPUT and FOOTNOTE_PRICE_PER_MILLION_OUTPUT (USD)",
    )


# ---------------------------------------------------------------- which budget is in force


def budget_for(known: BudgetState | None, wanted: Allowance | None, more: bool) -> BudgetState:
    """The budget that a run would be under; number 0 is none that the library has yet.

    The same budget, or none named, goes on with what is left. Another size is a new limit for the
    one in force, of which what is spent stays spent. `more` begins a new one.
    """
    if known is None or more or (known.allowance is None and wanted is not None):
        return BudgetState(0, wanted, Spent())
    return known if wanted is None else replace(known, allowance=wanted)


def adopt_budget(ledger: Spendings, wanted: Allowance | None, more: bool) -> BudgetState:
    """Put the budget of a run into force; see `budget_for`."""
    with ledger.transaction():
        known = ledger.budget()
        state = budget_for(known, wanted, more)
        if known is None and wanted is None:
            return state  # there never was a limit, and there is none now
        if not state.number:
            return replace(state, number=ledger.open_budget(wanted))
        if known != state and wanted is not None:
            ledger.resize_budget(state.number, wanted)
    return state


def rest_of(state: BudgetState, per_call: Spent | None = None) -> float:
    """Calls that may still be made, infinite without a limit; 0 when it is spent.

    `per_call` is what a call is expected to take where none was made from this budget. Where
    nothing is known either, a few: to learn it.
    """
    if state.allowance is None:
        return math.inf
    amount, unit = state.allowance.amount, state.allowance.unit
    if unit == "calls":
        return max(0.0, amount - state.spent.calls)
    left = amount * 60 - state.spent.seconds if unit == "min" else amount - state.spent.usd
    if left <= 1e-9:
        return 0
    calls = state.spent.calls
    took = _each(state.spent, unit) or _each(per_call, unit)
    if took > 0:
        return math.ceil(left / took - 1e-6)
    # Calls were made, and what they cost cannot be told: no more of them.
    return 0 if calls and unit == "usd" else FIRST_CALLS


def _each(spent: Spent | None, unit: BudgetUnit) -> float:
    """Seconds or USD of a call; 0.0 where none was measured."""
    if spent is None or not spent.calls:
        return 0.0
    return (spent.seconds if unit == "min" else spent.usd) / spent.calls


def priced(per_call: Spent | None, prices: Prices) -> Spent | None:
    """What a call takes, with its price."""
    if per_call is None:
        return Spent(1, usd=prices.call) if prices.call else None
    return replace(per_call, usd=prices.of(per_call.prompt_tokens, per_call.completion_tokens))


# ---------------------------------------------------------------- the purse


class Purse:
    """Pays for calls of the vision model in one run. Thread-safe; close it when the run ends.

    `least_worth`: views worth less are not described now. `used` is what this run has taken.
    Reserving and booking are transactions of the library's catalog: several processes that share
    it stay within the budget together. Their minutes are added up, those of threads are not.
    """

    def __init__(
        self,
        ledger: Spendings,
        state: BudgetState,
        prices: Prices | None = None,
        per_call: Spent | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.least_worth = -math.inf
        self.used = Spent()
        self.number = state.number
        self._allowance = state.allowance
        self._ledger = ledger
        self._prices = prices or Prices()
        self._per_call = priced(per_call, self._prices)
        self._owner = lease_owner()
        self._now = now
        self._lock = threading.Lock()  # never held while the catalog is asked
        self._under_way = 0
        self._mark = 0.0  # when the time under way was last added up
        self._unbooked = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what was reserved and not booked."""
        if self.number:
            self._ledger.end_reservations(self._owner)

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._allowance is not None

    @property
    def exact(self) -> bool:
        """Whether it is known how many calls are left, and not estimated from what they take."""
        return self._allowance is None or self._allowance.unit == "calls"

    def state(self) -> BudgetState:
        """The budget as it is now, the time of calls under way included."""
        state = self._ledger.budget(self.number) if self.number else None
        if state is None:
            return BudgetState(self.number, self._allowance, self.used)
        self._allowance = state.allowance  # another `add` may have changed it
        with self._lock:
            running = self._unbooked + self._since_mark()
        return replace(state, spent=state.spent + Spent(seconds=running))

    def room(self) -> float:
        """How many more calls it will pay for, as far as that can be told; see `rest_of`."""
        state = self.state()
        reserved = self._ledger.reserved(self.number) if self.number else 0
        return max(0.0, rest_of(state, self._per_call) - reserved)

    def take(self) -> bool:
        """Reserve one call; False when nothing is left."""
        if self.number:
            with self._ledger.transaction():
                if self.room() < 1:
                    return False
                self._ledger.reserve(self.number, self._owner, 1)
        with self._lock:
            self._add_up()
            self._under_way += 1
        return True

    def book(self, reply: Reply, seconds: float) -> None:
        """Pay for a call that was reserved. In the transaction that keeps its reply, both are
        kept or neither. `seconds` is how long the call took by itself."""
        spent = Spent(
            1,
            self._end_call(),
            reply.prompt_tokens,
            reply.completion_tokens,
            self._prices.of(reply.prompt_tokens, reply.completion_tokens),
        )
        self._pay(spent)

    def give_back(self) -> None:
        """A call that was reserved came to nothing: its time counts, the call does not."""
        self._pay(Spent(seconds=self._end_call()))

    def spent_text(self) -> str:
        """Why there is nothing left, for the reason of what is left undone."""
        state = self.state()
        unpriced = state.allowance is not None and state.allowance.unit == "usd"
        if unpriced and state.spent.calls and not state.spent.usd:
            return (
                "the endpoint does not tell how many tokens its calls take: set price_per_call, "
                "or give a budget of calls"
            )
        return f"the budget of {state.allowance} is spent"

    def _pay(self, spent: Spent) -> None:
        with self._lock:
            self.used += spent
        if self.number:
            with self._ledger.transaction():
                self._ledger.add_spent(self.number, spent)
                self._ledger.reserve(self.number, self._owner, -1)

    def _end_call(self) -> float:
        """Seconds under way that were not booked yet, of all calls together."""
        with self._lock:
            self._add_up()
            self._under_way -= 1
            seconds, self._unbooked = self._unbooked, 0.0
            return seconds

    def _add_up(self) -> None:
        self._unbooked += self._since_mark()
        self._mark = self._now()

    def _since_mark(self) -> float:
        return self._now() - self._mark if self._under_way else 0.0


def open_purse(
    ledger: Spendings,
    settings: Settings,
    model: str,
    wanted: Allowance | None = None,
    more: bool = False,
    per_call: Spent | None = None,
) -> Purse:
    """The purse of a run with captions by `model` ("" for none), its budget put into force.

    `per_call` is what a call has taken on this machine before. Raises `SettingsError` for USD
    without prices.
    """
    prices = prices_of(settings, model)
    check_prices(budget_for(ledger.budget(), wanted, more).allowance, prices, model)
    return Purse(ledger, adopt_budget(ledger, wanted, more), prices, per_call)
