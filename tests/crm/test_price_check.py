"""The price check of the admin: whose price, of what, when, and why."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.models import Channel, Member, Product, Tier, User
from crm.tiers.defaults import make_usual_tiers
from crm.tiers.granting import grant_tier
from tests.factories import (
    IdentityFactory,
    MemberFactory,
    MemberPlatformGradeFactory,
    PlatformGradeFactory,
    ProductFactory,
)
from tests.staff import Grant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ladder(db: None) -> dict[str, Tier]:
    return {tier.code: tier for tier in make_usual_tiers()}


@pytest.fixture
def tea(shop: Channel) -> Product:
    return ProductFactory(channel=shop, code="T-1", title="Spring tea", list_price=Decimal("100.00"))


@pytest.fixture
def adviser(client: Client, grant: Grant) -> User:
    """Somebody at the desk, signed in."""
    user = grant("crm.check_price", "crm.view_member")
    client.force_login(user)
    return user


def check(client: Client, **query: Any) -> Any:
    address = reverse("admin:crm_product_price_check")
    response: Any = client.get(address, query, headers={"accept-language": "en"})
    assert response.status_code == 200
    return response


def candidates(page: Any) -> list[list[tuple[str, Any, bool]]]:
    return [[(c["name"], c["price"], c["wins"]) for c in row["candidates"]] for row in page.context["result"]]


class TestTheAnswer:
    def test_it_shows_every_candidate_and_why_it_lost(
        self, adviser: User, client: Client, xiaolu: Member, tea: Product, at: datetime
    ) -> None:
        grant_tier(xiaolu.pk, "vip", at=at, until=None, actor_id=None, reason="")
        grade = PlatformGradeFactory(tool__name="会员关系管理", name="金牌")
        MemberPlatformGradeFactory(member=xiaolu, grade=grade)
        page = check(client, member=xiaolu.pk, product=tea.pk, at="2026-03-10T12:00", **{f"quantity_{tea.pk}": 3})
        assert candidates(page) == [
            [("", Decimal(100), False), ("VIP会员", Decimal(90), True), ("会员关系管理 · 金牌", Decimal(95), False)]
        ]
        body = page.content.decode()
        assert "3 × 90.00 = 270.00 CNY" in body
        assert "Another one is lower." in body
        assert "instead of 300.00: 30.00 less" in body

    def test_what_is_hidden_from_the_member_is_shown_to_staff(
        self, adviser: User, client: Client, xiaolu: Member, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        Product.objects.update(discount_visible_from=ladder["vip"])
        page = check(client, member=xiaolu.pk, product=tea.pk).content.decode()
        assert "The product shows its discount from the tier “VIP会员” up." in page

    def test_the_moment_is_the_one_that_is_asked_about(
        self, adviser: User, client: Client, xiaolu: Member, tea: Product, at: datetime
    ) -> None:
        grant_tier(xiaolu.pk, "vip", at=at, until=None, actor_id=None, reason="")
        before, then = (
            candidates(check(client, member=xiaolu.pk, product=tea.pk, at=moment))[0]
            for moment in ("2026-03-10T11:59", "2026-03-10T12:00")
        )
        assert before[0][2] and not then[0][2]

    def test_an_empty_moment_is_now(
        self, adviser: User, client: Client, xiaolu: Member, tea: Product, at: datetime
    ) -> None:
        with time_machine.travel(at, tick=False):
            client.force_login(adviser)
            assert check(client, member=xiaolu.pk, product=tea.pk).context["at"] == at

    def test_a_product_without_a_list_price_is_named_and_left_out_of_the_total(
        self, adviser: User, client: Client, xiaolu: Member, tea: Product
    ) -> None:
        bare = ProductFactory(channel=tea.channel)
        page = check(client, member=xiaolu.pk, product=[tea.pk, bare.pk])
        assert page.context["unpriced"] == 1
        assert "1 product has no list price and is in no total." in page.content.decode()
        assert page.context["totals"][0].amount == Decimal(100)


class TestSearching:
    def test_a_single_hit_is_chosen_at_once(
        self, adviser: User, client: Client, xiaolu: Member, dayong: Member, tea: Product
    ) -> None:
        page = check(client, member_q="小鹿爱", product_q="t-1")
        assert page.context["member"] == xiaolu
        assert candidates(page)

    @pytest.mark.parametrize("term", ["#{pk}", "{pk}", "13800000001", "xiaolu@example.com"])
    def test_members_are_found_by_what_a_person_at_the_desk_has(
        self, term: str, adviser: User, client: Client, xiaolu: Member, dayong: Member
    ) -> None:
        assert check(client, member_q=term.format(pk=xiaolu.pk)).context["member"] == xiaolu

    def test_of_several_hits_one_is_ticked(self, adviser: User, client: Client, shop: Channel) -> None:
        first, second = MemberFactory.create_batch(2, name="王小明")
        IdentityFactory(channel=shop, member=first, external_id="ming_1990")
        page = check(client, member_q="王小明")
        assert page.context["member"] is None
        assert page.context["members"].rows == [second, first]
        assert "ming_1990" in page.content.decode()

    def test_products_that_are_ticked_stay_ticked_while_one_looks_for_more(
        self, adviser: User, client: Client, tea: Product
    ) -> None:
        cups = ProductFactory.create_batch(2, channel=tea.channel, title="Cup")
        page = check(client, product=tea.pk, product_q="cup")
        assert [product for product, _field, _pieces in page.context["lines"]] == [tea]
        assert page.context["found"] == cups

    def test_many_hits_are_cut(self, adviser: User, client: Client, shop: Channel) -> None:
        ProductFactory.create_batch(25, channel=shop)
        page = check(client, product_q="caddy")
        assert len(page.context["found"]) == 20
        assert "There are more. Type more of the title." in page.content.decode()

    def test_no_hit_says_so(self, adviser: User, client: Client) -> None:
        page = check(client, member_q="nobody", product_q="nothing").content.decode()
        assert "No member is found by this." in page and "No product is found by this." in page


class TestBadInput:
    @pytest.mark.parametrize(
        "query",
        [
            {"member": "x"}, {"member": "99999999999999999999"}, {"product": "-1"}, {"product": "9" * 30},
            {"product": "²"}, {"at": "yesterday"}, {"member_q": "x" * 5000}, {"member_q": "9" * 40},
        ],
    )  # fmt: skip
    def test_nothing_typed_into_the_address_breaks_the_page(
        self, query: dict[str, str], adviser: User, client: Client, tea: Product
    ) -> None:
        assert "result" not in check(client, **query).context

    def test_too_few_pieces_stand_beside_their_field(
        self, adviser: User, client: Client, xiaolu: Member, tea: Product
    ) -> None:
        page = check(client, member=xiaolu.pk, product=tea.pk, **{f"quantity_{tea.pk}": 0})
        assert page.context["form"].errors and "result" not in page.context

    def test_there_is_a_most(self, adviser: User, client: Client, xiaolu: Member, shop: Channel) -> None:
        ids = [product.pk for product in ProductFactory.create_batch(51, channel=shop)]
        page = check(client, member=xiaolu.pk, product=ids)
        assert "At most 50 products at once." in page.content.decode()


class TestWho:
    @pytest.mark.parametrize("permissions", [[], ["crm.view_member"], ["crm.check_price"], ["crm.view_product"]])
    def test_it_takes_the_permission_to_check_prices_and_to_see_members(
        self, permissions: list[str], client: Client, grant: Grant
    ) -> None:
        client.force_login(grant(*permissions))
        assert client.get(reverse("admin:crm_product_price_check")).status_code == 403

    def test_it_takes_the_same_queries_however_many_products(
        self, adviser: User, client: Client, xiaolu: Member, shop: Channel
    ) -> None:
        counts = []
        for number in (2, 30):
            ids = [product.pk for product in ProductFactory.create_batch(number, channel=shop, list_price=Decimal(5))]
            with CaptureQueriesContext(connection) as queries:
                check(client, member=xiaolu.pk, product=ids)
            counts.append(len(queries))
        assert counts[0] == counts[1]
