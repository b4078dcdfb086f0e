"""The most that a rule set can pay, as a share of the price: what a seller should know before he publishes it.

The set is tried on orders made up for it, one for every combination of circumstances that its rules tell apart. So the
figure comes from the rules themselves, and with it the circumstances that lead to it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import product
from typing import NamedTuple, TypeVar

from loyalty.earning.allocate import allocate
from loyalty.earning.calendar import DateWindow, Window
from loyalty.earning.compiling import CompiledRule, CompiledSet, compile_set
from loyalty.earning.evaluate import evaluate
from loyalty.earning.facts import NORMAL, POLICIES, LineFacts, MemberFacts, OrderFacts
from loyalty.earning.kinds import Festival, PaymentKind, Steps, TierMultiplier
from loyalty.earning.ruleset import RuleSet
from loyalty.earning.situation import Situation

T = TypeVar("T")

PRICE = 10_000
# After nineteen years the lunar calendar meets the other one again, so that all coincidences are in here.
YEARS = frozenset(range(2025, 2045))
ORDINARY_DAY = date(2028, 3, 22)


def _two_places_half_up(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


class HighestShare(NamedTuple):
    """``points`` for an order of ``price`` fen: ``share`` of the price, under these ``rules``, for this order."""

    share: Fraction
    points: int
    price: int
    rules: tuple[str, ...] = ()
    order: OrderFacts = OrderFacts()
    member: MemberFacts = MemberFacts()

    @property
    def percent(self) -> Decimal:
        """The share in percent, to two places."""
        return _two_places_half_up(Decimal(self.share.numerator * 100) / Decimal(self.share.denominator))


def highest_share(ruleset: RuleSet, point_value: Decimal, zone: tzinfo = UTC) -> HighestShare:
    """The largest share of the price that a set pays, at 100 yuan and at every amount that one of its rules names.

    ``point_value`` is what a point costs the seller, in fen. Points that products themselves name a piece, and orders
    below 100 yuan that no rule is about, are left out of account.
    """
    compiled = compile_set(ruleset, zone)
    situations = list(_situations(compiled))
    best = HighestShare(Fraction(0), 0, PRICE)
    for price in _prices(ruleset):
        for lines in _baskets(compiled, price):
            for order, member in situations:
                priced = order._replace(paid=price, lines=lines)
                award = evaluate(compiled, priced, member)
                share = award.points * Fraction(point_value) / price
                if share > best.share:
                    fired = tuple(line.rule for line in award.lines if line.points)
                    best = HighestShare(share, award.points, price, fired, priced, member)
    return best


def usual_points(compiled: CompiledSet) -> int:
    """What an order of 100 yuan earns on an ordinary day, of a product without a policy of its own and a buyer of the
    base tier."""
    order = _timed(datetime.combine(ORDINARY_DAY, time(12), tzinfo=compiled.zone))
    line = LineFacts(policy=NORMAL, paid=PRICE)
    return evaluate(compiled, order._replace(paid=PRICE, lines=(line,)), MemberFacts()).points


def _prices(ruleset: RuleSet) -> list[int]:
    prices = {PRICE}
    for rule in ruleset.in_order():
        prices.add(rule.conditions.amount_at_least or PRICE)
        if isinstance(rule.kind, Steps):
            prices.update(threshold for threshold, _points in rule.kind.steps)
    return sorted(prices)


def _baskets(compiled: CompiledSet, price: int) -> list[tuple[LineFacts, ...]]:
    """One line of each sort that the rules tell apart, and one order with all of them."""
    conditions = [rule.conditions for rule in compiled.source.in_order()]
    products: list[int | None] = [None, *{item for each in conditions for item in each.products}]
    categories = ["", *{item for each in conditions for item in each.categories}]
    tags = [frozenset[str](), frozenset(item for each in conditions for item in each.product_tags)]
    policies = [NORMAL, *(policy for policy in POLICIES if policy != NORMAL)]
    lines = [
        LineFacts(product_id=product_id, category=category, tags=some, policy=policy, paid=price)
        for policy, product_id, category, some in product(policies, products, categories, tags)
    ]
    tests = [rule.line_test for rule in _rules(compiled) if rule.line_test is not None]
    different = _told_apart(
        lines,
        lambda line: (
            tuple(test(line) for test in tests),
            tuple((rule.shares.get(line.policy), rule.policy.points_a_piece(line)) for rule in compiled.shares),
        ),
    )
    paid = allocate(price, [1] * len(different))
    mixed = tuple(
        line._replace(key=str(number), paid=part)
        for number, (line, part) in enumerate(zip(different, paid, strict=True))
    )
    return [*((line,) for line in different), mixed]


def _situations(compiled: CompiledSet) -> Iterator[tuple[OrderFacts, MemberFacts]]:
    """Every combination of shop, payment, buyer and instant that the rules tell apart."""
    rules = compiled.source.in_order()
    conditions = [rule.conditions for rule in rules]
    channels = ["", *{item for each in conditions for item in each.channels}]
    payments = {item for each in conditions for item in each.payment_kinds}
    payments |= {item for rule in rules if isinstance(rule.kind, PaymentKind) for item in rule.kind.kinds}
    tiers = {item for each in conditions for item in each.tiers}
    tiers |= {tier for rule in rules if isinstance(rule.kind, TierMultiplier) for tier, _factor in rule.kind.factors}
    rank = max((each.tier_rank_at_least or 0 for each in conditions), default=0)
    tags = [frozenset[str](), frozenset(item for each in conditions for item in each.tags_any)]
    members = [
        MemberFacts(tier=tier, tier_rank=each_rank, tags=some, earlier_orders=earlier, profile_complete=True)
        for tier, each_rank, some, earlier in product(["", *sorted(tiers)], {rank, 0}, tags, (0, 1))
    ]
    orders = [
        OrderFacts(channel=channel, payment_kind=payment)
        for channel, payment in product(channels, ["", *sorted(payments)])
    ]
    tests = [test for rule in _rules(compiled) for test in rule.tests]

    def told(order: OrderFacts, member: MemberFacts) -> Hashable:
        situation = Situation(order, member, at=order.at, zone=compiled.zone)
        return tuple(test(situation) is None for test in tests)

    anybody = MemberFacts()
    some_orders = _told_apart(orders, lambda order: told(order, anybody))
    instants = _told_apart(
        [_timed(at) for at in _instants(compiled)],
        lambda order: told(order, _born(order, anybody)),
    )
    some_members = _told_apart(members, lambda member: (member.tier, told(instants[0], member)))
    for order, instant, member in product(some_orders, instants, some_members):
        yield instant._replace(channel=order.channel, payment_kind=order.payment_kind), _born(instant, member)


def _instants(compiled: CompiledSet) -> Iterator[datetime]:
    """Days on which windows begin and those after them, a week of ordinary days, at the hours that rules name."""
    rules = compiled.source.in_order()
    windows = {rule.kind.window for rule in rules if isinstance(rule.kind, Festival)}
    windows |= {rule.conditions.dates for rule in rules if rule.conditions.dates is not None}
    hours = {time(12)} | {
        time(*divmod(rule.conditions.time_of_day[0] % (24 * 60), 60)) for rule in rules if rule.conditions.time_of_day
    }
    days = set(_first_days(windows)) | set(_week_from(ORDINARY_DAY, date.max))
    for day, hour in product(sorted(days), sorted(hours)):
        yield datetime.combine(day, hour, tzinfo=compiled.zone)


def _first_days(windows: Iterable[Window]) -> Iterator[date]:
    """Windows coincide, if they do, on the first day of one of them."""
    windows = list(windows)
    years = YEARS | {window.first.year for window in windows if isinstance(window, DateWindow)}
    for window, year in product(windows, sorted(years)):
        for begins, ends in window.spans(year):
            yield from _week_from(begins, ends)


def _week_from(begins: date, ends: date) -> Iterator[date]:
    for number in range(7):
        if begins + timedelta(days=number) <= ends:
            yield begins + timedelta(days=number)


def _timed(at: datetime) -> OrderFacts:
    """An order that was paid, shipped and confirmed as early as can be."""
    return OrderFacts(placed_at=at, paid_at=at, shipped_at=at, completed_at=at)


def _born(order: OrderFacts, member: MemberFacts) -> MemberFacts:
    at = order.at
    return member if at is None else member._replace(birthday=at.date())


def _rules(compiled: CompiledSet) -> list[CompiledRule]:
    grouped = (*compiled.factors, *compiled.gifts, *compiled.completion_factors, *compiled.completion_gifts)
    return [*compiled.shares, *compiled.base, *(rule for group in grouped for rule in group)]


def _told_apart(candidates: Sequence[T], signature: Callable[[T], Hashable]) -> list[T]:
    """The first of every sort."""
    found: dict[Hashable, T] = {}
    for candidate in candidates:
        found.setdefault(signature(candidate), candidate)
    return list(found.values())
