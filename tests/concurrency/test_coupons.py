"""Sixteen sessions at once, each with its own connection and real commits.

The race is made to happen, not hoped for: a gate in the journal's draw function holds every session between looking at
the points and taking them, until all sixteen stand still. The control runs the very same race with one thing changed,
the lock on the account cut out of the function's own text, and shows what the lock is for.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, connections
from django.db.models import Sum

from crm.models import Member
from loyalty.models import Account, Entry, Lot
from redemption import desk
from redemption.checkout import redeem_coupon
from redemption.coupons.refusals import NotEnoughPoints
from redemption.models import Coupon, CouponPlan
from redemption.tokens import Wish, new_token
from tests.cast import GivePoints
from tests.factories import CouponPlanFactory, StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = 16
GATE = 4711  # An advisory lock: while the test holds it, the draw function waits before it takes the points.
TAKING = "    INSERT INTO loyalty_entry ("
ACCOUNT_LOCK = " WHERE a.member_id = posting.account_id FOR NO KEY UPDATE;"
LAST_RESORT = {
    "loyalty_lot": "loyalty_lot_remaining_in_range",
    "loyalty_entry": "loyalty_entry_sound",
}


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def remake(name: str, old: str, new: str) -> None:
    """Make one of the journal's functions again, as it is but for one change."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [name])
        [function] = cursor.fetchone()
    assert function.count(old) == 1, "the journal has changed: set this race up anew"
    execute(function.replace(old, new))


def take_away_the_lock() -> None:
    remake("loyalty_draw_one", ACCOUNT_LOCK, ";")


def at_once(act: Callable[[int], str], meanwhile: Callable[[], None] = lambda: None) -> Counter[str]:
    """Let sixteen sessions act at the same moment; count their answers."""
    start = Barrier(SESSIONS + 1)

    def session(number: int) -> str:
        try:
            start.wait(timeout=30)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(SESSIONS) as pool:
        sessions = [pool.submit(session, number) for number in range(SESSIONS)]
        start.wait(timeout=30)
        meanwhile()
        return Counter(done.result(timeout=60) for done in sessions)


@pytest.fixture
def open_gate(transactional_db: None) -> Iterator[Callable[[], None]]:
    """Close the gate. The fixture's value opens it when all sessions stand still: at the gate, or at the lock."""
    remake("loyalty_draw_lots", TAKING, f"    PERFORM pg_advisory_xact_lock_shared({GATE});\n{TAKING}")
    execute(f"SELECT pg_advisory_lock({GATE})")

    def open_when_all_wait() -> None:
        deadline = time.monotonic() + 30
        waiting = 0
        while waiting < SESSIONS and time.monotonic() < deadline:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                [waiting] = cursor.fetchone()
        execute(f"SELECT pg_advisory_unlock({GATE})")
        assert waiting == SESSIONS

    yield open_when_all_wait
    execute("SELECT pg_advisory_unlock_all()")


@pytest.fixture
def plan(transactional_db: None) -> CouponPlan:
    """Coupons of five yuan, for fifty points."""
    return CouponPlanFactory(name="Shop coupon", denominations=(5,))


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    """林小鹿 with 170 points: enough for three coupons, not for four."""
    give_points(xiaolu, 170)
    return xiaolu


@pytest.fixture
def redeem(rich: Member, plan: CouponPlan, at: datetime) -> Callable[[int], str]:
    """What one session does: it sends a wish of its own, and tells how that went."""
    tokens = [Wish(rich.pk, plan.pk, 5, 50, False, number, at).token() for number in range(SESSIONS)]

    def redeem(session: int) -> str:
        try:
            redeem_coupon(rich.pk, plan.pk, 5, token=tokens[session], at=at)
        except NotEnoughPoints:
            return "refused"
        except IntegrityError:
            return "broken"
        return "coupon"

    return redeem


def balance_of(member: Member) -> int:
    return Account.objects.get(pk=member.pk).balance


def test_the_last_points_buy_exactly_what_the_balance_allows(rich: Member, redeem: Callable[[int], str]) -> None:
    answers = at_once(redeem)

    assert answers == {"coupon": 3, "refused": 13}
    assert Coupon.objects.count() == 3
    assert balance_of(rich) == 20
    assert Entry.objects.aggregate(sum=Sum("points"))["sum"] == Lot.objects.aggregate(sum=Sum("remaining"))["sum"] == 20


def test_with_everybody_in_the_doorway_the_lock_still_lets_in_one_by_one(
    rich: Member, redeem: Callable[[int], str], open_gate: Callable[[], None]
) -> None:
    answers = at_once(redeem, meanwhile=open_gate)

    assert answers == {"coupon": 3, "refused": 13}
    assert balance_of(rich) == 20


def test_control_without_the_lock_all_sixteen_spend_the_same_points(
    rich: Member, redeem: Callable[[int], str], open_gate: Callable[[], None]
) -> None:
    take_away_the_lock()
    for table, constraint in LAST_RESORT.items():
        execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")

    answers = at_once(redeem, meanwhile=open_gate)

    assert answers == {"coupon": 16}
    assert balance_of(rich) == 170 - 16 * 50


def test_without_the_lock_the_tables_themselves_refuse_to_overspend(
    rich: Member, redeem: Callable[[int], str], open_gate: Callable[[], None]
) -> None:
    take_away_the_lock()

    answers = at_once(redeem, meanwhile=open_gate)

    assert answers == {"coupon": 3, "broken": 13}
    assert balance_of(rich) == 20


def test_one_form_sent_by_sixteen_sessions_is_one_coupon(rich: Member, plan: CouponPlan, at: datetime) -> None:
    token = new_token(rich.pk, plan.pk, 5, 50, at=at)

    answers = at_once(lambda _session: redeem_coupon(rich.pk, plan.pk, 5, token=token, at=at).code)

    assert list(answers.values()) == [16]
    assert balance_of(rich) == 120


def test_one_coupon_shown_at_sixteen_desks_is_used_once(rich: Member, plan: CouponPlan, at: datetime) -> None:
    clerk = StaffFactory(username="clerk")
    coupon = redeem_coupon(rich.pk, plan.pk, 5, token=new_token(rich.pk, plan.pk, 5, 50, at=at), at=at)

    answers = at_once(lambda _session: desk.use(coupon.code, actor_id=clerk.pk, at=at).outcome.value)

    assert answers == {"used": 1, "already_used": 15}
