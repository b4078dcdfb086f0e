"""An erasure that meets a checkout, an import, or another erasure, each with a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from crm.models import Channel, Identity, Member, Order, StaffAction
from crm.orders import record
from crm.personal.erasing import EraseRefused, erase_member
from crm.personal.registry import Erasure
from loyalty import api as loyalty
from redemption.checkout import redeem_coupon
from redemption.choices import CouponState
from redemption.models import Coupon, CouponPlan
from redemption.refusals import Refused
from redemption.tokens import new_token
from tests.cast import GivePoints
from tests.crm.reports import COMPLETED, XIAOLU, row
from tests.factories import CouponPlanFactory, StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Do all of them at the same moment, each on a connection of its own; say what became of each."""
    ready = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> str:
        try:
            ready.wait(PATIENCE)
            act()
        except (EraseRefused, Refused, loyalty.InsufficientPoints) as refusal:
            return type(refusal).__name__
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return [answer.result(PATIENCE) for answer in [pool.submit(run, act) for act in acts]]


@pytest.fixture
def plan(transactional_db: None) -> CouponPlan:
    return CouponPlanFactory(denominations=(5, 10))


@pytest.fixture
def erase(xiaolu: Member, at: datetime) -> Callable[[], Any]:
    clerk = StaffFactory().pk
    return lambda: erase_member(Erasure(xiaolu.pk, at, actor_id=clerk, reason="She asked"))


def test_nothing_is_left_to_spend_whoever_was_first(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, erase: Callable[[], Any], at: datetime
) -> None:
    give_points(xiaolu, 1000)
    tokens = [(yuan, new_token(xiaolu.pk, plan.pk, yuan, yuan * 10, at=at)) for yuan in (5, 10)]

    def buy(yuan: int, token: str) -> Callable[[], Any]:
        return lambda: redeem_coupon(xiaolu.pk, plan.pk, yuan, token=token, at=at)

    answers = at_once(erase, *(buy(yuan, token) for yuan, token in tokens), *(buy(*tokens[0]) for _ in range(3)))

    assert answers[0] == "done"
    assert loyalty.summary(xiaolu.pk, at).balance == 0
    assert not Coupon.objects.filter(member=xiaolu, state=CouponState.ISSUED).exists()
    assert loyalty.audit().ok


def test_an_import_brings_nothing_back_and_loses_no_buyer(
    xiaolu: Member, shop: Channel, erase: Callable[[], Any], at: datetime
) -> None:
    raw = {"收货地址": "杭州市龙井路 1 号"}
    record(shop, [row("A-1", raw=raw)], at=at)
    again = [row("A-1", raw=raw, status=COMPLETED), *(row(f"N-{number}", raw=raw) for number in range(200))]

    answers = at_once(erase, lambda: record(shop, again, at=at + timedelta(minutes=1)))

    assert answers == ["done", "done"]
    xiaolu.refresh_from_db()
    assert all(order.raw == {} for order in Order.objects.filter(member=xiaolu))
    assert not Order.objects.filter(member=None).exists()
    assert not Identity.objects.filter(member=xiaolu, external_id=XIAOLU.external_id).exists()


def test_of_two_erasures_one_is_done(xiaolu: Member, erase: Callable[[], Any]) -> None:
    assert sorted(at_once(erase, erase)) == ["EraseRefused", "done"]
    assert StaffAction.objects.filter(action="member.erase").count() == 1
