"""A buyer's statement of a period, as a table for him to keep: what he had, every movement, and what was left.

A period is about when things were written down, not when they happened: an order of January whose file came in March
moves the balance in March, and a statement of January stays as it was. So the balance after each line is the one before
it and the points of the line, and the last one is what the next statement begins with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils.translation import gettext as _

from crm.filekit import Cell
from loyalty import api as loyalty

MONTHS = 12  # So many months are offered by name; any other period by its days.


@dataclass(frozen=True, slots=True)
class Period:
    """The days of a statement, both included, in the programme's time zone; without a first day it begins with the
    first entry there is."""

    first: date | None
    last: date

    @property
    def since(self) -> datetime | None:
        """The first instant of the period."""
        return datetime.combine(self.first, time.min, tzinfo=loyalty.programme_zone()) if self.first else None

    @property
    def until(self) -> datetime:
        """The first instant after the period."""
        return datetime.combine(self.last + timedelta(days=1), time.min, tzinfo=loyalty.programme_zone())


def latest_months(today: date, joined: date) -> list[Period]:
    """The months that a member may ask for by name: this one first, none from before he came."""
    months: list[Period] = []
    first = today.replace(day=1)
    while len(months) < MONTHS and (not months or first >= joined.replace(day=1)):
        following = (first + timedelta(days=31)).replace(day=1)
        months.append(Period(first, following - timedelta(days=1)))
        first = (first - timedelta(days=1)).replace(day=1)
    return months


def titles() -> list[str]:
    """What the columns are called, in the language of the page."""
    return [
        _("Entry"), _("Recorded"), _("Happened"), _("What it was"), _("Explanation"), _("Order or reference"),
        _("Points"), _("Balance"), _("Pending"), _("Set aside"),
    ]  # fmt: skip


def statement_rows(member_id: int, period: Period, at: datetime) -> Iterator[list[Cell]]:
    """Yield the cells of each row: the opening balance, the lines oldest first, the closing balance.

    What is written down after ``at`` is left out, so that a file that takes a while to send adds up all the same.
    """
    balance = loyalty.balance_before(member_id, period.since)
    yield _sum_row(_("Opening balance"), period.since, balance)
    until = min(period.until, at + timedelta(microseconds=1))
    for line in loyalty.recorded_lines(member_id, period.since, until):
        balance += line.points
        yield [
            line.entry_id, _moment(line.recorded_at), _moment(line.effective_at), loyalty.headline(line),
            " ".join(loyalty.explain(line)), line.order_no or line.reference, line.points, balance, line.pending,
            line.held,
        ]  # fmt: skip
    yield _sum_row(_("Closing balance"), period.until, balance)


def _sum_row(name: str, moment: datetime | None, balance: int) -> list[Cell]:
    return [None, _moment(moment) if moment else "", "", name, "", "", None, balance, None, None]


def _moment(instant: datetime) -> str:
    return f"{instant.astimezone(loyalty.programme_zone()):%Y-%m-%d %H:%M:%S}"
