"""``audit_store``: stock, codes and points tell the same story as the redemptions, and a lie is named."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F

from crm.models import Member
from redemption.models import Redemption, Reward, RewardCode, Stock
from redemption.rewards.choices import RewardKind
from redemption.rewards.giving_back import cancel_own, take_back
from redemption.rewards.handling import ship
from redemption.rewards.proof import prove_store
from redemption.rewards.stocking import NotThatMany, change_stock
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.loyalty.tampering import without
from tests.redemption.rewards.conftest import Take, free, redemption_of


@pytest.fixture
def busy_store(xiaolu: Member, give_points: GivePoints, take: Take, keeper: int, at: datetime) -> Redemption:
    """Everything has happened: taken, sent, partly returned, partly cancelled, held, codes handed out."""
    give_points(xiaolu, 5000)
    cup = RewardFactory(points=100, stock=20)
    sent = redemption_of(take(xiaolu, cup, 3))
    ship(sent.pk, carrier="SF", tracking_number="1", actor_id=keeper, at=at)
    take_back(sent.pk, 2, seen=0, restock=True, actor_id=keeper, reason="Broken", at=at)
    part = redemption_of(take(xiaolu, cup, 3))
    cancel_own(part.pk, 1, seen=0, member_id=xiaolu.pk, actor_id=None, at=at)
    take(xiaolu, RewardFactory(points=100, cash=Decimal("5.00")), 2)
    card = RewardFactory(kind=RewardKind.DIGITAL, counted=False)
    RewardCode.objects.create(reward=card, code="AAAA", added_at=at)
    take(xiaolu, card)
    change_stock(cup.pk, 10, safety=4, reason="A delivery", actor_id=keeper, at=at)
    return part


def faults() -> list[tuple[str, int]]:
    return [(fault.proof, fault.id) for fault in prove_store().faults]


def test_what_happened_by_the_rules_adds_up(busy_store: Redemption) -> None:
    report = prove_store()

    assert report.ok
    assert (report.rewards, report.redemptions) == (3, 4)


def test_a_stock_that_somebody_raised_is_named(busy_store: Redemption) -> None:
    Stock.objects.filter(reward=busy_store.reward_id).update(free=F("free") + 1)

    assert faults() == [("stock", busy_store.reward_id)]


def test_points_that_were_given_back_and_not_cancelled_are_named(busy_store: Redemption) -> None:
    with without(Redemption, "redemption_follows_its_life"):
        Redemption.objects.filter(pk=busy_store.pk).update(cancelled=0)

    assert ("points", busy_store.pk) in faults()


def test_a_code_that_somebody_took_back_is_named(busy_store: Redemption) -> None:
    redemption = RewardCode.objects.get().redemption
    RewardCode.objects.update(redemption=None)

    assert redemption is not None
    assert faults() == [("codes", redemption.pk)]


def test_the_safety_stock_leaves_what_can_be_redeemed(keeper: int, at: datetime) -> None:
    cup: Reward = RewardFactory(stock=10)

    stock = change_stock(cup.pk, 0, safety=4, reason="Keep some", actor_id=keeper, at=at)

    assert (stock.free, stock.safety) == (6, 4)
    with pytest.raises(NotThatMany):
        change_stock(cup.pk, -7, reason="Broken", actor_id=keeper, at=at)
    assert (free(cup), prove_store().ok) == (6, True)


@pytest.mark.django_db(transaction=True)
class TestCommand:
    def test_prints_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("audit_store")

        assert self.printed(capsys)["ok"] is True

    def test_exits_with_one_when_something_does_not_add_up(self, capsys: pytest.CaptureFixture[str]) -> None:
        cup = RewardFactory()
        Stock.objects.update(free=7)

        with pytest.raises(SystemExit, match="1"):
            call_command("audit_store")

        assert self.printed(capsys)["faults"] == [{"proof": "stock", "id": cup.pk, "found": [7, 100]}]

    def printed(self, capsys: pytest.CaptureFixture[str]) -> Any:
        return json.loads(capsys.readouterr().out)
