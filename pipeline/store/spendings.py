"""The catalog's budgets: what may be spent on looking at pictures, and what of it is spent.

The newest budget is the one in force; a library that never had one is under no limit. A call is
reserved before it is made, so that several processes together stay within the budget; what a
process reserved ends when it does, like its leases.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from pipeline.store.frame_vectors import FrameVectors
from pipeline.store.work import is_gone
from pipeline.types import Allowance, BudgetState, Spent


class Spendings(FrameVectors):
    """Reads and writes of `budgets` and `reservations`."""

    def budget(self, number: int | None = None) -> BudgetState | None:
        """The budget of this number, the one in force when None; None where there is none."""
        found = self.rows(
            "SELECT number, amount, unit, calls, seconds, prompt_tokens, completion_tokens, usd,"
            " opened FROM budgets"
            + (" ORDER BY number DESC LIMIT 1" if number is None else " WHERE number = ?"),
            () if number is None else (number,),
        )
        if not found:
            return None
        own, amount, unit, *spent, opened = found[0]
        allowance = None if amount is None else Allowance(amount, unit)
        return BudgetState(own, allowance, Spent(*spent), opened)

    def open_budget(self, allowance: Allowance | None) -> int:
        """The number of a new budget, of which nothing is spent; None: without a limit."""
        amount, unit = (allowance.amount, allowance.unit) if allowance else (None, "")
        opened = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            self.write(
                "INSERT INTO budgets (amount, unit, opened) VALUES (?, ?, ?)",
                (amount, unit, opened),
            )
            return int(self.value("SELECT max(number) FROM budgets"))

    def resize_budget(self, number: int, allowance: Allowance) -> None:
        """Another limit for a budget; what is spent of it stays spent."""
        self.write(
            "UPDATE budgets SET amount = ?, unit = ? WHERE number = ?",
            (allowance.amount, allowance.unit, number),
        )

    def add_spent(self, number: int, spent: Spent) -> None:
        self.write(
            "UPDATE budgets SET calls = calls + ?, seconds = seconds + ?,"
            " prompt_tokens = prompt_tokens + ?, completion_tokens = completion_tokens + ?,"
            " usd = usd + ? WHERE number = ?",
            (
                spent.calls,
                spent.seconds,
                spent.prompt_tokens,
                spent.completion_tokens,
                spent.usd,
                number,
            ),
        )

    def reserved(self, number: int) -> int:
        """Calls that living processes have reserved and not yet paid for."""
        held = self.rows(
            "SELECT owner, calls FROM reservations WHERE budget = ? AND calls > 0 AND expires > ?",
            (number, time.time()),
        )
        return sum(calls for owner, calls in held if not is_gone(owner))

    def reserve(self, number: int, owner: str, calls: int, seconds: float = 3600.0) -> None:
        """Change what `owner` has reserved by `calls`; it lasts `seconds`, if nobody pays."""
        self.write(
            "INSERT INTO reservations VALUES (?, ?, max(0, ?), ?)"
            " ON CONFLICT DO UPDATE SET calls = max(0, calls + ?), expires = excluded.expires",
            (number, owner, calls, time.time() + seconds, calls),
        )

    def end_reservations(self, owner: str) -> None:
        """Nothing that `owner` reserved is reserved any more; what the dead left is cleared."""
        with self.transaction():
            for (other,) in self.rows("SELECT DISTINCT owner FROM reservations"):
                if other == owner or is_gone(other):
                    self.write("DELETE FROM reservations WHERE owner = ?", (other,))
