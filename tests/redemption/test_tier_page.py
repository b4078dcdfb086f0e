"""What a buyer sees of his tier, and how he takes the one that he has reached."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from crm.models import Channel, Member, TierGrant, TierOffer
from tests.cast import NOON
from tests.crm.tiers.seller import Seller
from tests.crm.tiers.test_cards import begin
from tests.factories import MemberFactory, TierFactory
from tests.redemption.conftest import SignIn

Buy = Callable[..., None]


@pytest.fixture
def seller(shop: Channel) -> Seller:
    return Seller(shop)


@pytest.fixture
def buy(seller: Seller, xiaolu: Member) -> Buy:
    """``buy(680)``: 林小鹿 buys for 680 yuan; the order succeeded a day ago."""
    xiaolu.identities.update(external_id=xiaolu.name)

    def buy(amount: int, number: str = "1") -> None:
        seller.record(xiaolu, number, amount, NOON - timedelta(days=1))

    return buy


@pytest.fixture
def offer(seller: Seller, buy: Buy) -> TierOffer:
    """林小鹿 has reached VIP and may take it until 16 March."""
    begin(seller, taking="claim", restart="never", claim_days=7)
    buy(1200)
    return TierOffer.objects.get()


def test_the_points_page_says_what_is_held_and_how_far_the_next_tier_is(
    seller: Seller, buy: Buy, xiaolu: Member, sign_in: SignIn
) -> None:
    seller.begin("taobao", "2025-01-01")
    buy(680)

    page = sign_in(xiaolu).get("/").content.decode()

    assert "普通会员" in page
    assert "320 yuan or 4 orders more to 高级会员" in page
    assert "Any one of these is enough." in page
    assert "680 yuan of 1,000 yuan" in page
    assert "1 order of 5 orders" in page
    assert "As 高级会员 you pay 90% of the list price." in page


def test_a_tier_to_take_is_shown_with_its_last_day(offer: TierOffer, xiaolu: Member, sign_in: SignIn) -> None:
    page = sign_in(xiaolu).get("/").content.decode()

    assert "You have reached “VIP会员”" in page
    assert "Take it by March 16, 2026." in page
    assert 'href="/tier/"' in page


def test_before_he_takes_it_he_sees_what_it_is_for_and_until_when(
    offer: TierOffer, xiaolu: Member, sign_in: SignIn
) -> None:
    page = sign_in(xiaolu).get("/tier/").content.decode()

    assert "1,200 yuan of 1,000 yuan" in page
    assert "98% of the list price" in page
    assert "March 10, 2027" in page
    assert f'action="/tier/{offer.pk}/"' in page


def test_taking_it_makes_it_his_from_now_on(offer: TierOffer, xiaolu: Member, sign_in: SignIn, at: datetime) -> None:
    response = sign_in(xiaolu).post(f"/tier/{offer.pk}/", follow=True)

    page = response.content.decode()
    assert response.redirect_chain == [("/tier/", 302)]
    assert "The tier “VIP会员” is yours through March 10, 2027." in page
    assert "There is no tier to take at the moment." in page
    grant = TierGrant.objects.get()
    assert (grant.begins_at, grant.source, grant.tier.code) == (at, "claim", "vip")


def test_a_double_click_takes_it_once(offer: TierOffer, xiaolu: Member, sign_in: SignIn, at: datetime) -> None:
    client = sign_in(xiaolu)
    client.post(f"/tier/{offer.pk}/", follow=True)

    with time_machine.travel(at + timedelta(seconds=1), tick=False):
        page = client.post(f"/tier/{offer.pk}/", follow=True).content.decode()

    assert "You had taken this tier already; it counted once." in page
    assert TierGrant.objects.count() == 1


def test_a_page_that_was_open_too_long_says_that_the_time_is_over(
    offer: TierOffer, xiaolu: Member, sign_in: SignIn
) -> None:
    client = sign_in(xiaolu)

    with time_machine.travel(offer.until, tick=False):
        page = client.post(f"/tier/{offer.pk}/", follow=True).content.decode()

    assert "The time to take this tier is over." in page
    assert not TierGrant.objects.exists()


def test_what_was_sent_back_meanwhile_is_not_taken(
    offer: TierOffer, seller: Seller, xiaolu: Member, sign_in: SignIn
) -> None:
    client = sign_in(xiaolu)
    seller.gives_back(xiaolu, "1", 300, "2026-03-10")

    page = client.post(f"/tier/{offer.pk}/", follow=True).content.decode()

    assert "what is left is not enough for this tier any more" in page
    assert not TierGrant.objects.exists()


def test_nobody_takes_what_was_offered_to_another(offer: TierOffer, sign_in: SignIn) -> None:
    page = sign_in(MemberFactory()).post(f"/tier/{offer.pk}/", follow=True).content.decode()

    assert "There is no such tier to take." in page
    assert not TierGrant.objects.exists()


def test_looking_takes_nothing(offer: TierOffer, xiaolu: Member, sign_in: SignIn) -> None:
    assert sign_in(xiaolu).get(f"/tier/{offer.pk}/").status_code == 405


def test_a_stranger_signs_in_first(offer: TierOffer, sign_in: SignIn, xiaolu: Member) -> None:
    client = sign_in(xiaolu)
    client.logout()

    assert client.post(f"/tier/{offer.pk}/").status_code == 302
    assert not TierGrant.objects.exists()


def test_what_waits_for_a_review_day_names_it(seller: Seller, buy: Buy, xiaolu: Member, sign_in: SignIn) -> None:
    begin(seller, effect="review_day", restart="never")
    buy(1200)

    page = sign_in(xiaolu).get("/").content.decode()

    assert "It becomes yours on April 1, 2026, if you still meet it then." in page


def test_what_is_missing_to_keep_a_tier_is_said_with_its_last_day(
    seller: Seller, buy: Buy, xiaolu: Member, sign_in: SignIn
) -> None:
    seller.begin("vancl", "2025-01-01")
    buy(2000)

    page = sign_in(xiaolu).get("/").content.decode()

    assert "Yours through March 9, 2027." in page
    assert "To keep it after that: 1,000 yuan more." in page
    assert "2,500.01 yuan more to SVIP会员" in page


def test_a_shop_without_tiers_says_nothing_of_them(xiaolu: Member, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)

    assert "My tier" not in client.get("/").content.decode()
    assert "The shop has no tiers yet." in client.get("/tier/").content.decode()


def test_a_name_of_any_length_and_kind_is_shown_as_text(xiaolu: Member, sign_in: SignIn) -> None:
    TierFactory(rank=0, name="<b>至尊</b>" * 5)

    page = sign_in(xiaolu).get("/tier/").content.decode()

    assert "&lt;b&gt;至尊&lt;/b&gt;" in page
    assert "<b>至尊" not in page


def test_the_page_costs_seven_queries(
    offer: TierOffer, xiaolu: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(xiaolu)

    with django_assert_num_queries(7):
        client.get("/tier/")
