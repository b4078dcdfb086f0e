"""Buyers who bring buyers: 林小鹿 recommends the tea shop, and 王大勇 comes along."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, RefundRecord
from crm.models import Channel, Identity, Member, Order, StaffAction
from crm.orders import record
from loyalty import api as loyalty
from loyalty.choices import ReferralState
from loyalty.models import Entry, Referral, ReferralShare, ReferralVisit
from loyalty.nightly import run_nightly
from loyalty.referral.deciding import Evidence, judge, points_kept
from loyalty.referral.links import find_products, make_link, promoter_figures, record_visit, remember_device
from loyalty.referral.review import NotToBeDecided, decide
from loyalty.referral.settling import settle, settle_all
from loyalty.referral.tying import recognise
from tests.factories import (
    ChannelFactory,
    IdentityFactory,
    MemberFactory,
    OrderFactory,
    OrderLineFactory,
    ProductFactory,
    StaffFactory,
)
from tests.loyalty.rulesets import SPEND, publish_rules, rule

pytestmark = pytest.mark.usefixtures("books_add_up")

DAY = timedelta(days=1)
DAYONG = BuyerRecord("dayong_w", "王大勇")
PHONE, LAPTOP = "p" * 32, "l" * 32
FIVE_PERCENT = rule("referral", {"percent": "5", "points_per_yuan": 10, "days": 30})


@pytest.fixture(autouse=True)
def rules(db: None, at: datetime) -> None:
    """Five percent of the order, ten points a yuan of it: 50 points of 100 yuan."""
    publish_rules(SPEND, FIVE_PERCENT, since=at - 90 * DAY)


@pytest.fixture
def link(xiaolu: Member, shop: Channel, at: datetime) -> str:
    """林小鹿's link to the tea shop."""
    return make_link(xiaolu.pk, shop.pk, None, at - 10 * DAY).token


@pytest.fixture
def visit(link: str, at: datetime) -> None:
    """Two days ago somebody opened her link on a phone."""
    assert record_visit(link, PHONE, at - 2 * DAY)


@pytest.fixture
def imported(
    shop: Channel, django_capture_on_commit_callbacks: Callable[..., Any]
) -> Callable[[OrderRecord, datetime], None]:
    """``imported(order, at)``: the seller imports an order."""

    def imported(order: OrderRecord, at: datetime) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            record(shop, [order], at=at)

    return imported


@pytest.fixture
def tea(at: datetime) -> OrderRecord:
    """Tea for 100 yuan, paid yesterday by 王大勇."""
    return OrderRecord(
        "35153131", 2, status=OrderStatus.PAID, buyer=DAYONG, paid=Decimal(100), placed_at=at - DAY, paid_at=at - DAY
    )


def done(order: OrderRecord, at: datetime) -> OrderRecord:
    return replace(order, status=OrderStatus.COMPLETED, completed_at=at)


def refunded(order: OrderRecord, amount: int, at: datetime) -> OrderRecord:
    return replace(order, refunds=(RefundRecord("R1", RefundStatus.SUCCESS, Decimal(amount), at),))


def points(member: Member, at: datetime) -> tuple[int, int]:
    """What a member has, and what waits."""
    found = loyalty.summary(member.pk, at)
    return found.balance, found.pending


