"""Orders of all sorts under a set of twelve rules, on one core and without a database.

The measure is a loop that calls a function for each order which merely rounds its amount down.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from benchmarks.sizes import Size
from loyalty.earning.award import as_trace
from loyalty.earning.calendar import FESTIVALS, YearlyWindow
from loyalty.earning.checking import problems
from loyalty.earning.compiling import compile_set
from loyalty.earning.conditions import Conditions
from loyalty.earning.evaluate import evaluate
from loyalty.earning.facts import LineFacts, MemberFacts, OrderFacts
from loyalty.earning.kinds import (
    BirthdayOrder,
    EarlyConfirmation,
    EarlyPayment,
    Festival,
    FirstOrder,
    PaymentKind,
    ProductPolicy,
    Spend,
    Steps,
    TierMultiplier,
)
from loyalty.earning.ruleset import BUILT_IN, Caps, Rule, RuleSet
from loyalty.earning.usage import Usage

SEED = 7
ROUNDS = 3
# Orders that differ; a run goes through them again and again.
DIFFERENT = 10_000
YEAR = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")

TWELVE = RuleSet(
    1,
    (
        Rule("products", ProductPolicy(bonus_points=5), position=1),
        Rule("gift-card", PaymentKind(kinds=("gift_card",)), position=2, group="base"),
        Rule("outlet", Spend(per=200), position=3, group="base", conditions=Conditions(channels=("outlet",))),
        Rule("spend", Spend(points=2), position=4, group="base"),
        Rule("tiers", TierMultiplier(factors=(("vip", Decimal("1.5")), ("svip", Decimal(2)))), position=5),
        Rule(
            "double-11", Festival(window=FESTIVALS["double_11"][1], factor=Decimal(2)), position=6, group="festival",
            conditions=Conditions(product_policies=("normal",), tier_rank_at_least=1), caps=Caps(budget=100_000),
        ),
        Rule(
            "summer", Festival(window=YearlyWindow((6, 1), (8, 31)), factor=Decimal("1.2")), position=7,
            group="festival", conditions=Conditions(categories=("tea",)),
        ),
        Rule("birthday", BirthdayOrder(window="month", factor=Decimal("1.5")), position=8),
        Rule("early", EarlyPayment(minutes=30, points=5), position=9, caps=Caps(per_member_day=10)),
        Rule("confirmed", EarlyConfirmation(days=3, points=5), position=10),
        Rule("steps", Steps(steps=((199_00, 10), (499_00, 40))), position=11),
        Rule("welcome", FirstOrder(points=30), position=12, conditions=Conditions(amount_at_least=50_00)),
    ),
)  # fmt: skip


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Evaluate as many orders as there are rows; ``ratio`` is the time of the bare loop over that of the rules."""
    if problems(TWELVE):
        raise SystemExit(f"the rules could not be published: {problems(TWELVE)}")
    cases = _cases(random.Random(SEED))
    twelve, built_in, usage = compile_set(TWELVE, ZONE), compile_set(BUILT_IN, ZONE), Usage()
    passes = max(size.rows // len(cases), 1)

    def rounded(order: OrderFacts, member: MemberFacts) -> int:
        return order.paid // 100

    bare, seconds, plain = [], [], []
    for _ in range(ROUNDS):
        bare.append(_seconds(cases, passes, rounded))
        seconds.append(_seconds(cases, passes, lambda order, member: evaluate(twelve, order, member, usage)))
        plain.append(
            _seconds(cases, passes, lambda order, _member: as_trace(evaluate(built_in, order._replace(lines=()))))
        )
    points = sum(evaluate(twelve, order, member).points for order, member in cases)
    evaluations = passes * len(cases)
    return {
        "rows": evaluations,
        "rules": len(TWELVE.rules),
        "ratio": round(median(b / s for b, s in zip(bare, seconds, strict=True)), 4),
        "per_second": round(evaluations / median(seconds)),
        "seconds": round(median(seconds), 2),
        "built_in_microseconds": round(median(plain) / evaluations * 1e6, 2),
        "points_an_order": round(points / len(cases), 1),
    }


def _seconds(
    cases: list[tuple[OrderFacts, MemberFacts]], passes: int, act: Callable[[OrderFacts, MemberFacts], object]
) -> float:
    begun = time.process_time()
    for _ in range(passes):
        for order, member in cases:
            act(order, member)
    return time.process_time() - begun


def _cases(chance: random.Random) -> list[tuple[OrderFacts, MemberFacts]]:
    """Orders of one to four lines through a year, half of them of members with a tier."""
    return [(_order(chance), _member(chance)) for _ in range(DIFFERENT)]


def _order(chance: random.Random) -> OrderFacts:
    lines = tuple(
        LineFacts(
            key=str(number),
            product_id=chance.randint(1, 500),
            policy=chance.choices(("normal", "special", "zero", "bonus"), (70, 20, 5, 5))[0],
            category=chance.choice(("tea", "cups", "")),
            quantity=chance.randint(1, 3),
            paid=chance.randint(9_90, 199_00),
        )
        for number in range(chance.choices((1, 2, 3, 4), (55, 25, 15, 5))[0])
    )
    placed = YEAR + timedelta(minutes=chance.randint(0, 365 * 24 * 60))
    paid = placed + timedelta(minutes=chance.randint(0, 60))
    shipped = paid + timedelta(days=1)
    return OrderFacts(
        channel=chance.choice(("tea", "tea", "outlet")),
        paid=sum(line.paid for line in lines),
        payment_kind=chance.choice(("cash", "cash", "cash", "gift_card")),
        placed_at=placed,
        paid_at=paid,
        shipped_at=shipped,
        completed_at=shipped + timedelta(days=chance.randint(1, 9)),
        lines=lines,
    )


def _member(chance: random.Random) -> MemberFacts:
    tier, rank = chance.choice((("base", 0), ("base", 0), ("vip", 1), ("svip", 2)))
    birthday = date(1990, 1, 1) + timedelta(days=chance.randint(0, 364))
    return MemberFacts(chance.randint(1, 5000), tier, rank, birthday=birthday, earlier_orders=chance.randint(0, 3))
