"""Prices from the database: whom a tier, a grade or the list of members without discount reaches, and when."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from crm.choices import PricePolicy, ProductPolicy
from crm.models import Channel, Member, NoDiscount, Product, Tier
from crm.pricing import Source, Verdict
from crm.public_prices import PublicReason, PublicStep
from crm.quotes import Asked, Unknown, public_price, quote
from crm.tiers.defaults import make_usual_tiers
from crm.tiers.granting import grant_tier
from tests.factories import (
    ChannelFactory,
    MemberPlatformGradeFactory,
    NoDiscountFactory,
    PlatformGradeFactory,
    PlatformToolFactory,
    ProductFactory,
    ProductTierPriceFactory,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def ladder(db: None) -> dict[str, Tier]:
    """The usual rungs: 100, 95, 90 and 85 percent."""
    return {tier.code: tier for tier in make_usual_tiers()}


@pytest.fixture
def tea(shop: Channel) -> Product:
    return ProductFactory(channel=shop, title="明前龙井", list_price=Decimal("100.00"))


def give(member: Member, code: str, at: datetime, until: datetime | None = None) -> None:
    grant_tier(member.pk, code, at=at, until=until, actor_id=None, reason="A good customer")


def grade(member: Member, percent: str | None, at: datetime, **tool: object) -> None:
    found = PlatformGradeFactory(
        tool=PlatformToolFactory(**tool), discount_percent=Decimal(percent) if percent else None
    )
    MemberPlatformGradeFactory(member=member, grade=found, seen_at=at)


def paid(member: Member, product: Product, at: datetime) -> Decimal | None:
    return quote(member.pk, [Asked(product.pk)], at).lines[0].unit_price


class TestTheBlueprint:
    """The lowest of our tier's discount and those of the grades that other platforms gave the same buyer."""

    def test_ninety_five_there_and_ninety_here_is_ninety(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        give(xiaolu, "vip", at)
        grade(xiaolu, "95", at)
        assert paid(xiaolu, tea, at) == Decimal("90.00")

    def test_whoever_has_not_claimed_ours_has_the_ninety_five(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        grade(xiaolu, "95", at)
        assert paid(xiaolu, tea, at) == Decimal("95.00")

    def test_a_member_without_discount_pays_the_list_price(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        give(xiaolu, "supreme", at)
        grade(xiaolu, "95", at)
        NoDiscountFactory(member=xiaolu, since=at)
        assert paid(xiaolu, tea, at) == Decimal("100.00")

    @pytest.mark.parametrize(
        "facts",
        [
            {"price_policy": PricePolicy.GROUP_BUY},
            {"price_policy": PricePolicy.SPECIAL},
            {"policy": ProductPolicy.SPECIAL},
        ],
    )
    def test_special_prices_and_group_buys_are_excluded(
        self, facts: dict[str, str], xiaolu: Member, shop: Channel, at: datetime
    ) -> None:
        give(xiaolu, "vip", at)
        kettle = ProductFactory(channel=shop, list_price=Decimal("200.00"), **facts)
        assert paid(xiaolu, kettle, at) == Decimal("200.00")

    def test_a_product_for_vip_and_above_costs_a_base_member_its_list_price(
        self, xiaolu: Member, dayong: Member, tea: Product, ladder: dict[str, Tier], at: datetime
    ) -> None:
        Product.objects.filter(pk=tea.pk).update(discount_visible_from=ladder["vip"])
        give(dayong, "vip", at)

        assert (paid(xiaolu, tea, at), paid(dayong, tea, at)) == (Decimal("100.00"), Decimal("90.00"))


class TestTheMomentCounts:
    def test_a_tier_counts_while_it_is_held(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        give(xiaolu, "vip", at, until=at + DAY)
        moments = (at - DAY, at, at + DAY)
        assert [paid(xiaolu, tea, moment) for moment in moments] == [Decimal(100), Decimal(90), Decimal(100)]

    def test_so_does_being_without_discount(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        give(xiaolu, "vip", at - 9 * DAY)
        NoDiscountFactory(member=xiaolu, since=at, until=at + DAY)
        moments = (at - DAY, at, at + DAY)
        assert [paid(xiaolu, tea, moment) for moment in moments] == [Decimal(90), Decimal(100), Decimal(90)]

    def test_a_grade_counts_from_when_it_was_seen(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        grade(xiaolu, "95", at)
        assert paid(xiaolu, tea, at - DAY) == Decimal("100.00")


class TestGrades:
    def test_those_of_several_tools_all_count(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        grade(xiaolu, "97", at)
        grade(xiaolu, "92", at)
        grade(xiaolu, None, at)
        line = quote(xiaolu.pk, [Asked(tea.pk)], at).lines[0]
        assert line.unit_price == Decimal("92.00")
        assert {c.verdict for c in line.candidates if c.source is Source.PLATFORM} == {
            Verdict.LOWEST, Verdict.HIGHER, Verdict.NO_PERCENT,
        }  # fmt: skip

    def test_a_tool_may_count_for_its_own_channel_only(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        other = ChannelFactory()
        grade(xiaolu, "80", at, channel=other, own_channel_only=True)
        assert paid(xiaolu, tea, at) == Decimal("100.00")
        assert paid(xiaolu, ProductFactory(channel=other, list_price=Decimal(10)), at) == Decimal("8.00")

    def test_the_report_that_a_member_has_none_takes_nothing_off(
        self, xiaolu: Member, tea: Product, at: datetime
    ) -> None:
        MemberPlatformGradeFactory(member=xiaolu, grade=None, tool=PlatformToolFactory(), seen_at=at)
        assert paid(xiaolu, tea, at) == Decimal("100.00")

    def test_a_members_grade_is_one_of_its_tool(self, xiaolu: Member, at: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="of_tool"), transaction.atomic():
            MemberPlatformGradeFactory(member=xiaolu, tool=PlatformToolFactory(), seen_at=at)


class TestTheListOfMembersWithoutDiscount:
    def test_nobody_stands_on_it_twice_at_once(self, xiaolu: Member, at: datetime) -> None:
        NoDiscountFactory(member=xiaolu, since=at, until=at + DAY)
        NoDiscountFactory(member=xiaolu, since=at + DAY)
        with pytest.raises(IntegrityError), transaction.atomic():
            NoDiscountFactory(member=xiaolu, since=at + 2 * DAY)
        assert NoDiscount.objects.count() == 2

    @pytest.mark.parametrize("wrong", [{"reason": ""}, {"until": datetime.fromisoformat("2000-01-01T00:00:00+00:00")}])
    def test_each_has_a_reason_and_ends_after_it_begins(
        self, wrong: dict[str, object], xiaolu: Member, at: datetime
    ) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            NoDiscountFactory(member=xiaolu, since=at, **wrong)


class TestCarts:
    def test_a_cart_takes_five_queries_however_large_it_is(
        self, xiaolu: Member, shop: Channel, ladder: dict[str, Tier], at: datetime
    ) -> None:
        give(xiaolu, "vip", at)
        for percent in ("95", "96"):
            grade(xiaolu, percent, at)
        for number in (1, 40):
            products = ProductFactory.create_batch(number, channel=shop, list_price=Decimal(10))
            ProductTierPriceFactory(product=products[0], tier=ladder["vip"], percent=Decimal(50))
            with CaptureQueriesContext(connection) as queries:
                found = quote(xiaolu.pk, [Asked(product.pk, 2) for product in products], at)
            assert len(queries) == 5
            assert found.totals[0].amount == Decimal(10) + 18 * (number - 1)

    def test_the_same_product_may_stand_in_it_twice(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        found = quote(xiaolu.pk, [Asked(tea.pk, 1), Asked(tea.pk, 2)], at)
        assert [line.quantity for line in found.lines] == [1, 2]

    def test_what_does_not_exist_is_named(self, xiaolu: Member, tea: Product, at: datetime) -> None:
        with pytest.raises(Unknown, match="no product 0"):
            quote(xiaolu.pk, [Asked(tea.pk), Asked(0)], at)
        with pytest.raises(Unknown, match="no member 0"):
            quote(0, [Asked(tea.pk)], at)


class TestWhatBuyersSee:
    def test_a_stranger_sees_the_list_price_in_one_query(self, tea: Product, at: datetime) -> None:
        with CaptureQueriesContext(connection) as queries:
            found = public_price(None, tea.pk, at)
        assert len(queries) == 1
        assert (found.title, found.list_price, found.price) == ("明前龙井", Decimal(100), Decimal(100))
        assert (found.reason, found.next_step) == (None, None)

    def test_a_member_sees_his_price_why_and_what_the_next_tier_pays(
        self, xiaolu: Member, tea: Product, at: datetime
    ) -> None:
        give(xiaolu, "vip", at)
        with CaptureQueriesContext(connection) as queries:
            found = public_price(xiaolu.pk, tea.pk, at)
        assert len(queries) == 5
        assert found.price == Decimal("90.00")
        assert found.reason == PublicReason(Source.TIER, "VIP会员", Decimal(90))
        assert found.next_step == PublicStep("至尊VIP会员", Decimal("85.00"))

    def test_what_is_hidden_from_him_leaves_no_trace(
        self, xiaolu: Member, tea: Product, ladder: dict[str, Tier], at: datetime
    ) -> None:
        give(xiaolu, "senior", at)
        Product.objects.filter(pk=tea.pk).update(discount_visible_from=ladder["vip"])
        ProductTierPriceFactory(product=tea, tier=ladder["vip"], percent=None, price=Decimal("66.60"))
        found = public_price(xiaolu.pk, tea.pk, at)
        assert (found.price, found.reason, found.next_step) == (Decimal(100), None, None)
        assert "66.6" not in repr(found) and "VIP" not in repr(found)

    def test_a_product_that_is_not_there_is_unknown_to_everybody(self, xiaolu: Member, at: datetime) -> None:
        for member_id in (None, xiaolu.pk):
            with pytest.raises(Unknown):
                public_price(member_id, 0, at)

    def test_a_member_who_is_not_there_is_unknown(self, tea: Product, at: datetime) -> None:
        with pytest.raises(Unknown):
            public_price(0, tea.pk, at)
