"""A process is killed after each statement of what a coupon goes through: taken, used at the desk, used by a list, made
void, ended by the night, its code put into a pool and handed out of it.

Whatever it came to, the books add up, and who does the same again brings it to its end, once.
"""

import multiprocessing
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connections
from django.db.models import Sum

from crm.models import Member, StaffAction
from loyalty import api as loyalty
from redemption import desk
from redemption.checkout import redeem_coupon
from redemption.coupons.pooling import PooledCode, add_codes
from redemption.coupons.used_lists import Use, mark_used
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan, PlanUse, PoolCode
from redemption.tokens import new_token
from tests.cast import GivePoints
from tests.concurrency.killing import Act, all_adds_up, die_inside, kill_everywhere, wait_until_one_sleeps
from tests.concurrency.test_coupons import remake
from tests.factories import CouponPlanFactory, StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

GIVEN = 100_000  # Points that 小鹿 was given.


@dataclass
class Till:
    """小鹿 with points in plenty; a plan that makes its codes and gives points back whatever ends a coupon, and one
    that hands out the shop platform's own codes."""

    member: Member
    clerk: int
    own: CouponPlan
    pool: CouponPlan
    at: datetime

    def token(self, plan: CouponPlan) -> str:
        return new_token(self.member.pk, plan.pk, 5, 50, at=self.at)

    def take(self, plan: CouponPlan, token: str = "") -> Coupon:
        return redeem_coupon(self.member.pk, plan.pk, 5, token=token or self.token(plan), at=self.at)

    def taking(self, plan: CouponPlan) -> tuple[Act, Act]:
        """One click, and the same click again."""
        token = self.token(plan)

        def click() -> None:
            self.take(plan, token)

        return click, click

    def spendable(self) -> int:
        return loyalty.summary(self.member.pk, self.at).spendable

    def log_lines(self, action: str) -> int:
        return StaffAction.objects.filter(action=action).count()


@pytest.fixture
def till(xiaolu: Member, give_points: GivePoints, at: datetime) -> Till:
    give_points(xiaolu, GIVEN)
    pool = CouponPlanFactory(source="pool", denominations=(5,))
    PoolCode.objects.bulk_create(PoolCode(plan=pool, yuan=5, code=f"TB{n:04}", added_at=at) for n in range(200))
    return Till(
        xiaolu,
        int(StaffFactory().pk),
        CouponPlanFactory(denominations=(5,), void_gives_back=True, expiry_gives_back=True),
        pool,
        at,
    )


def states() -> set[tuple[str, int]]:
    """What became of all coupons: state, points given back."""
    return set(Coupon.objects.values_list("state", "points_back"))


