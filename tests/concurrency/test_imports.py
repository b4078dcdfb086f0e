"""Imports into two shops that have buyers in common."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction

from crm.feeds.records import BuyerRecord
from crm.models import Channel, Identity, Member
from crm.orders import record
from tests.cast import NOON
from tests.crm.reports import row
from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db(transaction=True)


def is_free(member: Member) -> bool:
    """Whether nobody holds the member's row."""
    try:
        with transaction.atomic():
            Member.objects.select_for_update(nowait=True, no_key=True).get(pk=member.pk)
    except OperationalError:
        return False
    return True


def wait_for_a_waiter(session: Future[None]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not session.done():
        with connection.cursor() as cursor:
            # Not pg_stat_activity: within a transaction that stays as it was when first looked at.
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    session.result(timeout=0)
    raise AssertionError("nobody waits for a lock")


def test_members_are_locked_ascending_whatever_the_sequence_of_their_orders(shop: Channel) -> None:
    """Guard: the order of the locks in ``crm.order_merge``; two imports that lock members criss-cross would each wait
    for the other. With the middle one of three held, the first must be locked by then and the last not yet."""
    first, middle, last = members = [MemberFactory(joined_at=NOON) for _ in range(3)]
    for member in members:
        Identity.objects.create(channel=shop, external_id=f"buyer {member.pk}", member=member)
    earlier = NOON - timedelta(days=1)
    orders = [
        row(f"order {member.pk}", buyer=BuyerRecord(f"buyer {member.pk}"), placed_at=earlier)
        for member in (last, middle, first)
    ]

    def import_them() -> None:
        try:
            record(shop, orders, at=NOON)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Member.objects.select_for_update(no_key=True).get(pk=middle.pk)
            done = pool.submit(import_them)
            wait_for_a_waiter(done)
            assert (is_free(first), is_free(last)) == (False, True)
        done.result(timeout=60)

    assert set(Member.objects.values_list("joined_at", flat=True)) == {earlier}
