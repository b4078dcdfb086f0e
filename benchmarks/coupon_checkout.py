"""A coupon for points through the whole checkout: the signed token, the plan's terms, a member's limits, the burn, the
code, the coupon and the budget. All of them of one plan, whose counter is the row that everybody wants."""

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import chain, count
from pathlib import Path

from benchmarks.contest import against_pgbench
from benchmarks.ledger import AT, Shape, fill
from benchmarks.redeem import CLIENTS, LOTS, PROMISED, READY
from benchmarks.sizes import Size

VALUES = (1, 2, 5)

# Limits of a day and for ever, a budget, and a special ratio that is over: nothing is left out.
_PLAN = """
INSERT INTO redemption_couponplan (
    id, name, description, points_per_yuan, validity_days, active, limit_day, limit_ever, budget_yuan, budget_coupons
)
VALUES (1, 'Coupon', '', 10, 90, TRUE, 1000, 100000, 100000000, 10000000)
"""
_VALUES = "INSERT INTO redemption_denomination (plan_id, yuan) SELECT 1, unnest(%s)"
_WINDOW = """
INSERT INTO redemption_planwindow (plan_id, name, points_per_yuan, starts_at, ends_at)
VALUES (1, 'Festival', 5, %(at)s::timestamptz - interval '9 days', %(at)s::timestamptz - interval '2 days')
"""


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Clients take coupons of the one plan for some member, and take turns with pgbench."""
    from django.db import connection

    fill(size.members, Shape(lots=LOTS))
    with connection.cursor() as cursor:
        cursor.execute(_PLAN)
        cursor.execute(_VALUES, [list(VALUES)])
        cursor.execute(_WINDOW, {"at": AT})
    return {
        "members": size.members, "rows": 1,
        **against_pgbench(folder, _taking(size.members), CLIENTS, promised=PROMISED),
    }  # fmt: skip


def _taking(members: int) -> Callable[[int], Callable[[], object]]:
    """What a client does: it sends the token of a page, each time another one."""

    def prepare(number: int) -> Callable[[], object]:
        from redemption.checkout import redeem_coupon
        from redemption.tokens import Wish

        chance = random.Random()

        def page() -> tuple[int, int, str]:
            member, yuan = chance.randint(1, members), chance.choice(VALUES)
            wish = Wish(
                member, 1, yuan, yuan * 10, conditional=False, after=chance.getrandbits(62),
                made_at=AT - timedelta(minutes=1),
            )  # fmt: skip
            return member, yuan, wish.token()

        pages = chain([page() for _ in range(READY)], (page() for _ in count()))

        def act() -> None:
            member, yuan, token = next(pages)
            redeem_coupon(member, 1, yuan, token=token, at=AT)

        return act

    return prepare
