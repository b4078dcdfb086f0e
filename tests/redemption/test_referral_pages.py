"""Recommending the shop: the promoter's page, and what happens to a visitor who comes through a link."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client

from crm.models import Channel, Member
from loyalty import api as loyalty
from loyalty.models import Referral, ReferralLink, ReferralVisit
from tests.factories import MemberFactory, OrderFactory, ProductFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.redemption.conftest import SignIn


@pytest.fixture
def rewarded(db: None, at: datetime) -> None:
    """Five percent of a new buyer's first order, a point for each yuan of it."""
    publish_rules(SPEND, rule("referral", {"percent": "5"}), since=at - timedelta(days=30))


@pytest.fixture
def link(xiaolu: Member, shop: Channel, rewarded: None, at: datetime) -> str:
    """Where 林小鹿's link to the tea shop leads."""
    token = loyalty.make_link(xiaolu.pk, shop.pk, None, at).token
    return f"/r/{token}/"


def browser() -> Client:
    return Client(headers={"accept-language": "en"})


def signed_in(client: Client, member: Member, sign_in: SignIn) -> Client:
    """Let a member sign in on the device of a browser that has been here before."""
    sign_in(member)
    client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")  # type: ignore[arg-type]
    return client


class TestThePromoter:
    def test_at_first_there_is_no_link_but_a_shop_to_make_one_for(
        self, xiaolu: Member, rewarded: None, sign_in: SignIn
    ) -> None:
        client = sign_in(xiaolu)

        assert 'href="/referral/"' in client.get("/").content.decode()
        page = client.get("/referral/").content.decode()
        assert "You have no link yet." in page
        assert "山间茶铺" in page

    def test_a_new_link_comes_with_its_address_and_a_picture_for_cameras(
        self, xiaolu: Member, shop: Channel, rewarded: None, sign_in: SignIn
    ) -> None:
        page = sign_in(xiaolu).post("/referral/link/", {"shop": shop.pk}, follow=True).content.decode()

        link = ReferralLink.objects.get()
        assert f"http://testserver/r/{link.token}/" in page
        assert 'src="data:image/svg+xml' in page

    def test_a_product_is_found_by_its_title(
        self, xiaolu: Member, shop: Channel, rewarded: None, sign_in: SignIn
    ) -> None:
        tea = ProductFactory(channel=shop, title="明前龙井 250g")
        client = sign_in(xiaolu)

        assert "明前龙井 250g" in client.get("/referral/", {"q": "龙井"}).content.decode()
        client.post("/referral/link/", {"shop": shop.pk, "product": tea.pk})
        assert ReferralLink.objects.get().product == tea
        assert "Nothing found" in client.get("/referral/", {"q": "咖啡"}).content.decode()

    @pytest.mark.parametrize("number", ["", "0", "x", "9" * 30, "-1"])
    def test_nonsense_makes_no_link(self, number: str, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        assert sign_in(xiaolu).post("/referral/link/", {"shop": number}).status_code == 404

    def test_he_sees_his_own_figures_only(self, xiaolu: Member, dayong: Member, link: str, sign_in: SignIn) -> None:
        browser().get(link)

        assert sign_in(xiaolu).get("/referral/").context["figures"].clicks == 1
        assert sign_in(dayong).get("/referral/").context["figures"].links == []

    def test_without_a_rule_there_is_no_page(self, xiaolu: Member, shop: Channel, sign_in: SignIn) -> None:
        client = sign_in(xiaolu)

        assert client.get("/referral/").status_code == 404
        assert client.post("/referral/link/", {"shop": shop.pk}).status_code == 404
        assert "Recommend the shop" not in client.get("/").content.decode()

    @pytest.mark.parametrize("path", ["/referral/", "/referral/link/"])
    def test_a_stranger_is_asked_who_he_is(self, path: str, rewarded: None, clock: None) -> None:
        answer = browser().post(path) if path.endswith("link/") else browser().get(path)

        assert answer["Location"].startswith("/account/login/code/")

    def test_links_are_not_made_by_the_thousand(
        self, xiaolu: Member, shop: Channel, rewarded: None, sign_in: SignIn
    ) -> None:
        client = sign_in(xiaolu)

        answers = [client.post("/referral/link/", {"shop": shop.pk}).status_code for _ in range(21)]

        assert answers == [302] * 20 + [429]


class TestTheVisitor:
    def test_he_is_told_what_to_do_and_his_device_remembered(self, link: str, shop: Channel, clock: None) -> None:
        client = browser()

        page = client.get(link).content.decode()

        assert "A friend recommends 山间茶铺 to you" in page
        assert "林小鹿" not in page
        cookie = client.cookies["device"]
        assert cookie["httponly"] and cookie["samesite"] == "Lax"
        assert ReferralVisit.objects.get().clicks == 1

    def test_opening_it_again_is_another_click_of_the_same_visit(self, link: str, clock: None) -> None:
        client = browser()
        client.get(link)
        client.get(link)
        client.head(link)

        assert ReferralVisit.objects.get().clicks == 2

    def test_when_he_signs_in_he_is_known_as_the_buyer(
        self, *, xiaolu: Member, dayong: Member, shop: Channel, link: str, at: datetime, sign_in: SignIn
    ) -> None:
        client = browser()
        client.get(link)
        paid_at = at + timedelta(hours=1)
        OrderFactory(channel=shop, member=dayong, paid_at=paid_at, placed_at=paid_at)

        with time_machine.travel(at + timedelta(days=2), tick=False):
            signed_in(client, dayong, sign_in).get("/")

        referral = Referral.objects.get()
        assert (referral.promoter, referral.buyer, referral.state) == (xiaolu, dayong, "counting")
        assert sign_in(xiaolu).get("/referral/").context["figures"].waiting == 5

    def test_who_is_signed_in_already_is_known_at_once(self, dayong: Member, link: str, sign_in: SignIn) -> None:
        sign_in(dayong).get(link)

        assert Referral.objects.get().buyer == dayong

    def test_ones_own_link_says_so_and_counts_nothing(self, xiaolu: Member, link: str, sign_in: SignIn) -> None:
        page = sign_in(xiaolu).get(link).content.decode()

        assert "This is your own link" in page
        assert not ReferralVisit.objects.exists()

    def test_a_second_name_on_the_promoters_phone_brings_nothing(
        self, xiaolu: Member, link: str, sign_in: SignIn
    ) -> None:
        client = sign_in(xiaolu)
        client.get("/referral/")
        client.post("/account/logout/")
        client.get(link)

        signed_in(client, MemberFactory(name="小号"), sign_in).get("/")

        assert (Referral.objects.get().state, Referral.objects.get().signs) == ("refused", ["same_device"])

    def test_a_cookie_of_somebodys_own_making_is_as_good_as_none(self, link: str, clock: None) -> None:
        client = browser()
        client.cookies["device"] = "0" * 32

        assert client.get(link).status_code == 200
        assert ReferralVisit.objects.get().device != "0" * 32

    def test_a_link_that_never_was_leads_nowhere(self, rewarded: None, clock: None) -> None:
        assert browser().get("/r/nothing/").status_code == 404

    def test_without_a_rule_the_page_works_and_nothing_is_remembered(
        self, link: str, at: datetime, clock: None
    ) -> None:
        publish_rules(SPEND, since=at)
        client = browser()

        assert client.get(link).status_code == 200
        assert "device" not in client.cookies

    def test_a_flood_of_visits_is_served_but_not_counted(self, link: str, clock: None) -> None:
        answers = [browser().get(link).status_code for _ in range(33)]

        assert answers == [200] * 33
        assert ReferralVisit.objects.count() == 30
