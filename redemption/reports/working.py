"""A report of very many redemptions, worked out part by part while whoever asked for it sees how far it is.

What is known so far lies in the cache under the period, so that each request goes on where the one before it ended,
and the finished report is there for a while for its page and its files. A part may be worked out twice by two requests;
what they know is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic

from django.core.cache import cache

from redemption.reports.sales import SalesOfRedeemers, added_sales, no_sales, sales_of_span
from redemption.reports.spans import PART, Span, how_many, spans_of
from redemption.reports.taken import Row, Taken, added, rows_of_span, taken_from

KEPT = timedelta(minutes=10)
_AT_ONCE = timedelta(milliseconds=700)  # That a request works on it; the part that it is at then is finished.


@dataclass(frozen=True, slots=True)
class Work:
    """A report as far as it is worked out: ``rows`` and ``sales`` are of the members of the first ``done`` spans.
    ``counted`` redemptions and coupons are in the period, ``at`` is when it was begun."""

    since: datetime
    until: datetime
    at: datetime
    counted: int
    spans: Sequence[Span]
    done: int = 0
    rows: list[Row] = field(default_factory=list)
    sales: SalesOfRedeemers = field(default_factory=no_sales)

    @property
    def finished(self) -> bool:
        return self.done == len(self.spans)

    @property
    def in_parts(self) -> bool:
        """Whether it is large enough to be worked out part by part."""
        return len(self.spans) > 1

    @property
    def percent(self) -> int:
        """How far it is, rounded down."""
        return self.done * 100 // len(self.spans)

    @property
    def looked_at(self) -> int:
        """About how many of those ``counted`` are worked out: the spans have equally many."""
        return self.counted * self.done // len(self.spans)

    def taken(self) -> Taken:
        """What is known, with names and what is left. A handful of queries."""
        return taken_from(self.rows, self.until)


def work_on(since: datetime, until: datetime, at: datetime, *, anew: bool = False) -> Work:
    """Return the report of a period, finished where that takes no longer than a second or so, and otherwise as far as
    it is by then. ``anew`` forgets what was known."""
    name = _name(since, until)
    work: Work | None = None if anew else cache.get(name)
    if work is None:
        counted = how_many(since, until)
        work = Work(since, until, at, counted, spans_of(since, until, counted))
    elif work.finished:
        return work
    begun = monotonic()
    work = _one_part_more(work)
    while not work.finished and timedelta(seconds=monotonic() - begun) < _AT_ONCE:
        work = _one_part_more(work)
    if work.in_parts:
        cache.set(name, work, KEPT.total_seconds())
    return work


def worked_out(since: datetime, until: datetime, at: datetime) -> Work | None:
    """Return the finished report of a period; None where it is large, and nobody has worked it out of late."""
    if how_many(since, until) <= PART:
        return work_on(since, until, at)
    known: Work | None = cache.get(_name(since, until))
    return known if known is not None and known.finished else None


def _one_part_more(work: Work) -> Work:
    span = work.spans[work.done]
    rows = rows_of_span(work.since, work.until, span)
    sales = sales_of_span(work.since, work.until, work.at, span)
    return replace(work, done=work.done + 1, rows=added(work.rows, rows), sales=added_sales(work.sales, sales))


def _name(since: datetime, until: datetime) -> str:
    return f"redemption.report:{since.timestamp():.0f}:{until.timestamp():.0f}"
