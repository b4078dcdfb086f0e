"""A product's page: who sees which price, and that what is hidden shows nowhere."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from crm.api import grant_tier
from crm.models import Channel, Member, Product, Tier
from crm.tiers.defaults import make_usual_tiers
from loyalty import api as loyalty
from tests.factories import (
    ChannelFactory,
    MemberPlatformGradeFactory,
    NoDiscountFactory,
    PlatformGradeFactory,
    ProductFactory,
    ProductTierPriceFactory,
    UserFactory,
)
from tests.redemption.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ladder(db: None) -> dict[str, Tier]:
    return {tier.code: tier for tier in make_usual_tiers()}


@pytest.fixture
def tea(shop: Channel) -> Product:
    return ProductFactory(channel=shop, title="Spring tea", list_price=Decimal("128.00"))


@pytest.fixture
def vip_tea(shop: Channel, ladder: dict[str, Tier]) -> Product:
    """Tea that VIP members and above have for less: 66.60 for VIP, 85 % of 128.00 = 108.80 above."""
    tea: Product = ProductFactory(
        channel=shop, title="Old tree tea", list_price=Decimal("128.00"), discount_visible_from=ladder["vip"]
    )
    ProductTierPriceFactory(product=tea, tier=ladder["vip"], percent=None, price=Decimal("66.60"))
    return tea


def give(member: Member, code: str, at: datetime) -> None:
    grant_tier(member.pk, code, at=at, until=None, actor_id=None, reason="A good customer")


def text(response: Any) -> str:
    """What a page says, without its markup."""
    main = response.content.decode().split("<main", 1)[1].split("</main>", 1)[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", "<" + main)).strip()


class TestStrangers:
    def test_see_the_list_price_and_an_invitation(self, client: Client, tea: Product) -> None:
        page = client.get(f"/p/{tea.pk}/", headers={"accept-language": "en"})
        said = text(page)
        assert "Spring tea" in said and "¥128" in said and "Sign in to see your price" in said
        assert f"?next=/p/{tea.pk}/" in page.content.decode()
        assert "no-store" in page["Cache-Control"]

    def test_so_does_a_login_without_a_member(self, client: Client, tea: Product) -> None:
        client.force_login(UserFactory(), backend="django.contrib.auth.backends.ModelBackend")
        said = text(client.get(f"/p/{tea.pk}/", headers={"accept-language": "en"}))
        assert "¥128" in said and "See how to get your member price" in said

    def test_find_no_page_for_what_is_not_sold(self, client: Client, tea: Product) -> None:
        for number in (tea.pk + 1, 2**63, 10**30):
            assert client.get(f"/p/{number}/").status_code == 404

    def test_are_told_when_no_price_is_known(self, client: Client, shop: Channel) -> None:
        bare = ProductFactory(channel=shop)
        assert "No price is known here." in text(client.get(f"/p/{bare.pk}/", headers={"accept-language": "en"}))

    def test_only_look(self, client: Client, tea: Product) -> None:
        assert client.post(f"/p/{tea.pk}/").status_code == 405


class TestMembers:
    def test_see_their_price_why_and_what_the_next_tier_pays(
        self, xiaolu: Member, tea: Product, sign_in: SignIn, at: datetime
    ) -> None:
        give(xiaolu, "vip", at)
        said = text(sign_in(xiaolu).get(f"/p/{tea.pk}/"))
        assert "Your tier VIP会员: 90% of the list price ¥115.20" in said
        assert "As 至尊VIP会员 you would pay ¥108.80." in said

    def test_read_it_in_chinese_in_tenths(self, xiaolu: Member, tea: Product, sign_in: SignIn, at: datetime) -> None:
        give(xiaolu, "vip", at)
        assert "VIP会员：9 折" in text(sign_in(xiaolu).get(f"/p/{tea.pk}/", headers={"accept-language": "zh-hans"}))

    def test_on_the_base_tier_see_what_the_first_step_brings(
        self, xiaolu: Member, tea: Product, sign_in: SignIn
    ) -> None:
        said = text(sign_in(xiaolu).get(f"/p/{tea.pk}/"))
        assert "Your price" not in said
        assert "As 高级会员 you would pay ¥121.60." in said

    def test_have_the_discount_of_their_grade_elsewhere(self, xiaolu: Member, tea: Product, sign_in: SignIn) -> None:
        grade = PlatformGradeFactory(tool__name="会员关系管理", name="金牌", discount_percent=Decimal(95))
        MemberPlatformGradeFactory(member=xiaolu, grade=grade)
        said = text(sign_in(xiaolu).get(f"/p/{tea.pk}/"))
        assert "Your grade 会员关系管理 · 金牌: 95% of the list price ¥121.60" in said

    def test_see_the_price_that_the_product_names_for_their_tier(
        self, xiaolu: Member, vip_tea: Product, sign_in: SignIn, at: datetime
    ) -> None:
        give(xiaolu, "vip", at)
        assert "Price for VIP会员 ¥66.60" in text(sign_in(xiaolu).get(f"/p/{vip_tea.pk}/"))

    def test_see_other_currencies_by_their_names(self, xiaolu: Member, sign_in: SignIn) -> None:
        product = ProductFactory(channel=ChannelFactory(currency="USD"), list_price=Decimal("1234.50"))
        assert "1,234.50 USD" in text(sign_in(xiaolu).get(f"/p/{product.pk}/"))

    def test_get_the_page_in_a_fixed_number_of_queries(
        self, xiaolu: Member, tea: Product, ladder: dict[str, Tier], sign_in: SignIn, at: datetime
    ) -> None:
        """Session with its login, member; tiers, prices for tiers, product, tier and list, grades."""
        client = sign_in(xiaolu)
        counts = []
        for much in (False, True):
            if much:
                give(xiaolu, "vip", at)
                for tier in ladder.values():
                    ProductTierPriceFactory(product=tea, tier=tier)
                MemberPlatformGradeFactory(member=xiaolu)
                MemberPlatformGradeFactory(member=xiaolu)
            with CaptureQueriesContext(connection) as queries:
                client.get(f"/p/{tea.pk}/")
            counts.append(len(queries))
        assert counts == [7, 7]

    def test_strangers_cost_one(self, client: Client, tea: Product, sign_in: SignIn) -> None:
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/p/{tea.pk}/")
        assert len(queries) == 1


# What a base member must find nowhere: prices, percentages and names of what is hidden from him.
HIDDEN = ("66.6", "115.2", "108.8", "121.6", "VIP", "vip", "supreme", "折", "% of the list price", "金牌")


def whole(response: Any) -> str:
    """Everything that goes over the wire: status, headers, cookies, body; without the random tokens of sessions and
    forms, which may spell anything."""
    body: str = response.content.decode()
    head = f"{response.status_code} {dict(response.headers)} {response.cookies.output()}"
    return re.sub(r"\b[A-Za-z0-9]{32,}\b", "", head + body)


class TestNothingHiddenShows:
    @pytest.fixture
    def base_member(self, xiaolu: Member, sign_in: SignIn) -> Client:
        """林小鹿 on the base tier, with a grade elsewhere that would make it cheaper if it counted."""
        grade = PlatformGradeFactory(name="金牌", discount_percent=Decimal(95))
        MemberPlatformGradeFactory(member=xiaolu, grade=grade)
        return sign_in(xiaolu)

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    @pytest.mark.parametrize("method", ["get", "head"])
    @pytest.mark.parametrize("accept", ["text/html", "application/json"])
    def test_on_the_page_in_its_source_or_its_headers(
        self, language: str, method: str, accept: str, base_member: Client, vip_tea: Product
    ) -> None:
        headers = {"accept-language": language, "accept": accept}
        page = whole(getattr(base_member, method)(f"/p/{vip_tea.pk}/", headers=headers))
        assert [word for word in HIDDEN if word in page] == []
        assert "ETag" not in page and "Last-Modified" not in page

    def test_nor_for_a_stranger(self, client: Client, vip_tea: Product) -> None:
        page = whole(client.get(f"/p/{vip_tea.pk}/", headers={"accept-language": "en"}))
        assert [word for word in HIDDEN if word in page] == []

    def test_nor_for_a_member_without_discount_on_the_best_tier(
        self, dayong: Member, vip_tea: Product, sign_in: SignIn, at: datetime
    ) -> None:
        give(dayong, "supreme", at)
        NoDiscountFactory(member=dayong, reason="Sells it on")
        page = whole(sign_in(dayong).get(f"/p/{vip_tea.pk}/"))
        assert [word for word in (*HIDDEN, "Sells it on", "without discount") if word in page] == []

    def test_the_page_is_the_same_as_that_of_a_product_without_any_discount(
        self, base_member: Client, vip_tea: Product, shop: Channel
    ) -> None:
        plain = ProductFactory(channel=shop, title=vip_tea.title, list_price=vip_tea.list_price, price_policy="special")

        def page(product: Product) -> str:
            body = base_member.get(f"/p/{product.pk}/").content.decode().replace(f"/p/{product.pk}/", "/p/")
            return re.sub(r"""(csrfmiddlewaretoken" value|nonce)="[^"]+\"""", "", body)

        assert page(vip_tea) == page(plain)

    def test_pages_that_lead_there_show_none_either(
        self, base_member: Client, xiaolu: Member, dayong: Member, vip_tea: Product, at: datetime
    ) -> None:
        link = loyalty.make_link(dayong.pk, vip_tea.channel_id, vip_tea.pk, at)
        for address in ("/", f"/r/{link.token}/", "/referral/?q=tree"):
            page = whole(base_member.get(address))
            assert [word for word in ("66.6", "115.2", "108.8") if word in page] == []

    def test_it_is_there_for_those_who_may_see_it(
        self, dayong: Member, vip_tea: Product, sign_in: SignIn, at: datetime
    ) -> None:
        """What the others look for in vain can be found."""
        give(dayong, "vip", at)
        assert "66.6" in whole(sign_in(dayong).get(f"/p/{vip_tea.pk}/"))


def test_a_recommended_product_leads_to_its_page(client: Client, dayong: Member, tea: Product, at: datetime) -> None:
    link = loyalty.make_link(dayong.pk, tea.channel_id, tea.pk, at)
    with translation.override("en"):
        assert f'href="/p/{tea.pk}/"' in client.get(f"/r/{link.token}/").content.decode()
