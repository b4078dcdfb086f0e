"""Going through the orders of a period with two sets of rules side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm.api import OrderDetails, OrderStatus, PaidOrder, count_paid_orders, order_facts, paid_orders
from loyalty.backtest.figures import Figures, Margin, Seen
from loyalty.backtest.journal_figures import Given, UsageBefore, given_for
from loyalty.backtest.simulation import Simulation
from loyalty.earning.compiling import CompiledSet, compile_set
from loyalty.earning.money import fen
from loyalty.earning.ruleset import RuleSet
from loyalty.known_facts import buyer_as_facts, order_as_facts, to_fetch
from loyalty.liability import cost_on
from loyalty.rulebook import PublishedSets, published_sets, set_at
from loyalty.validity import programme_zone

# Orders that are looked up together; progress is told after each.
BATCH = 2000

# Counted along the stream of orders, which is much cheaper than for each batch.
EARLIER_ORDERS = "earlier_orders"

# Hears how many orders are done, of how many. What it raises ends the backtest.
Progress = Callable[[int, int], None]

_NOTHING = Given()


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, the first and the last one included, in the programme's time zone."""

    first: date
    last: date

    def begin(self, zone: ZoneInfo) -> datetime:
        """The instant with which the first day begins."""
        return datetime.combine(self.first, time.min, zone)

    def end(self, zone: ZoneInfo) -> datetime:
        """The instant with which the day after the last one begins."""
        return datetime.combine(self.last + timedelta(days=1), time.min, zone)


def no_progress(_done: int, _all: int) -> None:
    """Tell nobody."""


def backtest(
    candidate: RuleSet, period: Period, *, percent: Decimal, at: datetime, progress: Progress = no_progress
) -> dict[str, Any]:
    """What the candidate would have paid for the period's orders, beside the versions that were in force when each was
    paid: ``Figures.as_json``.

    Orders are taken as they are known ``at`` this moment, in the order of payment. Caps go on from where they stood
    before the period. ``percent`` is the margin above which an order counts as too dear. Writes nothing.
    """
    zone = programme_zone()
    since, until = period.begin(zone), period.end(zone)
    number = count_paid_orders(since, until)
    progress(0, number)
    sets = published_sets()
    compiled = compile_set(candidate, zone)
    in_play = [compiled, *_in_force(sets, since, until)]
    before = UsageBefore(in_play, since, progress=lambda: progress(0, number))
    # The tier is for the figures, whoever else wants it.
    needs = to_fetch({"tier"}.union(*(rules.needs for rules in in_play)))
    run = _Run(
        live=Simulation(lambda paid_at: set_at(sets, paid_at), before.usage()),
        candidate=Simulation(lambda paid_at: compiled, before.usage()),
        figures=Figures(Margin(percent, cost_on(at).per_point)),
        needs=needs - {EARLIER_ORDERS},
        months=_Months(zone),
        at=at,
    )
    done = 0
    for orders in paid_orders(since, until, batch=BATCH, numbered=EARLIER_ORDERS in needs):
        run.pay(orders)
        done += len(orders)
        progress(done, number)
    found = run.figures.as_json()
    for row in found["rules"]:
        row["name"] = _name(row["rule"], in_play)
    return found


def _name(code: str, sets: Sequence[CompiledSet]) -> str:
    """What the shop calls a rule: the candidate's name of it, or else that of the latest version which has one."""
    known = (rules.source.rule(code) for rules in sets)
    return next((rule.name for rule in known if rule and rule.name), "")


def _in_force(sets: PublishedSets, since: datetime, until: datetime) -> Iterator[CompiledSet]:
    """The sets that counted at some instant of the period."""
    for published in sets:
        if published.effective_from < until:
            yield published.rules
            if published.effective_from <= since:
                return


@dataclass(frozen=True, slots=True)
class _Run:
    """A backtest under way."""

    live: Simulation
    candidate: Simulation
    figures: Figures
    needs: frozenset[str]
    months: "_Months"
    at: datetime

    def pay(self, orders: list[PaidOrder]) -> None:
        """Look a batch up, pay it on both sides, and add it up."""
        ids = [order.change.order_id for order in orders]
        details = order_facts(ids, self.needs, self.at)
        journal = given_for(ids)
        for order in orders:
            given = journal.get(order.change.order_id, _NOTHING)
            closed = order.change.status is OrderStatus.CLOSED
            # An order that was closed before anybody heard of it has never earned anything.
            if not closed or given.given:
                self._pay(order, details[order.change.order_id], given, closed=closed)

    def _pay(self, paid: PaidOrder, details: OrderDetails, given: Given, *, closed: bool) -> None:
        change = paid.change
        member_id = change.member_id or 0
        paid_at = change.paid_at or change.placed_at or self.at
        order = order_as_facts(change, details, self.at)
        buyer = buyer_as_facts(details.buyer, member_id)._replace(earlier_orders=paid.earlier_orders)
        seen = Seen(
            change.order_id, member_id, fen(change.paid), self.months.of(paid_at), buyer.tier, given.given,
            given.taken_back,
        )  # fmt: skip
        self.figures.add(
            seen,
            self.live.pay(order, buyer, paid_at, closed=closed),
            self.candidate.pay(order, buyer, paid_at, closed=closed),
        )


class _Months:
    """The month of each order. Orders come by time, so that hardly any has to be brought into the zone for it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._name = ""
        self._end: datetime | None = None

    def of(self, at: datetime) -> str:
        """The month of an instant ("2026-03"); instants must not fall."""
        if self._end is None or at >= self._end:
            local = at.astimezone(self._zone)
            self._name = f"{local:%Y-%m}"
            following = (local.replace(day=1) + timedelta(days=32)).date().replace(day=1)
            self._end = datetime.combine(following, time.min, self._zone)
        return self._name
