"""A flash sale: a thousand attempts from two hundred members at a hundred pieces, from real processes.

The controls take one guard away, the condition of the stock's update, and hold everybody between looking at the stock
and taking from it: then sixteen buyers get four cups, unless the table itself refuses.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, connections
from django.db.models import Sum

from crm.models import Member
from loyalty import api as loyalty
from loyalty.models import Account
from redemption.models import Redemption, Reward, RewardCode
from redemption.rewards.checkout import redeem
from redemption.rewards.choices import RewardKind
from redemption.rewards.proof import prove_store
from redemption.rewards.refusals import RewardRefused
from redemption.rewards.wishes import Wish
from tests.cast import GivePoints
from tests.concurrency.processes import in_processes
from tests.concurrency.test_coupons import execute, remake
from tests.factories import AddressFactory, MemberFactory, RewardFactory

pytestmark = pytest.mark.django_db(transaction=True)

MEMBERS, STOCK, ATTEMPTS, PROCESSES = 200, 100, 1000, 20
SESSIONS, FEW = 16, 4
PRICE = 30
GATE = 4712
UNGUARDED = "        UPDATE redemption_stock AS s SET free = s.free - pieces WHERE s.reward_id = reward;"
TAKING = UNGUARDED.replace(";", " AND s.free >= pieces;")


def wish(member_id: int, reward: Reward, after: int, at: datetime) -> str:
    """The token of a page; ``after`` tells one page from another."""
    kind = RewardKind(reward.kind)
    made = at - timedelta(minutes=1)
    return Wish(
        member_id, reward.pk, kind, PRICE, Decimal(0), conditional=False, after=after, made_at=made
    ).token()  # fmt: skip


def attempt(member_id: int, reward: Reward, after: int, address: int | None, at: datetime) -> str:
    """What a buyer is answered."""
    try:
        taken = redeem(member_id, reward.pk, 1, token=wish(member_id, reward, after, at), address_id=address, at=at)
    except RewardRefused as refusal:
        return refusal.code
    return "repeated" if taken.repeated else "placed"


@pytest.fixture
def crowd(transactional_db: None, give_points: GivePoints) -> dict[int, int]:
    """Two hundred members with a hundred points each, and where their parcels go."""
    members = MemberFactory.create_batch(MEMBERS)
    for member in members:
        give_points(member, 100)
    return {member.pk: AddressFactory(member=member).pk for member in members}


def test_a_thousand_attempts_of_two_hundred_members_at_a_hundred_pieces(crowd: dict[int, int], at: datetime) -> None:
    cup = RewardFactory(points=PRICE, limit_ever=1, stock=STOCK)
    # Each member sends the form of one page twice, and those of three other pages.
    attempts = [(member, after) for member in crowd for after in (0, 0, 1, 2, 3)]
    Random(8).shuffle(attempts)
    assert len(attempts) == ATTEMPTS
    share = ATTEMPTS // PROCESSES

    def act(number: int) -> Counter[str]:
        mine = attempts[number * share : (number + 1) * share]
        return Counter(attempt(member, cup, after, crowd[member], at) for member, after in mine)

    answers = in_processes(PROCESSES, act)

    assert answers["placed"] == STOCK
    assert sum(answers.values()) == ATTEMPTS
    assert set(answers) <= {"placed", "repeated", "limit", "sold_out"}
    assert Redemption.objects.count() == STOCK
    assert Redemption.objects.values("member").distinct().count() == STOCK
    assert Reward.objects.get(pk=cup.pk).stock.free == 0
    spent = Account.objects.aggregate(left=Sum("balance"))["left"]
    assert spent == MEMBERS * 100 - STOCK * PRICE
    assert loyalty.audit().ok
    assert prove_store().ok


def test_of_a_pool_of_codes_everybody_gets_his_own(crowd: dict[int, int], at: datetime) -> None:
    card = RewardFactory(points=PRICE, kind=RewardKind.DIGITAL, counted=False, limit_ever=1)
    RewardCode.objects.bulk_create(RewardCode(reward=card, code=f"C{number}", added_at=at) for number in range(50))
    share = MEMBERS // PROCESSES
    members = list(crowd)

    def act(number: int) -> Counter[str]:
        mine = members[number * share : (number + 1) * share]
        return Counter(attempt(member, card, 0, None, at) for member in mine)

    answers = in_processes(PROCESSES, act)

    assert answers == {"placed": 50, "sold_out": MEMBERS - 50}
    assert RewardCode.objects.exclude(redemption=None).values("redemption").distinct().count() == 50
    assert prove_store().ok


class TestTheLastPieces:
    """Sixteen members have all seen that four cups are left, and now take one each."""

    @pytest.fixture
    def cup(self, transactional_db: None) -> Reward:
        return RewardFactory(points=PRICE, stock=FEW)

    @pytest.fixture
    def in_the_doorway(
        self, cup: Reward, give_points: GivePoints, at: datetime
    ) -> Iterator[Callable[[], Counter[str]]]:
        """Lets all of them look before any takes, and counts what they are answered."""
        members: list[Member] = MemberFactory.create_batch(SESSIONS)
        homes = {}
        for member in members:
            give_points(member, 100)
            homes[member.pk] = AddressFactory(member=member).pk
        execute(f"SELECT pg_advisory_lock({GATE})")

        def session(number: int, start: Barrier) -> str:
            member = members[number].pk
            try:
                start.wait(timeout=30)
                return attempt(member, cup, 0, homes[member], at)
            except IntegrityError:
                return "broken"
            finally:
                connections.close_all()

        def run() -> Counter[str]:
            start = Barrier(SESSIONS)
            with ThreadPoolExecutor(SESSIONS) as pool:
                sessions = [pool.submit(session, number, start) for number in range(SESSIONS)]
                _wait_until_all_stand_still()
                execute(f"SELECT pg_advisory_unlock({GATE})")
                return Counter(done.result(timeout=60) for done in sessions)

        yield run
        execute("SELECT pg_advisory_unlock_all()")

    def close_the_gate(self, statement: str = TAKING) -> None:
        remake("redemption_redeem", TAKING, f"        PERFORM pg_advisory_xact_lock_shared({GATE});\n{statement}")

    def test_the_guarded_update_gives_out_four(self, cup: Reward, in_the_doorway: Callable[[], Counter[str]]) -> None:
        self.close_the_gate()

        assert in_the_doorway() == {"placed": FEW, "sold_out": SESSIONS - FEW}
        assert Reward.objects.get(pk=cup.pk).stock.free == 0
        assert prove_store().ok

    def test_control_without_the_guard_sixteen_get_them(
        self, cup: Reward, in_the_doorway: Callable[[], Counter[str]]
    ) -> None:
        self.close_the_gate(UNGUARDED)
        execute("ALTER TABLE redemption_stock DROP CONSTRAINT redemption_stock_never_oversold")

        assert in_the_doorway() == {"placed": SESSIONS}
        assert Reward.objects.get(pk=cup.pk).stock.free == FEW - SESSIONS

    def test_without_the_guard_the_table_itself_refuses(
        self, cup: Reward, in_the_doorway: Callable[[], Counter[str]]
    ) -> None:
        self.close_the_gate(UNGUARDED)

        assert in_the_doorway() == {"placed": FEW, "broken": SESSIONS - FEW}


def _wait_until_all_stand_still() -> None:
    deadline = time.monotonic() + 30
    waiting = 0
    while waiting < SESSIONS:
        assert time.monotonic() < deadline, f"only {waiting} of {SESSIONS} wait"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            [waiting] = cursor.fetchone()
