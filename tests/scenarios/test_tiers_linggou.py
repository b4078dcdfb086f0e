"""The preset ``linggou`` over two years: points earned within a year are enough for a tier, the buyer takes it himself,
and what is not met or not taken again in time falls by one."""

import pytest

from crm.choices import OfferState
from crm.models import Channel, Member, TierOffer
from crm.tiers.claims import ClaimRefusal, ClaimRefused, claim_tier
from tests.cast import SHANGHAI
from tests.crm.tiers.seller import Seller, held, history, noon
from tests.loyalty.rulesets import SPEND, publish_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(shop: Channel) -> Seller:
    """Every yuan earns a point."""
    publish_rules(SPEND, since=noon("2023-01-01"))
    seller = Seller(shop)
    seller.begin("linggou", "2024-01-01")
    return seller


@pytest.fixture
def buyer(seller: Seller) -> Member:
    return seller.member("buyer")


def claims(member: Member, day: str) -> None:
    """The member takes what he is offered."""
    claim_tier(member.pk, TierOffer.objects.get(member=member, state=OfferState.OPEN).pk, at=noon(day))


def offers(member: Member) -> list[tuple[str, str, str, str]]:
    """What he was offered: the tier, why, what became of it, and the last instant's day."""
    rows = TierOffer.objects.filter(member=member).select_related("tier").order_by("pk")
    return [(o.tier.code, o.kind, o.state, f"{o.until.astimezone(SHANGHAI):%Y-%m-%d}") for o in rows]


@pytest.mark.parametrize(
    ("yuan", "tier"), [(499, None), (500, "senior"), (1999, "senior"), (2000, "vip"), (5000, "supreme")]
)
def test_points_that_were_earned_offer_a_tier_and_give_none(
    seller: Seller, buyer: Member, yuan: int, tier: str | None
) -> None:
    seller.buys(buyer, yuan, "2024-02-10")

    assert offers(buyer) == ([(tier, "up", "open", "2024-03-12")] if tier else [])
    assert held(buyer, "2024-02-11") == "base"


def test_a_claim_counts_from_its_moment_and_for_a_year(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 2000, "2024-02-10")
    claims(buyer, "2024-02-20")

    assert held(buyer, "2024-02-20") == "vip"
    assert held(buyer, "2025-02-20") == "vip"
    assert held(buyer, "2025-02-21") == "base"


def test_what_is_not_taken_in_time_is_gone_until_something_new_is_earned(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 2000, "2024-02-10")
    seller.night("2024-03-12")
    with pytest.raises(ClaimRefused) as refused:
        claim_tier(buyer.pk, TierOffer.objects.get().pk, at=noon("2024-03-12"))
    assert refused.value.reason is ClaimRefusal.TOO_LATE
    seller.night("2024-05-01")

    assert offers(buyer) == [("vip", "up", "lapsed", "2024-03-12")]
    seller.buys(buyer, 1, "2024-05-10")

    assert offers(buyer)[1:] == [("vip", "up", "open", "2024-06-10")]


def test_met_and_taken_again_it_is_held_without_a_gap(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 2000, "2024-02-10")
    claims(buyer, "2024-02-20")
    seller.buys(buyer, 2000, "2024-10-10")
    seller.night("2025-01-20")
    assert offers(buyer)[1:] == []
    seller.night("2025-01-23")

    assert offers(buyer)[1:] == [("vip", "renewal", "open", "2025-02-21")]
    claims(buyer, "2025-02-01")
    seller.night("2025-02-21")

    assert history(buyer) == [("2024-02-20", "up", "vip"), ("2025-02-01", "renewed", "vip")]
    assert held(buyer, "2026-02-20") == "vip"


def test_met_but_not_taken_again_it_falls_by_one(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 2000, "2024-02-10")
    claims(buyer, "2024-02-20")
    seller.buys(buyer, 2000, "2024-10-10")
    seller.night("2025-01-23")
    seller.night("2025-02-21")

    assert offers(buyer)[1][:3] in {("vip", "renewal", "lapsed"), ("vip", "renewal", "replaced")}
    assert history(buyer) == [("2024-02-20", "up", "vip"), ("2025-02-21", "down", "senior")]


def test_not_met_any_more_it_falls_by_one_each_year(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 5000, "2024-01-20")
    claims(buyer, "2024-02-19")
    seller.night("2025-01-25")
    seller.night("2025-02-20")
    seller.night("2026-02-20")

    assert offers(buyer)[1:] == []
    assert history(buyer) == [
        ("2024-02-19", "up", "supreme"), ("2025-02-20", "down", "vip"), ("2026-02-20", "down", "senior"),
    ]  # fmt: skip


def test_a_higher_tier_can_be_taken_while_another_is_held(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 600, "2024-02-10")
    claims(buyer, "2024-02-20")
    seller.buys(buyer, 1500, "2024-06-10")
    claims(buyer, "2024-06-12")

    assert history(buyer) == [("2024-02-20", "up", "senior"), ("2024-06-12", "up", "vip")]
    assert held(buyer, "2025-06-12") == "vip"


def test_spending_points_takes_no_tier_away(seller: Seller, buyer: Member) -> None:
    from loyalty import api as loyalty

    seller.buys(buyer, 2000, "2024-02-10")
    loyalty.burn(buyer.pk, 1900, key="spent", at=noon("2024-02-11"))
    seller.night("2024-02-12")

    assert offers(buyer)[0][2] == "open"
    claims(buyer, "2024-02-20")


def test_what_was_sent_back_is_offered_no_more(seller: Seller, buyer: Member) -> None:
    number = seller.buys(buyer, 2000, "2024-02-10")
    seller.gives_back(buyer, number, 1, "2024-02-15")
    seller.night("2024-02-16")

    assert ("vip", "up", "withdrawn", "2024-03-12") in offers(buyer)
    assert offers(buyer)[-1][:3] == ("senior", "up", "open")