class TestTheShare:
    """王大勇 opened the link, bought, and signs in on the same phone."""

    pytestmark = pytest.mark.usefixtures("visit")
    Import = Callable[[OrderRecord, datetime], None]

    def test_it_waits_until_the_order_has_succeeded(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        imported(tea, at)
        assert points(xiaolu, at) == (0, 0)  # Nobody knows yet who he is.

        recognise(PHONE, dayong.pk, at)
        assert points(xiaolu, at) == (0, 50)

        imported(done(tea, at), at + DAY)
        assert points(xiaolu, at) == (50, 0)

    def test_it_comes_as_well_when_he_signs_in_first_and_buys_then(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)

        imported(done(tea, at), at)

        assert points(xiaolu, at) == (50, 0)

    def test_the_same_import_again_changes_nothing(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        for _ in range(3):
            imported(done(tea, at), at)
            recognise(PHONE, dayong.pk, at)

        assert points(xiaolu, at) == (50, 0)
        assert ReferralShare.objects.count() == 1

    def test_only_the_first_order_counts(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        imported(done(tea, at), at)
        imported(replace(done(tea, at), external_no="35153132", paid_at=at), at)

        assert points(xiaolu, at) == (50, 0)

    def test_a_part_that_comes_back_takes_its_part(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        imported(tea, at)
        imported(refunded(tea, 40, at), at)
        assert points(xiaolu, at) == (0, 30)

        imported(refunded(done(tea, at), 100, at), at + DAY)
        assert points(xiaolu, at) == (0, 0)

    def test_what_was_available_already_is_taken_back_too(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        imported(done(tea, at), at)
        imported(refunded(done(tea, at), 40, at), at + DAY)

        assert points(xiaolu, at) == (30, 0)

    def test_a_closed_order_brings_nothing_and_the_next_one_is_the_first(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        imported(tea, at)
        imported(replace(tea, status=OrderStatus.CLOSED, closed_at=at), at)
        assert points(xiaolu, at) == (0, 0)

        imported(replace(tea, external_no="35153132", paid=Decimal(200)), at)
        assert points(xiaolu, at) == (0, 100)

    def test_the_night_makes_it_available_when_nobody_confirms(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        imported(replace(tea, status=OrderStatus.SHIPPED, shipped_at=at), at)

        run_nightly(at + 29 * DAY, at=at + 29 * DAY)
        assert points(xiaolu, at) == (0, 50)
        run_nightly(at + 31 * DAY, at=at + 31 * DAY)
        assert points(xiaolu, at)[0] == 50

    def test_the_history_explains_it_without_telling_whose_order_it_was(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        imported(tea, at)
        imported(refunded(done(tea, at), 40, at), at)

        lines = loyalty.history(xiaolu.pk)

        with translation.override("en"):
            told = [loyalty.headline(line) for line in lines]
            worked_out = loyalty.explain(lines[-1])
        assert told == ["Referral: the order succeeded", "Referral: taken back", "Referral"]
        assert "Referral: 5% of 100.00 yuan make 50 points." in worked_out
        assert not Entry.objects.filter(account=xiaolu.pk, order__isnull=False).exists()

    def test_a_cap_for_the_day_holds(
        self, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime, imported: Import
    ) -> None:
        publish_rules(SPEND, FIVE_PERCENT | {"caps": {"per_member_day": 30}}, since=at - 30 * DAY)
        recognise(PHONE, dayong.pk, at - DAY)

        imported(tea, at)

        assert points(xiaolu, at) == (0, 30)


class TestManyAtOnce:
    """Settling many referrals is settling each of them, with as many queries as one takes."""

    @pytest.fixture
    def bring(self, shop: Channel, at: datetime) -> Callable[[Member], Referral]:
        """``bring(promoter)``: a new buyer comes through his link, buys a cup for 20 yuan and tea for 80."""
        cup = ProductFactory(channel=shop, code="CUP")
        own = {str(cup.pk): {"points": 30}}
        publish_rules(
            SPEND, rule("referral", {"percent": "5", "points_per_yuan": 10, "products": own}), since=at - 30 * DAY
        )

        def bring(promoter: Member) -> Referral:
            buyer: Member = MemberFactory()
            order = OrderFactory(
                channel=shop, member=buyer, status=OrderStatus.COMPLETED, placed_at=at - DAY, paid_at=at - DAY,
                completed_at=at,
            )  # fmt: skip
            OrderLineFactory(order=order, product=cup, key="1", amount=20)
            OrderLineFactory(order=order, key="2", amount=80)
            return Referral.objects.create(
                promoter=promoter, buyer=buyer, link=make_link(promoter.pk, shop.pk, None, at - 3 * DAY),
                visited_at=at - 2 * DAY, until=at + DAY, tied_at=at, state=ReferralState.COUNTING,
            )  # fmt: skip

        return bring

    def test_each_promoter_gets_his_own(
        self, xiaolu: Member, dayong: Member, bring: Callable[[Member], Referral], at: datetime
    ) -> None:
        referrals = [bring(promoter).pk for promoter in (xiaolu, dayong, xiaolu)]

        assert settle_all(referrals, at) == dict.fromkeys(referrals, 30 + 40)

        assert (points(xiaolu, at), points(dayong, at)) == ((140, 0), (70, 0))
        assert settle_all(referrals, at) == dict.fromkeys(referrals, 0)

    def test_what_came_back_is_taken_of_each_by_itself(
        self, xiaolu: Member, bring: Callable[[Member], Referral], at: datetime
    ) -> None:
        closed, kept = bring(xiaolu), bring(xiaolu)
        settle_all([closed.pk, kept.pk], at)
        Order.objects.filter(member=closed.buyer_id).update(status=OrderStatus.CLOSED)

        assert settle_all([closed.pk, kept.pk], at + DAY) == {closed.pk: -70, kept.pk: 0}
        assert points(xiaolu, at + DAY) == (70, 0)

    def test_the_number_of_queries_does_not_grow(
        self, xiaolu: Member, bring: Callable[[Member], Referral], at: datetime
    ) -> None:
        one = [bring(xiaolu).pk]
        many = [bring(xiaolu).pk for _ in range(4)]
        settle(bring(xiaolu).pk, at)  # Whoever is the first compiles the rules.

        with CaptureQueriesContext(connection) as for_one:
            settle_all(one, at)
        with CaptureQueriesContext(connection) as for_many:
            settle_all(many, at)

        assert len(for_many) == len(for_one)


class TestProductsWithAShareOfTheirOwn:
    def test_each_is_worked_out_and_taken_back_by_itself(
        self,
        *,
        xiaolu: Member,
        dayong: Member,
        shop: Channel,
        tea: OrderRecord,
        visit: None,
        at: datetime,
        imported: Callable[[OrderRecord, datetime], None],
    ) -> None:
        cup, cake = (ProductFactory(channel=shop, code=code) for code in ("CUP", "CAKE"))
        own = {str(cup.pk): {"points": 30}, str(cake.pk): {"percent": "0"}}
        publish_rules(
            SPEND, rule("referral", {"percent": "5", "points_per_yuan": 10, "products": own}), since=at - 30 * DAY
        )
        recognise(PHONE, dayong.pk, at - DAY)
        lines = tuple(
            LineRecord(code, code, code, 1, None, Decimal(amount))
            for code, amount in (("CUP", 20), ("CAKE", 40), ("TEA", 40))
        )
        order = replace(tea, lines=lines)

        imported(order, at)
        assert points(xiaolu, at) == (0, 30 + 20)

        back = RefundRecord("R1", RefundStatus.SUCCESS, Decimal(20), at, line_key="CUP")
        imported(replace(order, refunds=(back,)), at)
        assert points(xiaolu, at) == (0, 20)


class TestWhoIsBrought:
    def test_who_had_bought_before_is_no_new_buyer(
        self, xiaolu: Member, dayong: Member, shop: Channel, visit: None, at: datetime
    ) -> None:
        OrderFactory(channel=shop, member=dayong)  # Long ago.

        assert recognise(PHONE, dayong.pk, at) is None
        assert not Referral.objects.exists()

    def test_a_visit_is_forgotten_after_its_days(self, dayong: Member, visit: None, at: datetime) -> None:
        assert recognise(PHONE, dayong.pk, at + 29 * DAY) is None

    def test_an_order_of_its_time_counts_even_if_he_signs_in_later(
        self, xiaolu: Member, dayong: Member, shop: Channel, visit: None, at: datetime
    ) -> None:
        OrderFactory(channel=shop, member=dayong, paid_at=at, placed_at=at)

        assert recognise(PHONE, dayong.pk, at + 200 * DAY) is not None
        assert points(xiaolu, at) == (0, 50)

    def test_another_device_knows_nothing(self, dayong: Member, visit: None, at: datetime) -> None:
        assert recognise(LAPTOP, dayong.pk, at) is None

    def test_a_buyer_is_brought_once_by_whose_link_he_opened_last(
        self, xiaolu: Member, dayong: Member, shop: Channel, visit: None, at: datetime
    ) -> None:
        meimei: Member = MemberFactory(name="陈美美")
        record_visit(make_link(meimei.pk, shop.pk, None, at).token, PHONE, at - DAY)

        referral = recognise(PHONE, dayong.pk, at)

        assert referral is not None
        assert referral.promoter == meimei
        record_visit(make_link(xiaolu.pk, shop.pk, None, at).token, PHONE, at)
        assert recognise(PHONE, dayong.pk, at) is None

    def test_an_order_in_another_shop_brings_the_link_of_this_one_nothing(
        self, xiaolu: Member, dayong: Member, visit: None, at: datetime
    ) -> None:
        recognise(PHONE, dayong.pk, at - DAY)
        OrderFactory(channel=ChannelFactory(), member=dayong, paid_at=at, placed_at=at)

        settle(Referral.objects.get().pk, at)

        assert points(xiaolu, at) == (0, 0)

    def test_without_a_rule_no_visit_is_remembered(self, link: str, at: datetime) -> None:
        publish_rules(SPEND, since=at)

        assert not record_visit(link, PHONE, at)
        assert not ReferralVisit.objects.exists()


class TestNobodyBringsHimself:
    def state(self, member: Member, at: datetime) -> tuple[str, list[str]]:
        referral = recognise(PHONE, member.pk, at)
        assert referral is not None
        return referral.state, referral.signs

    def test_ones_own_link_brings_nobody(self, xiaolu: Member, visit: None, at: datetime) -> None:
        assert recognise(PHONE, xiaolu.pk, at) is None

    def test_nor_does_a_second_name_on_the_same_device(
        self, xiaolu: Member, dayong: Member, visit: None, at: datetime
    ) -> None:
        remember_device(PHONE, xiaolu.pk, at - DAY)

        assert self.state(dayong, at) == ("refused", ["same_device"])

    def test_nor_one_with_the_same_phone(self, dayong: Member, visit: None, at: datetime) -> None:
        Identity.objects.filter(member=dayong).update(phone="13800000001")

        assert self.state(dayong, at) == ("refused", ["same_phone"])

    def test_a_masked_phone_proves_nothing(self, xiaolu: Member, dayong: Member, visit: None, at: datetime) -> None:
        Identity.objects.filter(member__in=[dayong, xiaolu]).update(phone="138****0001")

        assert self.state(dayong, at) == ("counting", [])

    def test_nor_one_with_the_same_mail_address(self, dayong: Member, visit: None, at: datetime) -> None:
        IdentityFactory(member=dayong, email="xiaolu@example.com")

        assert self.state(dayong, at) == ("refused", ["same_email"])

    def test_nor_one_at_the_same_address(
        self, xiaolu: Member, dayong: Member, shop: Channel, visit: None, at: datetime
    ) -> None:
        OrderFactory(channel=shop, member=xiaolu, raw={"收货地址": "浙江省 杭州市 文三路 1 号"})
        OrderFactory(
            channel=shop, member=dayong, paid_at=at - DAY, placed_at=at - DAY, raw={"收货地址": "浙江省杭州市文三路1号"}
        )

        assert self.state(dayong, at) == ("refused", ["same_address"])
        assert points(xiaolu, at) == (0, 0)

    def test_circles_are_refused_however_long(
        self, xiaolu: Member, dayong: Member, shop: Channel, at: datetime
    ) -> None:
        meimei: Member = MemberFactory(name="陈美美")
        chain = [(xiaolu, dayong), (dayong, meimei), (meimei, xiaolu)]

        states = []
        for number, (promoter, buyer) in enumerate(chain):
            device = f"{number:032}"
            record_visit(make_link(promoter.pk, shop.pk, None, at).token, device, at)
            referral = recognise(device, buyer.pk, at)
            assert referral is not None
            states.append((referral.state, referral.signs))

        assert states == [("counting", []), ("counting", []), ("refused", ["circle"])]

    def test_the_database_itself_refuses_oneself(self, xiaolu: Member, link: str, at: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = 'loyalty_referral_not_oneself'")
            assert cursor.fetchone()


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (Evidence(), (ReferralState.COUNTING, [])),
        (Evidence(others_on_device=1), (ReferralState.REVIEW, ["shared_device"])),
        (Evidence(brought_within_a_day=10), (ReferralState.REVIEW, ["many_in_a_day"])),
        (Evidence(paid_after=timedelta(seconds=20)), (ReferralState.REVIEW, ["bought_at_once"])),
        (Evidence(paid_after=timedelta(hours=1)), (ReferralState.COUNTING, [])),
        (Evidence(same_phone=True, others_on_device=2), (ReferralState.REFUSED, ["same_phone", "shared_device"])),
    ],
)
def test_what_is_known_decides(evidence: Evidence, verdict: tuple[ReferralState, list[str]]) -> None:
    assert judge(evidence) == verdict


@pytest.mark.parametrize(
    ("given", "fixed", "net", "kept"),
    [(50, 0, 10000, 50), (50, 0, 6000, 30), (50, 0, 9999, 50), (50, 0, 0, 0), (30, 30, 1, 30), (30, 30, 0, 0)],
)
def test_a_percentage_goes_with_the_goods_and_fixed_points_with_the_last_of_them(
    given: int, fixed: int, net: int, kept: int
) -> None:
    assert points_kept(given, fixed, 10000, net) == kept


class TestReview:
    @pytest.fixture
    def doubtful(self, dayong: Member, visit: None, shop: Channel, at: datetime) -> Referral:
        """Somebody else has been signed in on 王大勇's phone, and he has bought."""
        remember_device(PHONE, MemberFactory(name="陈美美").pk, at - DAY)
        OrderFactory(channel=shop, member=dayong, paid_at=at - DAY, placed_at=at - DAY)
        referral = recognise(PHONE, dayong.pk, at)
        assert referral is not None
        assert referral.state == ReferralState.REVIEW
        return referral

    def test_nothing_is_paid_until_a_person_has_approved(
        self, xiaolu: Member, doubtful: Referral, at: datetime
    ) -> None:
        clerk = StaffFactory()
        assert points(xiaolu, at) == (0, 0)

        assert decide(doubtful.pk, approve=True, reason="Colleagues", actor_id=clerk.pk, at=at) == 50

        assert points(xiaolu, at) == (0, 50)
        [logged] = StaffAction.objects.filter(action="referral.approve")
        assert (logged.actor, logged.reason, logged.member) == (clerk, "Colleagues", xiaolu)

    def test_a_rejection_is_final(self, xiaolu: Member, doubtful: Referral, at: datetime) -> None:
        clerk = StaffFactory()
        decide(doubtful.pk, approve=False, reason="One person", actor_id=clerk.pk, at=at)

        with pytest.raises(NotToBeDecided):
            decide(doubtful.pk, approve=True, reason="Oh well", actor_id=clerk.pk, at=at)

        assert points(xiaolu, at) == (0, 0)

    def test_rejecting_what_counted_takes_it_back(self, xiaolu: Member, doubtful: Referral, at: datetime) -> None:
        clerk = StaffFactory()
        decide(doubtful.pk, approve=True, reason="Colleagues", actor_id=clerk.pk, at=at)

        assert decide(doubtful.pk, approve=False, reason="No, they are not", actor_id=clerk.pk, at=at) == -50
        assert points(xiaolu, at) == (0, 0)

    def test_a_reason_is_needed(self, doubtful: Referral, at: datetime) -> None:
        with pytest.raises(ValueError, match="reason"):
            decide(doubtful.pk, approve=True, reason=" ", actor_id=StaffFactory().pk, at=at)


class TestThePromoter:
    def test_he_sees_clicks_orders_and_points(
        self, *, xiaolu: Member, dayong: Member, shop: Channel, link: str, visit: None, at: datetime
    ) -> None:
        record_visit(link, PHONE, at)
        record_visit(link, LAPTOP, at)
        OrderFactory(channel=shop, member=dayong, paid_at=at - DAY, placed_at=at - DAY)
        recognise(PHONE, dayong.pk, at)

        figures = promoter_figures(xiaolu.pk)

        assert (figures.clicks, figures.orders, figures.points, figures.waiting) == (3, 1, 0, 50)
        assert [line.target.channel_name for line in figures.links] == ["山间茶铺"]

    def test_a_link_is_made_once(self, xiaolu: Member, shop: Channel, at: datetime) -> None:
        product = ProductFactory(channel=shop, title="明前龙井 250g")

        tokens = {make_link(xiaolu.pk, shop.pk, product.pk, at).token for _ in range(3)}

        assert len(tokens) == 1
        assert make_link(xiaolu.pk, shop.pk, None, at).token not in tokens
        assert [target.product_title for target in find_products("龙井")] == ["明前龙井 250g"]

    def test_no_link_leads_to_what_a_shop_does_not_sell(self, xiaolu: Member, shop: Channel, at: datetime) -> None:
        elsewhere = ProductFactory()

        for channel, product in ((shop.pk, elsewhere.pk), (0, None)):
            with pytest.raises(LookupError):
                make_link(xiaolu.pk, channel, product, at)
