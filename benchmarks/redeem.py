"""A reward for points through the whole checkout: the signed token, the reward's terms, a member's limits, the burn,
the redemption and the stock. ``flash_sale`` does the same with one reward that everybody wants."""

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import chain, count
from pathlib import Path

from benchmarks.contest import against_pgbench
from benchmarks.ledger import AT, Shape, fill
from benchmarks.sizes import Size

CLIENTS = (1, 8, 16)
PROMISED = 8
LOTS = 12
REWARDS = 1000
MOST_POINTS = 100
READY = 4_000  # Pages that a client has open beforehand; one that gets further opens the next ones on the way.

# Goods with a stock, a limit of a day and one for ever, and everybody with an address: nothing is left out.
_REWARDS = """
INSERT INTO redemption_reward (
    id, name, description, kind, position, points, cash, active, visibility, limit_day, limit_ever, most_at_once,
    pay_hours, counted
)
SELECT n, 'Reward ' || n, '', 'goods', 0, 1 + n %% %(most)s, 0, TRUE, 'visible', 1000, 100000, 10, 48, TRUE
  FROM generate_series(1, %(rewards)s) AS n
"""
_STOCK = "INSERT INTO redemption_stock (reward_id, free, safety) SELECT id, 1000000, 0 FROM redemption_reward"
_ADDRESSES = """
INSERT INTO redemption_address (id, member_id, recipient, phone, region, street, postcode, preferred, added_at)
SELECT id, id, name, '13800000000', '', '', '', TRUE, %(at)s FROM crm_member
"""


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Clients redeem some reward for some member, and take turns with pgbench."""
    furnish(size.members, REWARDS)
    return {
        "members": size.members, "rows": REWARDS,
        **against_pgbench(folder, redeeming(size.members, REWARDS), CLIENTS, promised=PROMISED),
    }  # fmt: skip


def furnish(members: int, rewards: int) -> None:
    """Write a ledger with a dozen lots an account, rewards in plenty, and an address for everybody."""
    fill(members, Shape(lots=LOTS))
    stock_up(rewards)


def stock_up(rewards: int) -> None:
    """Write rewards in plenty, and an address for everybody."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_REWARDS, {"rewards": rewards, "most": MOST_POINTS})
        cursor.execute(_STOCK)
        cursor.execute(_ADDRESSES, {"at": AT})
        cursor.execute("VACUUM ANALYZE redemption_reward, redemption_stock, redemption_address")


def redeeming(members: int, rewards: int) -> Callable[[int], Callable[[], object]]:
    """What a client does: it sends the token of a page, each time another one."""

    def prepare(number: int) -> Callable[[], object]:
        from redemption.rewards.checkout import redeem
        from redemption.rewards.choices import RewardKind
        from redemption.rewards.wishes import Wish

        chance = random.Random()

        def page() -> tuple[int, int, str]:
            member, reward = chance.randint(1, members), chance.randint(1, rewards)
            wish = Wish(
                member, reward, RewardKind.GOODS, 1 + reward % MOST_POINTS, Decimal("0.00"), conditional=False,
                after=chance.getrandbits(62), made_at=AT - timedelta(minutes=1),
            )  # fmt: skip
            return member, reward, wish.token()

        pages = chain([page() for _ in range(READY)], (page() for _ in count()))

        def act() -> None:
            member, reward, token = next(pages)
            redeem(member, reward, 1, token=token, address_id=member, at=AT)

        return act

    return prepare
