"""The pages of a store of ten thousand rewards and two hundred thousand redemptions: the buyer's shelf and its filters,
the lists of the admin, the report of a month, what is running now. Each is asked for as a browser does, all middleware
included.

``ratio`` compares with the same pages of a store a hundredth as large: 1 where nothing grows with the data.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.ledger import Shape, fill
from benchmarks.redeem import stock_up
from benchmarks.sizes import Size

LOTS, TIMES = 2, 5
REWARDS_EACH = 20  # Redemptions of a reward on the average.
SMALLER = 100

# Taken in the last ninety days, the first rewards much more often than the others; every twentieth waits to be sent.
_REDEMPTIONS = """
INSERT INTO redemption_redemption (member_id, reward_id, entry_id, quantity, points, cash, state, placed_at, moved_at)
SELECT 1 + h %% %(members)s, 1 + (power(h %% 1009 / 1009.0, 3) * %(rewards)s)::bigint %% %(rewards)s, n, 1 + n %% 3,
       (1 + n %% 3) * 100, 0, CASE WHEN n %% 20 = 0 THEN 'placed' ELSE 'received' END, at, at
  FROM generate_series(1, %(redemptions)s) AS n,
       LATERAL (SELECT abs(hashint8(n * 31::bigint)::bigint),
                       now() - (%(redemptions)s - n) * interval '90 days' / %(redemptions)s) AS hashed (h, at)
"""
_ORDERS = """
INSERT INTO crm_order (
    channel_id, external_no, member_id, status, paid, refunded, refunded_reported, amount_from_lines, placed_at,
    paid_at, close_reason, title, raw, version
)
SELECT %(channel)s, 'bench-' || n, 1 + n %% %(members)s, 'completed', 20 + n %% 300, 0, 0, FALSE, at,
       at, '', '', '{}', ''
  FROM generate_series(1, %(members)s * 5) AS n,
       LATERAL (SELECT now() - (abs(hashint8(n)::bigint) %% 120) * interval '1 day') AS drawn (at)
"""
# Half of the rewards have a category, every fifth a window that is on, every tenth a tier, one in fifty a tag.
_VARIETY = """
UPDATE redemption_reward AS w
   SET category_id = CASE WHEN w.id % 2 = 0 THEN (SELECT min(id) FROM redemption_rewardcategory) + w.id % 8 END,
       position = w.id % 100, points = 1 + w.id % 5000,
       starts_at = CASE WHEN w.id % 5 = 0 THEN now() - interval '9 days' END,
       ends_at = CASE WHEN w.id % 5 = 0 THEN now() + interval '9 days' END,
       min_tier_id = CASE WHEN w.id % 10 = 0 THEN (SELECT max(id) FROM crm_tier) END,
       visibility = (ARRAY['visible', 'teaser', 'hidden'])[1 + w.id % 3]
