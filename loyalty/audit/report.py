"""What an audit has to say."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

# Enough to see what is wrong; the count says how much more there is.
NAMED_ROWS = 1000

# Every check by its name, in the order of the report: first what was altered, then what no longer adds up.
CHECKS = (
    "entry_is_as_sealed",
    "sealed_entry_exists",
    "entry_has_its_seal",
    "seal_is_as_chained",
    "seal_has_its_day",
    "day_is_as_sealed",
    "close_is_as_written",
    "days_are_chained",
    "figures_are_the_entries",
    "digest_is_known",
    "balance_is_sum_of_entries",
    "pending_is_sum_of_entries",
    "held_is_sum_of_entries",
    "lots_are_the_balance",
    "pending_lots_are_the_pending",
    "lot_is_of_its_entry",
    "entry_drew_on_own_lots",
    "lot_lacks_what_was_drawn",
    "entry_drew_what_it_took",
    "balance_runs_on",
    "new_points_have_their_lot",
    "entry_returned_what_it_gave",
    "holds_are_the_held",
    "hold_is_of_its_entry",
    "hold_moved_what_its_entries_say",
    "renewal_has_its_lot",
    "renewals_follow_each_other",
    "lot_ends_as_renewed",
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One place where the ledger does not add up: which law, which account (0: none), which row, what it should be and
    what it is. Digests and instants are text (hexadecimal, and ISO 8601 in UTC), all else numbers."""

    check: str
    account_id: int
    row: str
    expected: int | str
    actual: int | str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of an audit. Figures are in points; ``digest`` is that of the last closed day, empty before the first.

    Whoever keeps that digest outside the database can later prove that not even all of it was rewritten.
    """

    accounts: int
    entries: int
    lots: int
    balance: int
    pending: int
    debt: int
    closes: int
    digest: str
    mismatch_count: int
    mismatches: tuple[Mismatch, ...]

    @property
    def ok(self) -> bool:
        return not self.mismatch_count

    def as_json(self) -> dict[str, Any]:
        """For machines: the figures, and the mismatches by name."""
        return {"ok": self.ok, **asdict(self)}


class Findings:
    """Mismatches as they come in. Each check counts all of its own and keeps the first."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = defaultdict(int)
        self._named: dict[str, list[Mismatch]] = defaultdict(list)

    def add(self, mismatch: Mismatch, *, more: int = 0) -> None:
        """Take one, and ``more`` of the same check that nobody will name."""
        self._counts[mismatch.check] += 1 + more
        self._named[mismatch.check].append(mismatch)

    def add_rows(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take rows of (check, account, row, expected, actual, how many the check found in all)."""
        totals: dict[str, int] = {}
        for check, account_id, row, expected, actual, total in rows:
            self._named[check].append(Mismatch(check, account_id, row, expected, actual))
            totals[check] = total
        for check, total in totals.items():
            self._counts[check] += total

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    def named(self) -> tuple[Mismatch, ...]:
        """The first of them, in the order of the checks, then of accounts and rows."""
        ordered = [
            mismatch
            for check in CHECKS
            for mismatch in sorted(self._named[check], key=lambda found: (found.account_id, found.row))
        ]
        return tuple(ordered[:NAMED_ROWS])
