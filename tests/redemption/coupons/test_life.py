"""What becomes of a coupon: void with its points or without, ended by the night, and never anything else."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from crm.models import Member, StaffAction
from loyalty import api as loyalty
from redemption import desk
from redemption.choices import CouponState, Standing
from redemption.coupons.ending import end_expired
from redemption.coupons.life import MOVES
from redemption.coupons.voiding import NoReason, void_coupons
from redemption.models import Coupon, CouponPlan
from tests.cast import GivePoints
from tests.loyalty.tampering import without
from tests.redemption.coupons.conftest import Take, spendable


@pytest.fixture(autouse=True)
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    """林小鹿 with a thousand points."""
    give_points(xiaolu, 1000)
    return xiaolu


def night(at: datetime, *, most: int = 100) -> list[tuple[int, int, int]]:
    """What each chunk of the night did: accounts, coupons, points."""
    done: list[tuple[int, int, int]] = []
    after = 0
    while True:
        chunk = end_expired(at, at, after, most)
        if chunk.last is None:
            return done
        done.append((chunk.accounts, chunk.things, chunk.points))
        after = chunk.last


class TestVoid:
    def test_the_points_go_back_and_the_log_says_why(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        coupon = take(rich, plan, 20)

        done = void_coupons([coupon.pk], reason="The buyer asked for it", actor_id=clerk, at=at)

        coupon.refresh_from_db()
        assert (done.coupons, done.left_alone, done.points) == (1, 0, 200)
        assert (coupon.state, coupon.void_reason, coupon.points_back) == ("void", "The buyer asked for it", 200)
        assert spendable(rich, at) == 1000
        logged = StaffAction.objects.get(action="coupon.void")
        assert (logged.member, logged.actor_id, logged.reason) == (rich, clerk, "The buyer asked for it")
        with translation.override("en"):
            back = loyalty.history(rich.pk)[0]
            assert loyalty.headline(back) == "Coupon for 20 yuan given back"
            assert "The shop made the coupon void" in loyalty.explain(back)[0]

    def test_a_plan_may_keep_the_points(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        CouponPlan.objects.update(void_gives_back=False)
        coupon = take(rich, plan, 20)

        assert void_coupons([coupon.pk], reason="Sold on", actor_id=clerk, at=at).points == 0
        assert spendable(rich, at) == 800

    def test_many_at_once_leave_alone_what_is_used_or_over(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        coupons = [take(rich, plan, 5) for _ in range(5)]
        desk.use(coupons[0].code, actor_id=clerk, at=at)
        ids = [coupon.pk for coupon in coupons]

        first = void_coupons(ids, reason="Wrong plan", actor_id=clerk, at=at)
        again = void_coupons(ids, reason="Wrong plan", actor_id=clerk, at=at)

        assert (first.coupons, first.left_alone, first.points) == (4, 1, 200)
        assert (again.coupons, again.left_alone, again.points) == (0, 5, 0)
        assert spendable(rich, at) == 950

    def test_takes_as_many_statements_for_twenty_as_for_one(
        self,
        *,
        rich: Member,
        plan: CouponPlan,
        take: Take,
        clerk: int,
        at: datetime,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        coupons = [take(rich, plan, 5) for _ in range(20)]
        with django_assert_num_queries(9) as one:
            void_coupons([coupons[0].pk], reason="Wrong plan", actor_id=clerk, at=at)
        with django_assert_num_queries(len(one)):
            void_coupons([coupon.pk for coupon in coupons[1:]], reason="Wrong plan", actor_id=clerk, at=at)

    def test_needs_a_reason(self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime) -> None:
        with pytest.raises(NoReason):
            void_coupons([take(rich, plan, 5).pk], reason="  ", actor_id=clerk, at=at)

    def test_a_void_coupon_is_refused_at_the_desk(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        coupon = take(rich, plan, 5)
        void_coupons([coupon.pk], reason="Wrong plan", actor_id=clerk, at=at)

        assert desk.use(coupon.code, actor_id=clerk, at=at).outcome is desk.UseOutcome.VOID


class TestNight:
    def test_what_has_expired_is_written_down_and_the_points_are_gone(
        self, rich: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        coupon = take(rich, plan, 5)
        end = coupon.expires_at

        assert night(end - timedelta(microseconds=1)) == []
        assert night(end) == [(1, 1, 0)]
        assert night(end) == []

        coupon.refresh_from_db()
        assert (coupon.state, coupon.standing(end)) == (CouponState.EXPIRED, Standing.EXPIRED)
        assert spendable(rich, end) == 950

    def test_where_the_plan_says_so_they_come_back(
        self, rich: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        CouponPlan.objects.update(expiry_gives_back=True)
        coupons = [take(rich, plan, 5) for _ in range(5)]
        end = coupons[0].expires_at

        assert night(end + timedelta(days=3), most=2) == [(1, 2, 100), (1, 2, 100), (1, 1, 50)]

        assert spendable(rich, end) == 1000
        with translation.override("en"):
            assert "The coupon expired unused" in loyalty.explain(loyalty.history(rich.pk)[0])[0]

    def test_a_coupon_that_was_used_stays_used(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        coupon = take(rich, plan, 5)
        desk.use(coupon.code, actor_id=clerk, at=at)

        assert night(coupon.expires_at) == []

    def test_takes_as_many_statements_for_twenty_as_for_one(
        self, rich: Member, plan: CouponPlan, take: Take, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        coupons = [take(rich, plan, 5) for _ in range(20)]
        end = coupons[0].expires_at
        with django_assert_num_queries(2):
            end_expired(end, end, 0, 1)
        with django_assert_num_queries(2):
            end_expired(end, end, 0, 100)


class TestTheDatabase:
    """A trigger refuses what the life of a coupon does not know; without it the very same goes through."""

    @pytest.fixture
    def coupon(self, rich: Member, plan: CouponPlan, take: Take) -> Coupon:
        return take(rich, plan, 5)

    CHANGES = [
        {"code": "AAAA"}, {"yuan": 500}, {"points": 1}, {"member_id": 1},
        {"expires_at": datetime.fromisoformat("2026-03-11T00:00Z")},
    ]  # fmt: skip

    @pytest.mark.parametrize("change", CHANGES)
    def test_refuses_to_change_what_was_agreed(self, change: dict[str, object], coupon: Coupon) -> None:
        with pytest.raises(DatabaseError, match="what was agreed"), transaction.atomic():
            Coupon.objects.filter(pk=coupon.pk).update(**change)

    def test_refuses_every_step_that_is_not_in_the_table(self, coupon: Coupon, at: datetime) -> None:
        extra: dict[CouponState, dict[str, Any]] = {
            CouponState.ISSUED: {"used_at": None, "void_at": None, "void_reason": ""},
            CouponState.USED: {"used_at": at, "void_at": None, "void_reason": ""},
            CouponState.EXPIRED: {"used_at": None, "void_at": None, "void_reason": ""},
            CouponState.VOID: {"used_at": None, "void_at": at, "void_reason": "A reason"},
        }
        for before in CouponState:
            for after in CouponState:
                if before == after:
                    continue
                with without(Coupon, "coupon_lives_once"):
                    Coupon.objects.filter(pk=coupon.pk).update(state=before, **extra[before])
                if after in MOVES[before]:
                    Coupon.objects.filter(pk=coupon.pk).update(state=after, **extra[after])
                else:
                    with pytest.raises(DatabaseError, match="does not follow"), transaction.atomic():
                        Coupon.objects.filter(pk=coupon.pk).update(state=after, **extra[after])

    def test_a_coupon_whose_points_went_back_is_not_used_any_more(self, coupon: Coupon, at: datetime) -> None:
        Coupon.objects.filter(pk=coupon.pk).update(state="expired", points_back=50)

        with pytest.raises(DatabaseError), transaction.atomic():
            Coupon.objects.filter(pk=coupon.pk).update(state="used", used_at=at, points_back=0)

    def test_without_the_guard_it_could_be_done(self, coupon: Coupon) -> None:
        with without(Coupon, "coupon_lives_once"):
            assert Coupon.objects.filter(pk=coupon.pk).update(yuan=500) == 1

    def test_keeps_coupons_and_their_plans(self, coupon: Coupon) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            Coupon.objects.filter(pk=coupon.pk)._raw_delete("default")
        with pytest.raises(DatabaseError), transaction.atomic():
            CouponPlan.objects.filter(pk=coupon.plan_id)._raw_delete("default")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("columns", "may"),
    [
        ({}, True),
        ({"state": "used"}, False),
        ({"state": "used", "used_at": True}, True),
        ({"used_at": True}, False),
        ({"state": "void", "void_at": True}, False),  # Whoever makes one void says why.
        ({"state": "void", "void_at": True, "void_reason": "Plan was wrong"}, True),
        ({"void_reason": "Plan was wrong"}, False),
        ({"points_back": 50}, False),  # It is not over.
        ({"state": "expired", "points_back": 50}, True),
        ({"state": "expired", "points_back": 51}, False),
        ({"state": "expired", "points_back": -1}, False),
        ({"points": -1}, False),
        ({"yuan": -1}, False),
        ({"state": "forgotten"}, False),
    ],
)
def test_what_may_stand_in_a_coupon(columns: dict[str, Any], may: bool, at: datetime) -> None:
    row = {
        "state": "issued", "yuan": 5, "points": 50, "points_back": 0, "used_at": None, "void_at": None,
        "void_reason": "", **{name: at if value is True else value for name, value in columns.items()},
    }  # fmt: skip
    named = ", ".join(f"{name} => %({name})s" for name in row)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT redemption_coupon_sound({named})", row)
        assert cursor.fetchone()[0] is may