"""


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Time every page of the large store, and of the small one before; medians."""
    from config.staticfiles import collect_if_changed

    collect_if_changed()
    rewards = size.rows // REWARDS_EACH
    small = _timed(size.members, max(rewards // SMALLER, 1))
    _empty()
    large = _timed(size.members, rewards)
    whole = sum(large.values())
    figures: dict[str, float | int] = {
        "members": size.members,
        "rows": size.rows,
        "ratio": round(whole / sum(small.values()), 3),
        "per_second": round(len(large) / whole, 1),
        "seconds": round(whole / len(large), 5),
    }
    for name, seconds in large.items():
        figures[f"{name}_ms"] = round(seconds * 1000, 1)
        figures[f"{name}_small_ms"] = round(small[name] * 1000, 1)
    return figures


def _timed(members: int, rewards: int) -> dict[str, float]:
    _furnish(members, rewards)
    pages = _pages()
    return {name: _time(ask) for name, ask in pages.items()}


def _time(ask: Callable[[], Any]) -> float:
    ask()
    times = []
    for _again in range(TIMES):
        begun = perf_counter()
        ask()
        times.append(perf_counter() - begun)
    return median(times)


def _pages() -> dict[str, Callable[[], Any]]:
    """What is asked for, by a buyer in the middle of the table and by the owner."""
    from django.contrib.auth import get_user_model
    from django.db.models import Max
    from django.test import Client
    from django.utils import timezone

    from crm.models import Member
    from redemption.models import Reward

    people: Any = get_user_model().objects
    owner = people.filter(username="owner").first() or people.create_superuser("owner")
    member = Member.objects.get(pk=Member.objects.aggregate(last=Max("pk"))["last"] // 2)
    if member.user is None:
        member.user = people.filter(username="buyer").first() or people.create_user("buyer")
        member.save()
    clients = {}
    for user in (owner, member.user):
        clients[user] = Client(headers={"host": "127.0.0.1"})
        clients[user].force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def page(user: Any, address: str) -> Callable[[], None]:
        def ask() -> None:
            answer = clients[user].get(address)
            if answer.status_code != 200:
                raise SystemExit(f"{address} answered {answer.status_code}")

        return ask

    def report() -> None:
        """A large one takes several looks, each of which says how far it is."""
        today = timezone.localdate()
        address = f"{taken}report/?since={today - timedelta(days=29)}&through={today}"
        answer = clients[owner].get(f"{address}&anew=1", follow=True)
        while b'id="progress"' in answer.content:
            answer = clients[owner].get(address)

    some = Reward.objects.filter(visibility="visible", min_tier=None).values_list("pk", "category").last()
    assert some is not None
    shelf, rewards, taken = "/rewards/", "/admin/redemption/reward/", "/admin/redemption/redemption/"
    return {
        "shelf": page(member.user, shelf),
        "shelf_afford": page(member.user, f"{shelf}?afford=1&sort=dearest"),
        "shelf_deep": page(member.user, f"{shelf}?after=50.{some[0]}"),
        "shelf_category": page(member.user, f"{shelf}?category={some[1] or 1}&sort=newest"),
        "reward": page(member.user, f"{shelf}{some[0]}/"),
        "admin_home": page(owner, "/admin/"),
        "admin_rewards": page(owner, rewards),
        "admin_running_out": page(owner, f"{rewards}?left=few"),
        "admin_search": page(owner, f"{rewards}?q=Reward+1"),
        "admin_queue": page(owner, f"{taken}?todo=send"),
        "admin_redemptions": page(owner, taken),
        "report": report,
        "live": page(owner, f"{taken}live/"),
    }


def _furnish(members: int, rewards: int) -> None:
    from django.db import connection

    from crm.choices import Platform
    from crm.models import Channel, Tag, Tier
    from redemption.models import RewardCategory, RewardTag

    fill(members, Shape(lots=LOTS))
    channel = Channel.objects.create(code="bench", name="Bench", platform=Platform.OTHER)
    for rank in range(4):
        Tier.objects.create(rank=rank, code=f"t{rank}", name=f"Tier {rank}")
    for number in range(8):
        RewardCategory.objects.create(name=f"Category {number}", position=number)
    stock_up(rewards)
    tag = Tag.objects.create(name="Tea")
    RewardTag.objects.bulk_create(RewardTag(reward_id=pk, tag=tag) for pk in range(50, rewards, 50))
    values = {
        "members": members, "rewards": rewards, "redemptions": rewards * REWARDS_EACH, "channel": channel.pk,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_VARIETY)
        cursor.execute(_REDEMPTIONS, values)
        cursor.execute(_ORDERS, values)
        cursor.execute("VACUUM ANALYZE")


def _empty() -> None:
    """Take away what the small store was made of, also what the journal keeps."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "TRUNCATE crm_member, crm_channel, crm_tier, crm_tag, redemption_reward, redemption_rewardcategory,"
            " redemption_redemption, loyalty_account, loyalty_entry, loyalty_lot, loyalty_lotuse"
            " RESTART IDENTITY CASCADE"
        )
        cursor.execute("RESET session_replication_role")