class TestKilledAfterEachStatement:
    @pytest.mark.parametrize("kind", ["own", "pool"])
    def test_of_a_checkout(self, kind: str, till: Till) -> None:
        plan = getattr(till, kind)
        clicks = 0

        def prepare() -> tuple[Act, Act]:
            nonlocal clicks
            clicks += 1
            return till.taking(plan)

        kill_everywhere(prepare)

        assert Coupon.objects.count() == PlanUse.objects.get(plan=plan).coupons == clicks
        assert till.spendable() == GIVEN - 50 * clicks
        assert PoolCode.objects.exclude(coupon=None).count() == (clicks if kind == "pool" else 0)

    def test_of_a_use_at_the_desk(self, till: Till) -> None:
        def prepare() -> tuple[Act, Act]:
            code = till.take(till.own).code
            use = partial(desk.use, code, actor_id=till.clerk, at=till.at)
            return use, use

        statements = kill_everywhere(prepare)

        assert statements > 2
        assert states() == {("used", 0)}
        assert till.log_lines("coupon.use") == Coupon.objects.count()

    def test_of_a_list_of_used_coupons(self, till: Till) -> None:
        def prepare() -> tuple[Act, Act]:
            uses = [Use(till.take(till.own).pk, till.at, f"order {n}") for n in range(3)]
            send = partial(mark_used, uses, channel_id=None, file="used.csv", actor_id=till.clerk, at=till.at)
            return send, send

        kill_everywhere(prepare)

        assert states() == {("used", 0)}
        assert till.log_lines("coupon.use") == Coupon.objects.count()

    def test_of_making_many_void(self, till: Till) -> None:
        def prepare() -> tuple[Act, Act]:
            ids = [till.take(plan).pk for plan in (till.own, till.own, till.pool)]
            void = partial(void_coupons, ids, reason="Broken", actor_id=till.clerk, at=till.at)
            return void, void

        statements = kill_everywhere(prepare)

        assert statements > 6
        assert states() == {("void", 50)}
        assert till.spendable() == GIVEN
        assert PlanUse.objects.aggregate(left=Sum("coupons") + Sum("yuan")) == {"left": 0}
        assert till.log_lines("coupon.void") == Coupon.objects.count()

    def test_of_making_one_void_whose_points_are_kept(self, till: Till) -> None:
        CouponPlan.objects.update(void_gives_back=False)

        def prepare() -> tuple[Act, Act]:
            ids = [till.take(till.own).pk]
            void = partial(void_coupons, ids, reason="Broken", actor_id=till.clerk, at=till.at)
            return void, void

        kill_everywhere(prepare)

        assert states() == {("void", 0)}
        assert till.spendable() == GIVEN - 50 * Coupon.objects.count()

    def test_of_the_night_that_ends_them(self, till: Till) -> None:
        night = till.at + timedelta(days=100)

        def prepare() -> tuple[Act, Act]:
            for plan in (till.own, till.pool, till.own):
                till.take(plan)
            # Two a chunk, so that it is killed between two commits as well.
            return (lambda: loyalty.run_nightly(night, at=night, accounts_per_chunk=2)), (lambda: _next_night(night))

        statements = kill_everywhere(prepare, step=2)

        assert statements > 20
        assert states() == {("expired", 50), ("expired", 0)}
        assert till.spendable() == GIVEN - 50 * Coupon.objects.filter(plan=till.pool).count()

    def test_of_a_file_of_codes_for_the_pool(self, till: Till) -> None:
        files = 0

        def prepare() -> tuple[Act, Act]:
            nonlocal files
            files += 1
            codes = [PooledCode(f"MORE{files}-{n}", 5, None) for n in range(4)]
            add = partial(add_codes, till.pool.pk, codes, file="codes.csv", actor_id=till.clerk, at=till.at)
            return add, add

        kill_everywhere(prepare)

        assert PoolCode.objects.filter(code__startswith="MORE").count() == 4 * files
        assert till.log_lines("coupons.codes") == files


def _next_night(night: datetime) -> None:
    """The server may need a moment to notice that the worker of the night is dead."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(loyalty.NightBusy):
            loyalty.run_nightly(night, at=night)
            return
        time.sleep(0.02)
    raise AssertionError("the dead worker's night has no end")


# The checkout is one statement; these are the ones inside it, by how they begin.
INSIDE = [
    "    drawn := loyalty_draw_one(",
    "        SELECT * INTO pooled\n",
    "    INSERT INTO redemption_coupon (",
    "        UPDATE redemption_poolcode AS c SET",
    "    UPDATE redemption_planuse AS u\n",
    "    RETURN (\n        'placed', taken,",
]


class TestInsideTheCheckout:
    @pytest.mark.parametrize("statement", INSIDE)
    def test_the_server_s_own_process_dies_before_a_statement(self, statement: str, till: Till) -> None:
        token = till.token(till.pool)

        mend = die_inside("redemption_take_coupon", statement, lambda: till.take(till.pool, token))

        assert not Coupon.objects.exists()
        assert not PoolCode.objects.exclude(coupon=None).exists()
        assert till.spendable() == GIVEN
        assert all_adds_up()
        mend()
        assert till.take(till.pool, token).code == "TB0000"
        assert all_adds_up()

    def test_the_buyer_s_process_dies_while_the_server_goes_on(self, till: Till) -> None:
        token = till.token(till.pool)
        last = INSIDE[-1]
        remake("redemption_take_coupon", last, f"    PERFORM pg_sleep(1);\n{last}")
        connections.close_all()
        buyer = multiprocessing.get_context("fork").Process(target=till.take, args=(till.pool, token))
        buyer.start()
        wait_until_one_sleeps()
        buyer.kill()
        buyer.join()

        again = till.take(till.pool, token)

        assert list(Coupon.objects.all()) == [again]
        assert all_adds_up()
