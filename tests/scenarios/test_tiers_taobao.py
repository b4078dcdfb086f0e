"""The preset ``taobao`` over two years: spend or count, by the system, with each successful order and never between."""

from collections.abc import Sequence
from typing import Any

import pytest

from crm.choices import RefundPolicy
from crm.models import Channel, Member
from crm.tiers.granting import grant_tier
from crm.tiers.schemebook import draft_of, publish, save_draft
from tests.crm.tiers.seller import Seller, held, history, noon

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(shop: Channel) -> Seller:
    seller = Seller(shop)
    seller.begin("taobao", "2024-01-01")
    return seller


@pytest.fixture
def buyer(seller: Seller) -> Member:
    return seller.member("buyer")


def change(day: str, thresholds: Sequence[tuple[str, int, int]] = (), **settings: Any) -> None:
    """Publish the scheme of before with other thresholds (tier, yuan, orders) or settings."""
    draft = draft_of(1, at=noon(day), actor_id=None)
    rungs: list[dict[str, Any]] = [
        {
            "tier": tier, "reach_any": True,
            "reach": [{"metric": "spend", "at_least": str(yuan)}, {"metric": "order_count", "at_least": str(orders)}],
        }
        for tier, yuan, orders in thresholds or (("senior", 1000, 5), ("vip", 5000, 20), ("supreme", 20000, 50))
    ]  # fmt: skip
    save_draft(draft.pk, settings, rungs)
    publish(draft.pk, effective_from=noon(day), at=noon(day), actor_id=None, reason="Other thresholds")


@pytest.mark.parametrize(("amount", "tier"), [("999.99", "base"), ("1000", "senior"), ("4999.99", "senior"),
                                              ("5000", "vip"), ("20000", "supreme")])  # fmt: skip
def test_what_was_ever_spent_makes_a_tier(seller: Seller, buyer: Member, amount: str, tier: str) -> None:
    seller.buys(buyer, amount, "2024-02-10")

    assert held(buyer, "2024-02-11") == tier


@pytest.mark.parametrize(("orders", "tier"), [(4, "base"), (5, "senior"), (19, "senior"), (20, "vip")])
def test_or_the_number_of_orders(seller: Seller, buyer: Member, orders: int, tier: str) -> None:
    for number in range(orders):
        seller.buys(buyer, 10, f"2024-02-{number + 1:02}")

    assert held(buyer, "2024-03-01") == tier


def test_lower_thresholds_touch_nobody_until_his_next_success(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 600, "2024-02-10")
    change("2024-03-01", [("senior", 500, 5), ("vip", 5000, 20), ("supreme", 20000, 50)])
    for night in ("2024-03-02", "2024-09-01", "2025-03-01"):
        seller.night(night)

    assert held(buyer, "2025-03-01") == "base"
    seller.buys(buyer, 1, "2025-03-10")

    assert history(buyer) == [("2025-03-10", "up", "senior")]


def test_higher_thresholds_touch_nobody_until_his_next_success(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 1200, "2024-02-10")
    change("2024-03-01", [("senior", 2000, 9), ("vip", 5000, 20), ("supreme", 20000, 50)])
    for night in ("2024-03-02", "2025-03-01", "2026-01-01"):
        seller.night(night)

    assert held(buyer, "2026-01-01") == "senior"
    seller.buys(buyer, 1, "2026-01-10")

    assert history(buyer) == [("2024-02-10", "up", "senior"), ("2026-01-10", "down", "base")]


def test_by_a_tier_of_the_old_thresholds_he_keeps_what_the_new_ones_still_give(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 6000, "2024-02-10")
    change("2024-03-01", [("senior", 2000, 9), ("vip", 8000, 20), ("supreme", 30000, 50)])
    seller.buys(buyer, 1, "2025-05-10")

    assert history(buyer) == [("2024-02-10", "up", "vip"), ("2025-05-10", "down", "senior")]


def test_two_years_without_an_order_take_nothing_away(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 1200, "2024-01-10")
    for night in ("2024-07-01", "2025-01-01", "2025-07-01", "2026-01-01"):
        assert not seller.night(night)

    assert held(buyer, "2026-01-01") == "senior"


def test_a_change_by_hand_is_allowed_and_the_rules_only_raise_it(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 1200, "2024-02-10")
    grant_tier(buyer.pk, "vip", at=noon("2024-03-01"), until=noon("2025-03-01"), actor_id=None, reason="A good friend")
    seller.buys(buyer, 1, "2024-04-10")
    assert held(buyer, "2024-04-11") == "vip"

    seller.buys(buyer, 19000, "2024-05-10")

    assert held(buyer, "2024-05-11") == "supreme"


def test_after_its_end_the_tier_comes_back_that_it_replaced(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 1200, "2024-02-10")
    grant_tier(buyer.pk, "vip", at=noon("2024-03-01"), until=noon("2025-03-01"), actor_id=None, reason="A good friend")
    seller.night("2025-03-02")

    assert history(buyer) == [
        ("2024-02-10", "up", "senior"), ("2024-03-01", "", "vip"), ("2025-03-01", "resumed", "senior"),
    ]  # fmt: skip


class TestRefundThatUndoesIt:
    def test_by_the_policy_keep_the_tier_stays_until_the_next_success(self, seller: Seller, buyer: Member) -> None:
        number = seller.buys(buyer, 1000, "2024-02-10")
        seller.gives_back(buyer, number, 300, "2024-02-20")
        seller.night("2024-02-21")
        assert held(buyer, "2024-02-21") == "senior"

        seller.buys(buyer, 100, "2024-06-10")

        assert history(buyer) == [("2024-02-10", "up", "senior"), ("2024-06-10", "down", "base")]

    def test_by_the_policy_take_back_it_goes_with_the_refund(self, seller: Seller, buyer: Member) -> None:
        change("2024-01-02", on_refund=RefundPolicy.TAKE_BACK)
        number = seller.buys(buyer, 6000, "2024-02-10")
        seller.gives_back(buyer, number, 3000, "2024-02-20")
        seller.night("2024-02-21")

        assert history(buyer) == [("2024-02-10", "up", "vip"), ("2024-02-20", "taken_back", "senior")]

    def test_a_refund_that_undoes_nothing_takes_nothing(self, seller: Seller, buyer: Member) -> None:
        change("2024-01-02", on_refund=RefundPolicy.TAKE_BACK)
        number = seller.buys(buyer, 1200, "2024-02-10")
        seller.gives_back(buyer, number, 200, "2024-02-20")
        seller.night("2024-02-21")

        assert history(buyer) == [("2024-02-10", "up", "senior")]
