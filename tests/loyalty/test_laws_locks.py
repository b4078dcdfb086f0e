"""Law 7: accounts are locked in ascending order, all of a batch before its first verb.

Each story has a lower and a higher account. While somebody has the lower one, a batch that needs both must wait for it
with empty hands: whoever waited for one account with another in his hands could wait in a circle. The guard is
``lock_accounts``; the counter-test takes it away.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from threading import Event

import pytest
from django.db import connection, connections, transaction
from django.db.utils import OperationalError

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty.journal import post
from tests.factories import IdentityFactory, MemberFactory
from tests.loyalty.postings import earned, spent, write

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.


@pytest.fixture
def low(shop: Channel, at: datetime) -> Member:
    return with_points(shop, "low", at)


@pytest.fixture
def high(shop: Channel, low: Member, at: datetime) -> Member:
    return with_points(shop, "high", at)


def with_points(shop: Channel, name: str, at: datetime) -> Member:
    """A buyer with a completed order of ten yuan."""
    member = MemberFactory(name=name)
    IdentityFactory(channel=shop, member=member, external_id=name)
    record(shop, [order(name, "1", 10, at)], at=at)
    return member


def order(buyer: str, number: str, paid: int, at: datetime) -> OrderRecord:
    return OrderRecord(
        f"{buyer}:{number}", 2, status=OrderStatus.COMPLETED, buyer=BuyerRecord(buyer, buyer), paid=Decimal(paid),
        placed_at=at, paid_at=at, completed_at=at,
    )  # fmt: skip


def is_free(member: Member) -> bool:
    """Whether nobody has the member's account."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM loyalty_account WHERE member_id = %s FOR UPDATE NOWAIT", [member.pk])
    except OperationalError:
        return False
    return True


def waits_with_empty_hands(act: Callable[[], object], low: Member, high: Member) -> bool:
    """Let somebody act on both accounts while the lower one is taken; say whether the higher one stays free."""
    pids: list[int] = []
    known = Event()

    def session() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.append(cursor.fetchone()[0])
            known.set()
            act()
        finally:
            connections.close_all()

    def is_waiting() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", pids)
            return bool(cursor.rowcount)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM loyalty_account WHERE member_id = %s FOR UPDATE", [low.pk])
            done = pool.submit(session)
            assert known.wait(PATIENCE)
            while not is_waiting():
                assert not done.done(), "it went through although an account was taken"
            free = is_free(high)
        done.result(timeout=PATIENCE)
    return free


class TestABatchOfSeveralVerbs:
    @pytest.fixture
    def batch(self, low: Member, high: Member, at: datetime) -> Callable[[], object]:
        """It gives to the higher account first and takes from the lower one then."""
        return lambda: post([earned(high, 1, key="in", at=at), spent(low, 1, key="out", at=at)], at=at)

    def test_it_waits_with_empty_hands(self, batch: Callable[[], object], low: Member, high: Member) -> None:
        assert waits_with_empty_hands(batch, low, high)

    def test_without_the_guard_it_would_hold_the_one_and_wait_for_the_other(
        self, batch: Callable[[], object], low: Member, high: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("loyalty.journal.lock_accounts", lambda postings, also=(): None)

        assert not waits_with_empty_hands(batch, low, high)


def test_one_verb_locks_its_accounts_in_ascending_order_too(low: Member, high: Member, at: datetime) -> None:
    def act() -> None:
        write(earned(high, 1, key="a", at=at), earned(low, 1, key="b", at=at), at=at)

    assert waits_with_empty_hands(act, low, high)


def test_an_import_of_orders_and_returns_waits_with_empty_hands(
    shop: Channel, low: Member, high: Member, at: datetime
) -> None:
    """An order of the higher account, and in the same file a return without an order of the lower one."""
    refund = RefundRecord("R1", RefundStatus.SUCCESS, Decimal(5), at)
    returned = OrderRecord("R1", 2, buyer=BuyerRecord("low", "low"), unlinked_refund=refund)

    assert waits_with_empty_hands(lambda: record(shop, [order("high", "2", 10, at), returned], at=at), low, high)
