"""What a member sees of his tier, from the database."""

from datetime import datetime
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from crm.choices import Climb, Effect, Restart, Taking
from crm.models import Channel, TierOffer
from crm.tiers.cards import TierCard, tier_card
from crm.tiers.claims import claim_tier
from crm.tiers.granting import grant_tier
from crm.tiers.presets import load_scheme_preset
from crm.tiers.progress import Waits, Way
from crm.tiers.schemebook import publish, save_draft
from tests.cast import SHANGHAI
from tests.crm.tiers.seller import Seller, noon

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(shop: Channel) -> Seller:
    return Seller(shop)


def missing(way: Way | None) -> list[tuple[str, str]]:
    assert way is not None
    return [(line.metric.code, str(line.missing)) for line in way.missing]


def name(card: TierCard, which: str) -> str:
    found = getattr(card, which)
    return str(found.code) if found else ""


def day(instant: datetime | None) -> str:
    assert instant is not None
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%d}"


def test_a_shop_without_tiers_shows_nothing(seller: Seller, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    buyer = seller.member("buyer")

    with django_assert_num_queries(1):
        assert tier_card(buyer.pk, noon("2025-03-10")) == TierCard(())


def test_without_a_scheme_a_member_sees_what_he_holds_and_no_way(seller: Seller) -> None:
    buyer = seller.member("buyer")
    load_scheme_preset("vancl", at=noon("2025-01-01"), actor_id=None)
    grant_tier(buyer.pk, "vip", at=noon("2025-03-01"), until=noon("2025-06-01"), actor_id=None, reason="A friend")

    card = tier_card(buyer.pk, noon("2025-03-10"))

    assert (name(card, "tier"), card.by_hand, card.ends_at) == ("vip", True, noon("2025-06-01"))
    assert (card.next_tier, card.way, card.keep) == (None, None, None)
    assert [each.code for each in card.ladder] == ["base", "vip", "svip"]


@pytest.mark.parametrize("orders", [1, 4])
def test_the_way_is_counted_from_the_orders_in_five_queries(
    orders: int, seller: Seller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    seller.begin("taobao", "2025-01-01")
    buyer = seller.member("buyer")
    for number in range(orders):
        seller.buys(buyer, 170, f"2025-02-{number + 1:02}")

    with django_assert_num_queries(5):
        card = tier_card(buyer.pk, noon("2025-03-10"))

    assert (name(card, "tier"), name(card, "next_tier")) == ("base", "senior")
    assert missing(card.way) == [("spend", f"{1000 - 170 * orders}.00"), ("order_count", str(5 - orders))]


def test_what_was_counted_before_a_tier_began_counts_no_more_where_counters_begin_anew(seller: Seller) -> None:
    seller.begin("vancl", "2024-01-01")
    buyer = seller.member("buyer")
    seller.buys(buyer, 2400, "2024-02-10")
    seller.buys(buyer, 300, "2024-03-10")

    card = tier_card(buyer.pk, noon("2024-04-01"))

    assert (name(card, "tier"), name(card, "next_tier")) == ("vip", "svip")
    assert missing(card.way) == [("spend", "2200.01")]
    assert missing(card.keep) == [("spend", "700.00")]
    assert day(card.ends_at) == "2025-02-11"


def test_an_offer_is_shown_with_what_it_was_made_for_until_its_last_moment(seller: Seller) -> None:
    begin_claims(seller)
    buyer = seller.member("buyer")
    seller.buys(buyer, 1200, "2025-02-10")

    card = tier_card(buyer.pk, noon("2025-02-11"))

    assert card.claimable is not None
    assert (card.claimable.tier.code, card.claimable.renewal) == ("vip", False)
    assert [(line.figure, line.asked) for line in card.claimable.way.lines] == [(Decimal(1200), Decimal(1000))]
    assert day(card.claimable.ends_at) == "2026-02-12"
    assert (card.reached, name(card, "next_tier")) == (None, "svip")
    assert tier_card(buyer.pk, card.claimable.until).claimable is None


def test_what_was_not_taken_in_time_waits_for_something_new(seller: Seller) -> None:
    begin_claims(seller)
    buyer = seller.member("buyer")
    seller.buys(buyer, 1200, "2025-02-10")
    seller.night("2025-03-20")

    card = tier_card(buyer.pk, noon("2025-03-20"))

    assert (name(card, "reached"), card.waits) == ("vip", Waits.MORE)

    seller.buys(buyer, 1, "2025-03-21")
    assert tier_card(buyer.pk, noon("2025-03-21")).claimable is not None


def test_a_claimed_tier_is_held(seller: Seller) -> None:
    begin_claims(seller)
    buyer = seller.member("buyer")
    seller.buys(buyer, 1200, "2025-02-10")
    claim_tier(buyer.pk, TierOffer.objects.get().pk, at=noon("2025-02-11"))

    card = tier_card(buyer.pk, noon("2025-02-12"))

    assert (name(card, "tier"), card.claimable) == ("vip", None)
    assert card.keep is not None
    assert card.keep.met


def test_what_takes_effect_on_a_review_day_names_the_day(seller: Seller) -> None:
    begin(seller, effect=Effect.REVIEW_DAY, restart=Restart.NEVER)
    buyer = seller.member("buyer")
    seller.buys(buyer, 1200, "2025-02-10")

    card = tier_card(buyer.pk, noon("2025-02-11"))

    assert (name(card, "tier"), name(card, "reached"), card.waits) == ("base", "vip", Waits.DAY)
    assert day(card.review_at) == "2025-04-01"


def begin_claims(seller: Seller) -> None:
    begin(seller, taking=Taking.CLAIM, restart=Restart.NEVER, climb=Climb.ANY)


def begin(seller: Seller, **settings: object) -> None:
    """A year of VIP for 1000 yuan, of SVIP for 3000."""
    at = noon("2025-01-01")
    draft = load_scheme_preset("vancl", at=at, actor_id=None).draft
    rungs = [
        {"tier": code, "reach": [{"metric": "spend", "at_least": figure}]}
        for code, figure in (("vip", "1000"), ("svip", "3000"))
    ]
    save_draft(draft.pk, settings, rungs)
    publish(draft.pk, effective_from=at, at=at, actor_id=None, reason="A story")
