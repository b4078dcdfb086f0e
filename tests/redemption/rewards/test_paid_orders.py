"""An imported order pays the cash of a redemption whose number the buyer wrote into it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Member, Order
from crm.orders import record
from redemption.models import Payment, Redemption
from redemption.rewards.paid_orders import numbers_in
from redemption.rewards.payment import apply_waiting
from redemption.rewards.payment_calls import why_it_waits
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.rewards.conftest import Take, redemption_of, spendable


@pytest.fixture
def waiting(xiaolu: Member, give_points: GivePoints, take: Take) -> Redemption:
    """小鹿 wants a pot for 300 points and 19.90 yuan."""
    give_points(xiaolu, 300)
    return redemption_of(take(xiaolu, RewardFactory(points=300, cash=Decimal("19.90"))))


def ordered(shop: Channel, at: datetime, *, remark: str = "", title: str = "", **rest: Any) -> None:
    facts: dict[str, Any] = {
        "buyer": "小鹿爱喝茶",
        "paid": "19.90",
        "status": OrderStatus.PAID,
        "number": "1001",
    } | rest
    order = OrderRecord(
        external_no=facts["number"], line_no=2, status=facts["status"],
        buyer=BuyerRecord(facts["buyer"]), paid=Decimal(facts["paid"]), placed_at=at, paid_at=at, title=title,
        raw={"买家留言": remark} if remark else {},
    )  # fmt: skip
    record(shop, [order], at=at)


def state(redemption: Redemption) -> str:
    return str(Redemption.objects.get(pk=redemption.pk).state)


@pytest.mark.parametrize("where", ["remark", "title"])
def test_the_number_in_a_remark_or_the_title_is_enough(
    shop: Channel, waiting: Redemption, at: datetime, where: str
) -> None:
    ordered(shop, at, **{where: f"换购 {waiting.number.lower()}，谢谢"})

    assert apply_waiting(at=at) == 1

    payment = Payment.objects.get()
    assert (state(waiting), payment.how, payment.order) == ("confirmed", "order", Order.objects.get())
    # The order earns its points itself, so there is none of the shop's own.
    assert Order.objects.count() == 1


def test_importing_it_again_pays_nothing_twice(shop: Channel, waiting: Redemption, at: datetime) -> None:
    for status in (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.COMPLETED):
        ordered(shop, at, remark=waiting.number, status=status)
        apply_waiting(at=at)

    assert Payment.objects.count() == 1
    assert spendable(waiting.member, at) == 19


@pytest.mark.parametrize(
    "other",
    [
        {"buyer": "dayong_w"},  # Somebody else's order.
        {"status": OrderStatus.PLACED},  # Not paid yet.
        {"status": OrderStatus.CLOSED},
    ],
)
def test_other_orders_pay_nothing(
    shop: Channel, waiting: Redemption, dayong: Member, at: datetime, other: dict[str, Any]
) -> None:
    ordered(shop, at, remark=waiting.number, **other)

    assert not Payment.objects.exists()


def test_too_small_an_order_waits_for_a_person(shop: Channel, waiting: Redemption, at: datetime) -> None:
    ordered(shop, at, remark=waiting.number, paid="19.89")

    assert apply_waiting(at=at) == 0
    assert (state(waiting), Payment.objects.get().settled_at) == ("awaiting", None)


def test_an_order_after_the_deadline_is_kept_for_a_person(shop: Channel, waiting: Redemption, at: datetime) -> None:
    from redemption.rewards.lapsing import lapse_unpaid

    lapse_unpaid(at + timedelta(days=3))
    ordered(shop, at, remark=waiting.number)
    ordered(shop, at, remark=waiting.number)

    payment = Payment.objects.get()
    assert (payment.redemption, payment.applied, why_it_waits(payment)) == (waiting, False, "not_waiting")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("JF79927398713", [7992739871]),
        ("请尽快发货 jf18，JF26!", [1, 2]),
        ("JF19 JF1 JFX XJF JF", []),  # Wrong check digits, or no number at all.
        ("", []),
    ],
)
def test_numbers_are_known_by_their_check_digit(text: str, ids: list[int]) -> None:
    assert numbers_in(text) == ids
