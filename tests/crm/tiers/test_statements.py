"""The decision in SQL is the decision on the page of ``crm.tiers.decide``, whatever the scheme and whoever the member.

Members are drawn with orders, grants, offers and what reviews have seen of them; their figures are counted here in
Python, order by order, and decided on. The statement must come to the same.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from random import Random
from typing import Any, TypeVar

import pytest
from django.db import connection

from crm.choices import (
    Climb,
    Effect,
    Fall,
    GrantSource,
    KeepCheck,
    OfferKind,
    Restart,
    Taking,
    WindowKind,
)
from crm.models import Channel, Member, Order, Tier, TierGrant, TierOffer, TierScheme, TierStanding
from crm.tiers.decide import Decision, Holding, Move, Occasion, Offer, Standing, counters_begin, decide
from crm.tiers.figures_sql import Members
from crm.tiers.looks import Look
from crm.tiers.scheme import Mark, Rung, Scheme, Threshold
from crm.tiers.staging import look
from crm.tiers.windows import Window, term_end, window_start
from tests.cast import SHANGHAI
from tests.factories import ChannelFactory, TierFactory

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
MIDNIGHT = datetime(2026, 4, 1, tzinfo=SHANGHAI)  # A review day, whether of months or of quarters.
FOUNDED = datetime(2026, 1, 15, tzinfo=SHANGHAI)
ZONE = SHANGHAI
T = TypeVar("T")
SCHEMES, PEOPLE = 30, 30
LOOKS = [(occasion, at) for occasion in Occasion for at in (NOON, MIDNIGHT)]
# Instants at which something may happen: around the boundaries of days, months and quarters, and at them.
MOMENTS = sorted(
    [
        MIDNIGHT + timedelta(days=days, microseconds=off)
        for days in (-500, -366, -365, -120, -91, -90, -59, -31, -30, -22, -21, -1, 0, 8, 9, 29, 30, 31)
        for off in (-1, 0, 1)
    ]
    + [NOON - TICK, NOON, NOON + TICK]
)


@dataclass(frozen=True)
class Bought:
    """An order: when it succeeded, what was paid, and what went back."""

    at: datetime
    paid: int
    refunded: int = 0


@dataclass(frozen=True)
class Person:
    """A member to be."""

    orders: tuple[Bought, ...] = ()
    holding: Holding | None = None
    offer: tuple[int, datetime] | None = None  # Rank and end of an open offer.
    missed: tuple[int, datetime] | None = None  # Rank and end of an offer that lapsed.
    seen: datetime | None = None


def a_mark(chance: Random) -> Mark:
    metrics = chance.sample(["spend", "order_count"], chance.choice([1, 1, 2]))
    figures = {"spend": ["100", "200", "200.01", "300"], "order_count": ["1", "2", "3"]}
    return Mark(
        tuple(Threshold(name, Decimal(chance.choice(figures[name])), chance.random() < 0.3) for name in metrics),
        chance.random() < 0.5,
    )


def a_window(chance: Random) -> Window:
    match chance.choice(list(WindowKind)):
        case WindowKind.DAYS:
            return Window(WindowKind.DAYS, chance.choice([1, 2, 31, 90, 365]))
        case WindowKind.MONTHS:
            return Window(WindowKind.MONTHS, chance.choice([1, 2, 3, 12]))
        case WindowKind.PERIOD:
            return Window(WindowKind.PERIOD, chance.choice([1, 3, 6, 12]))
        case _:
            return Window()


def a_scheme(chance: Random) -> Scheme:
    return Scheme(
        version=1,
        rungs=tuple(
            Rung(f"t{rank}", rank, a_mark(chance), a_mark(chance)) for rank in range(1, chance.choice([1, 3, 4, 4]))
        ),
        taking=chance.choice(list(Taking)),
        effect=chance.choice(list(Effect)),
        climb=chance.choice(list(Climb)),
        reach_window=a_window(chance),
        keep_window=a_window(chance),
        restart=chance.choice(list(Restart)),
        validity_months=chance.choice([None, 1, 12]),
        keep_check=chance.choice(list(KeepCheck)),
        fall=chance.choice(list(Fall)),
        review_months=chance.choice([1, 3]),
        effective_from=FOUNDED,
    )


def maybe(chance: Random, share: float, value: Callable[[], T]) -> T | None:
    return value() if chance.random() < share else None


def a_holding(chance: Random, *, nested: bool = True) -> Holding:
    """A grant; one that was given by hand may have replaced another."""
    begins_at = chance.choice(MOMENTS[:-1])
    source = chance.choice([GrantSource.SYSTEM, GrantSource.MANUAL, GrantSource.CLAIM])
    replaced = None
    if nested and source == GrantSource.MANUAL:
        replaced = maybe(chance, 0.7, lambda: a_holding(chance, nested=False))
    if replaced is not None and replaced.begins_at >= begins_at:
        replaced = None
    later = [moment for moment in MOMENTS if moment > begins_at]
    return Holding(
        rank=chance.choice([0, 1, 1, 2, 2, 3]),
        begins_at=begins_at,
        ends_at=maybe(chance, 0.7, lambda: chance.choice(later)),
        source=source,
        locked=chance.random() < 0.1,
        restart_at=maybe(chance, 0.5, lambda: chance.choice(MOMENTS)),
        replaced=replaced,
    )


def a_person(chance: Random) -> Person:
    moment = partial(chance.choice, MOMENTS)
    return Person(
        orders=tuple(
            Bought(moment(), chance.choice([1, 100, 101, 200]), chance.choice([0, 0, 0, 1, 100]))
            for _number in range(chance.randint(0, 4))
        ),
        holding=maybe(chance, 0.8, lambda: a_holding(chance)),
        offer=maybe(chance, 0.3, lambda: (chance.randint(1, 3), moment())),
        missed=maybe(chance, 0.3, lambda: (chance.randint(1, 3), moment())),
        seen=maybe(chance, 0.4, moment),
    )


@dataclass
class World:
    """The tables, filled with people."""

    shop: Channel
    tiers: dict[int, Tier]
    numbers: Any = field(default_factory=lambda: count(1))

    def scheme_row(self) -> TierScheme:
        return TierScheme.objects.create(created_at=FOUNDED)

    def add(self, people: Sequence[Person]) -> list[Member]:
        members = Member.objects.bulk_create(Member(joined_at=FOUNDED) for _person in people)
        scheme = self.scheme_row()
        both = list(zip(members, people, strict=True))
        Order.objects.bulk_create(
            Order(
                channel=self.shop, external_no=str(next(self.numbers)), member=member, status="completed",
                paid=bought.paid, refunded=bought.refunded, completed_at=bought.at,
            )
            for member, person in both
            for bought in person.orders
        )  # fmt: skip
        for member, person in both:
            if person.holding:
                self.grant(member, person.holding)
        offers = [(member, person.offer, "open") for member, person in both if person.offer]
        offers += [(member, person.missed, "lapsed") for member, person in both if person.missed]
        TierOffer.objects.bulk_create(
            TierOffer(
                member=member, tier=self.tiers[rank], scheme=scheme, kind="up", state=state, until=until,
                opened_at=until - 900 * DAY, closed_at=until if state == "lapsed" else None,
                qualified_until=until - 900 * DAY,
            )
            for member, (rank, until), state in offers
        )  # fmt: skip
        TierStanding.objects.bulk_create(
            TierStanding(member=member, seen_order_at=person.seen) for member, person in both if person.seen
        )
        return members

    def grant(self, member: Member, holding: Holding, ended_at: datetime | None = None) -> TierGrant:
        replaced = None
        if holding.replaced:
            over = holding.replaced.ends_at is not None and holding.replaced.ends_at <= holding.begins_at
            replaced = self.grant(member, holding.replaced, None if over else holding.begins_at)
        return TierGrant.objects.create(
            member=member, tier=self.tiers[holding.rank], begins_at=holding.begins_at, ends_at=holding.ends_at,
            ended_at=ended_at, source=holding.source, granted_at=holding.begins_at, locked=holding.locked,
            restart_at=holding.restart_at, replaced=replaced,
        )  # fmt: skip


@pytest.fixture
def world(db: None) -> World:
    return World(ChannelFactory(), {rank: TierFactory(rank=rank, code=f"t{rank}") for rank in range(4)})


# --- the same in Python -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """What should come out for a member: the decision, its instant, and from when on his counters count then."""

    decision: Decision
    as_of: datetime
    restart_at: datetime | None


def expected(scheme: Scheme, person: Person, occasion: Occasion, at: datetime) -> Expected | None:
    """None: the member is not looked at."""
    holding = person.holding
    end = end_of(scheme, holding)
    if occasion is Occasion.END:
        if holding is None or end is None or not FOUNDED <= end <= at:
            return None
        as_of = end
    else:
        as_of = at
        if holding is not None and holding.begins_at > at:
            return None
        if end is not None and end <= at:
            holding = None
    standing = look_at(scheme, person, holding, occasion, as_of)
    renewable = holding is not None and end is not None and end <= as_of + timedelta(days=scheme.renew_days)
    decision = decide(scheme, standing, occasion, as_of, renewable=renewable)
    if not isinstance(decision, Move):
        return Expected(decision, as_of, None)
    base = judged(holding, occasion)
    before = base.restart_at if base else None
    anew = _after_what_counted(person, as_of) if occasion is Occasion.NOW and scheme.metrics() else as_of
    return Expected(decision, as_of, counters_begin(scheme.restart, decision.move, before, anew))


def _after_what_counted(person: Person, as_of: datetime) -> datetime:
    counted = [bought.at for bought in person.orders if bought.at <= as_of]
    return max(counted) + TICK if counted else as_of


def end_of(scheme: Scheme, holding: Holding | None) -> datetime | None:
    if holding is None or holding.ends_at is not None:
        return holding.ends_at if holding else None
    older = holding.begins_at < FOUNDED and not holding.by_hand and not holding.locked and holding.rank > 0
    return term_end(FOUNDED, scheme.validity_months, ZONE) if older and scheme.validity_months else None


def judged(holding: Holding | None, occasion: Occasion) -> Holding | None:
    """Whose counters are looked at: at the end of a tier given by hand, those of the one it replaced."""
    return holding.replaced if holding and holding.by_hand and occasion is Occasion.END else holding


def look_at(scheme: Scheme, person: Person, holding: Holding | None, occasion: Occasion, as_of: datetime) -> Standing:
    now = occasion is Occasion.NOW
    successes = [b.at for b in person.orders if b.paid > b.refunded and (b.at <= as_of if now else b.at < as_of)]
    order_at = max(successes, default=None) if scheme.looks_at_orders else None
    reach_by_order, keep_by_order = scheme.effect == Effect.NEXT_ORDER, scheme.keep_check == KeepCheck.NEXT_ORDER
    base = judged(holding, occasion)
    begun = base.restart_at if base else None
    until = as_of + TICK if now else as_of
    by_order = order_at + TICK if order_at else None
    last = max((b.at for b in person.orders if b.at <= as_of), default=None)
    missed = person.missed
    return Standing(
        holding=holding,
        reach=figures(person, scheme.reach_window, begun, by_order if now and reach_by_order else until),
        keep=figures(person, scheme.keep_window, begun, by_order if now and keep_by_order else until),
        offered=person.offer[0] if scheme.taking == "claim" and person.offer and person.offer[1] > as_of else 0,
        missed=missed[0] if scheme.taking == "claim" and missed and (last is None or missed[1] >= last) else 0,
        new_order=order_at is not None and order_at >= FOUNDED and (person.seen is None or order_at > person.seen),
    )


def figures(person: Person, window: Window, begun: datetime | None, until: datetime | None) -> dict[str, Decimal]:
    if until is None:
        return {}
    starts = [start for start in (window_start(window, until, ZONE), begun) if start is not None]
    since = max(starts, default=None)
    counted = [b for b in person.orders if b.at < until and (since is None or b.at >= since)]
    return {
        "spend": sum((Decimal(max(b.paid - b.refunded, 0)) for b in counted), Decimal(0)),
        "order_count": Decimal(sum(b.paid > b.refunded for b in counted)),
    }


Row = tuple[str, int, datetime, datetime | None]


def staged() -> dict[int, Row]:
    """What was staged: outcome, rank, instant, and from when on counters count (of moves, not of offers)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, outcome, target, as_of,"
            "       CASE WHEN outcome NOT IN ('offer', 'renewal') THEN restart_at END FROM crm_stage_move"
        )
        return {member_id: (*row,) for member_id, *row in cursor.fetchall()}


def as_row(found: Expected | None) -> Row | None:
    match found.decision if found else None:
        case Move(move, rank) if found:
            return move.value, rank, found.as_of, found.restart_at
        case Offer(kind, rank) if found:
            return "offer" if kind == OfferKind.UP else "renewal", rank, found.as_of, None
        case _:
            return None


def test_the_statement_decides_as_the_page_says(world: World) -> None:
    chance = Random(5)
    outcomes: Counter[str] = Counter()
    for _round in range(SCHEMES):
        scheme, people = a_scheme(chance), [a_person(chance) for _number in range(PEOPLE)]
        members = world.add(people)
        for occasion, at in LOOKS:
            with connection.cursor() as cursor:
                look(cursor, scheme, Members(ids=[member.pk for member in members]), Look(occasion, at, FOUNDED))
            found = staged()
            for member, person in zip(members, people, strict=True):
                row = as_row(expected(scheme, person, occasion, at))
                assert found.get(member.pk) == row, (occasion, at, person, scheme)
                outcomes[row[0] if row else "stays"] += 1
    assert set(outcomes) == {"stays", "up", "down", "renewed", "resumed", "offer", "renewal"}
