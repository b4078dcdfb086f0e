"""How long points are valid: the kinds of policy, their renewal, and what a change of policy may do to a promise."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty.choices import ExistingPoints, RenewalReason, ValidityKind
from loyalty.journal import expire_due
from loyalty.models import Lot, LotRenewal, ValidityPolicy
from loyalty.movements import burn, undo
from loyalty.nightly import apply_policy
from loyalty.policies import (
    ShorteningNotConfirmed,
    policy_in_force,
    publish_policy,
    published_policies,
    revive_until,
)
from loyalty.policy_preview import MonthPoints, Touched, preview_change
from loyalty.posting import Renewal
from loyalty.renewals import renew
from loyalty.validity import BUILT_IN, Policy, programme_zone, succeeds_at, valid_until
from tests.cast import NOON, SHANGHAI
from tests.loyalty.postings import balance, earned, write
from tests.loyalty.tampering import APPEND_ONLY, JOURNAL_ONLY, execute, refusal_of

XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
DAYONG = BuyerRecord("dayong_w", "王大勇")
HALF_A_YEAR = Policy(kind=ValidityKind.PER_LOT_MONTHS, months=6)
TWO_YEARS = Policy(kind=ValidityKind.PER_LOT_MONTHS, months=24)
RENEWING = Policy(kind=ValidityKind.ACCOUNT_RENEWAL, months=12)
FOR_EVER = Policy(kind=ValidityKind.NEVER)


def day(year: int, month: int, day_of_month: int, hour: int = 0) -> datetime:
    return datetime(year, month, day_of_month, hour, tzinfo=SHANGHAI)


def publish(policy: Policy, *, at: datetime, **rest: object) -> ValidityPolicy:
    values = {"effective_from": at, "actor_id": None, "reason": "Decided in the shop", **rest}
    return publish_policy(policy, at=at, **values)  # type: ignore[arg-type]


def bought(number: str, yuan: str, *, at: datetime, buyer: BuyerRecord = XIAOLU, refunded: str = "0") -> OrderRecord:
    """An order that was paid, sent and confirmed at one instant."""
    return OrderRecord(
        number, 2, status=OrderStatus.COMPLETED, buyer=buyer, paid=Decimal(yuan), refunded=Decimal(refunded),
        placed_at=at, paid_at=at, completed_at=at,
    )  # fmt: skip


def ends(member: Member) -> list[datetime | None]:
    """When the member's open lots end, in the sequence of their making."""
    return list(Lot.objects.filter(account_id=member.pk, open=True).order_by("id").values_list("expires_at", flat=True))


class TestKinds:
    """The pure part: no database."""

    @pytest.mark.parametrize(
        ("policy", "given_at", "first_invalid_moment"),
        [
            (Policy(kind=ValidityKind.PER_LOT_DAYS, days=30), day(2026, 3, 10, 9), day(2026, 4, 10)),
            (Policy(kind=ValidityKind.PER_LOT_DAYS, days=1), day(2024, 2, 28, 23), day(2024, 3, 1)),
            (Policy(kind=ValidityKind.PER_LOT_DAYS, days=1), day(2023, 2, 28, 23), day(2023, 3, 2)),
            (replace(BUILT_IN, months=1), day(2026, 1, 31, 9), day(2026, 3, 1)),
            (replace(BUILT_IN, months=1), day(2024, 1, 31, 9), day(2024, 3, 1)),
            (replace(BUILT_IN, months=1), day(2024, 1, 29, 9), day(2024, 3, 1)),
            (replace(BUILT_IN, months=1), day(2026, 12, 31, 9), day(2027, 2, 1)),
            (replace(BUILT_IN, months=18), day(2026, 8, 31, 9), day(2028, 3, 1)),
            (RENEWING, day(2024, 2, 29, 9), day(2025, 3, 1)),
            (Policy(kind=ValidityKind.YEAR_END), day(2026, 3, 10), day(2027, 1, 1)),
            (Policy(kind=ValidityKind.YEAR_END), day(2026, 12, 31, 23), day(2027, 1, 1)),
            (Policy(kind=ValidityKind.YEAR_END, years=1), day(2026, 3, 10), day(2028, 1, 1)),
            (Policy(kind=ValidityKind.YEAR_END, month=6, day=30), day(2026, 6, 30, 9), day(2026, 7, 1)),
            (Policy(kind=ValidityKind.YEAR_END, month=6, day=30), day(2026, 7, 1), day(2027, 7, 1)),
            (Policy(kind=ValidityKind.YEAR_END, month=2, day=29), day(2026, 1, 1), day(2026, 3, 1)),
            (Policy(kind=ValidityKind.YEAR_END, month=2, day=29), day(2027, 3, 1), day(2028, 3, 1)),
            (FOR_EVER, day(2026, 3, 10), None),
        ],
    )
    def test_the_last_day_counts_whole(
        self, policy: Policy, given_at: datetime, first_invalid_moment: datetime | None
    ) -> None:
        assert valid_until(policy, given_at) == first_invalid_moment

    def test_a_year_ends_in_the_programme_s_time_zone(self) -> None:
        """16:00 in UTC on 31 December is the new year in Shanghai."""
        policy = Policy(kind=ValidityKind.YEAR_END)

        assert valid_until(policy, datetime(2026, 12, 31, 15, 59, tzinfo=UTC)) == day(2027, 1, 1)
        assert valid_until(policy, datetime(2026, 12, 31, 16, 0, tzinfo=UTC)) == day(2028, 1, 1)

    def test_an_order_succeeds_thirty_days_after_shipping_unless_the_policy_says_otherwise(self) -> None:
        assert succeeds_at(BUILT_IN, NOON) == NOON + timedelta(days=30)
        assert succeeds_at(BUILT_IN, None) is None
        assert succeeds_at(replace(BUILT_IN, success_after_days=None), NOON) is None


@pytest.mark.django_db
class TestInSql:
    """The night and the preview work a policy out in SQL. Both must agree with Python on every day there is."""

    policies = st.one_of(
        st.builds(Policy, kind=st.just(ValidityKind.PER_LOT_DAYS), days=st.integers(1, 4000)),
        st.builds(
            Policy,
            kind=st.sampled_from([ValidityKind.PER_LOT_MONTHS, ValidityKind.ACCOUNT_RENEWAL]),
            months=st.integers(1, 120),
        ),
        st.builds(
            Policy,
            kind=st.just(ValidityKind.YEAR_END),
            years=st.integers(0, 5),
            month=st.integers(1, 12),
            day=st.integers(1, 31),
        ),
        st.just(FOR_EVER),
    )

    @settings(deadline=None, max_examples=200)
    @given(
        policy=policies,
        seconds=st.integers(1_420_000_000, 2_050_000_000),  # 2015 to 2034.
    )
    def test_both_agree(self, policy: Policy, seconds: int) -> None:
        at = datetime.fromtimestamp(seconds, UTC)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT loyalty_valid_until(ROW(%s, %s, %s, %s, %s, %s)::loyalty_validity, %s, %s)",
                [
                    policy.kind.value, policy.days, policy.months, policy.years, policy.month, policy.day, at,
                    str(programme_zone()),
                ],
            )  # fmt: skip
            assert cursor.fetchone()[0] == valid_until(policy, at)

    def test_before_the_first_policy_both_know_the_same_one(self, at: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT loyalty_valid_until(loyalty_policy(0), %s, %s)", [at, str(programme_zone())])
            assert cursor.fetchone()[0] == valid_until(BUILT_IN, at)


@pytest.mark.usefixtures("books_add_up")
class TestVersions:
    def test_a_published_policy_counts_from_its_instant_on(self, at: datetime) -> None:
        publish(HALF_A_YEAR, at=at, effective_from=at + timedelta(days=1))

        assert policy_in_force(at) == BUILT_IN
        assert policy_in_force(at + timedelta(days=1)).months == 6
        assert [policy.version for policy in published_policies()] == [1]

    def test_it_is_frozen(self, at: datetime) -> None:
        publish(HALF_A_YEAR, at=at)

        with pytest.raises(DatabaseError) as error, transaction.atomic():
            ValidityPolicy.objects.update(months=1)
        assert refusal_of(error.value) == APPEND_ONLY

    def test_it_needs_a_reason(self, at: datetime) -> None:
        with pytest.raises(ValueError, match="reason"):
            publish(HALF_A_YEAR, at=at, reason=" ")

    def test_an_order_keeps_the_policy_under_which_it_was_paid(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        paid = replace(bought("1", "100", at=at), status=OrderStatus.PAID, completed_at=None)
        record(shop, [paid], at=at)
        publish(HALF_A_YEAR, at=at + timedelta(hours=1))

        record(shop, [replace(paid, status=OrderStatus.COMPLETED, completed_at=at + timedelta(days=9))], at=at)
        record(shop, [bought("2", "100", at=at + timedelta(days=9))], at=at)

        assert ends(xiaolu) == [day(2027, 3, 20), day(2026, 9, 20)]

    def test_points_of_orders_may_stay_for_ever(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        publish(FOR_EVER, at=at)
        record(shop, [bought("1", "100", at=at)], at=at)

        assert ends(xiaolu) == [None]
        assert expire_due(at + timedelta(days=10_000)).lots == 0

    def test_a_day_begins_where_the_programme_lives(
        self, shop: Channel, xiaolu: Member, at: datetime, settings: Settings
    ) -> None:
        settings.PROGRAMME_TIME_ZONE = "America/New_York"  # There it is still the evening before in Shanghai's morning.
        publish(Policy(kind=ValidityKind.PER_LOT_DAYS, days=1), at=at - timedelta(days=1))

        record(shop, [bought("1", "100", at=day(2026, 3, 10, 8))], at=at)

        assert ends(xiaolu) == [datetime(2026, 3, 11, tzinfo=ZoneInfo("America/New_York"))]


@pytest.mark.usefixtures("books_add_up")
class TestPurchasesRenewTheAccount:
    @pytest.fixture(autouse=True)
    def renewing(self, shop: Channel) -> None:
        publish(RENEWING, at=day(2020, 1, 1))

    def test_each_purchase_renews_all_that_is_still_valid(self, shop: Channel, xiaolu: Member, dayong: Member) -> None:
        record(shop, [bought("1", "100", at=day(2025, 1, 10))], at=day(2025, 1, 10))
        record(shop, [bought("2", "50", at=day(2025, 2, 1), buyer=DAYONG)], at=day(2025, 2, 1))

        record(shop, [bought("3", "30", at=day(2025, 12, 24))], at=day(2025, 12, 24))

        assert ends(xiaolu) == [day(2026, 12, 25), day(2026, 12, 25)]
        assert ends(dayong) == [day(2026, 2, 2)]
        renewal = LotRenewal.objects.get()
        assert (renewal.before, renewal.after, renewal.reason, renewal.policy_version) == (
            day(2026, 1, 11), day(2026, 12, 25), RenewalReason.PURCHASE, 1,
        )  # fmt: skip

    def test_the_same_purchase_renews_once(self, shop: Channel, xiaolu: Member) -> None:
        order = bought("2", "30", at=day(2025, 12, 24))
        record(shop, [bought("1", "100", at=day(2025, 1, 10)), order], at=day(2025, 12, 24))

        record(shop, [order], at=day(2026, 2, 1))
        record(shop, [replace(order, title="Tea")], at=day(2026, 2, 1))

        assert LotRenewal.objects.count() == 1

    def test_what_had_lapsed_before_the_purchase_stays_lapsed(self, shop: Channel, xiaolu: Member) -> None:
        """Even if the night has not come round to take it."""
        record(shop, [bought("1", "100", at=day(2024, 1, 10))], at=day(2024, 1, 10))

        record(shop, [bought("2", "30", at=day(2025, 1, 11))], at=day(2025, 1, 11))

        assert ends(xiaolu) == [day(2025, 1, 11), day(2026, 1, 12)]

    def test_purchases_in_any_order_end_alike(self, shop: Channel, xiaolu: Member) -> None:
        """Three purchases, each within a year of the one before, keep the first points alive to the end."""
        orders = [bought(str(year), "100", at=day(year, 3, 10 - year % 10)) for year in (2023, 2024, 2025)]
        at = day(2025, 3, 12)
        for sequence in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
            with transaction.atomic():
                for number in sequence:
                    record(shop, [orders[number]], at=at)
                assert set(ends(xiaolu)) == {day(2026, 3, 6)}, sequence
                transaction.set_rollback(True)

    def test_points_that_wait_renew_nothing_until_they_are_available(self, shop: Channel, xiaolu: Member) -> None:
        record(shop, [bought("1", "100", at=day(2025, 1, 10))], at=day(2025, 1, 10))
        paid = replace(bought("2", "30", at=day(2025, 6, 1)), status=OrderStatus.PAID, completed_at=None)

        record(shop, [paid], at=day(2025, 6, 1))
        assert not LotRenewal.objects.exists()
        done = replace(paid, status=OrderStatus.COMPLETED, completed_at=day(2025, 6, 9))
        record(shop, [done], at=day(2025, 6, 9))

        assert ends(xiaolu) == [day(2026, 6, 10), day(2026, 6, 10)]

    def test_a_gift_is_no_purchase(self, shop: Channel, xiaolu: Member) -> None:
        record(shop, [bought("1", "100", at=day(2025, 1, 10))], at=day(2025, 1, 10))

        write(earned(xiaolu, 5, key="gift", at=day(2025, 6, 1), expires_at=day(2026, 6, 2)), at=day(2025, 6, 1))

        assert ends(xiaolu) == [day(2026, 1, 11), day(2026, 6, 2)]


@pytest.mark.usefixtures("books_add_up")
class TestReturns:
    def test_a_partial_return_renews_what_stays_for_a_year(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [bought("1", "100", at=at)], at=at)

        record(shop, [bought("1", "100", at=at, refunded="30")], at=day(2026, 8, 1, 9))

        assert (balance(xiaolu), ends(xiaolu)) == (70, [day(2027, 8, 2)])
        assert LotRenewal.objects.get().reason == RenewalReason.PARTIAL_RETURN

    def test_the_same_return_again_renews_nothing(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [bought("1", "100", at=at)], at=at)
        record(shop, [bought("1", "100", at=at, refunded="30")], at=day(2026, 8, 1, 9))

        record(shop, [replace(bought("1", "100", at=at, refunded="30"), title="Tea")], at=day(2026, 9, 1, 9))

        assert ends(xiaolu) == [day(2027, 8, 2)]

    def test_a_further_return_renews_again(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [bought("1", "100", at=at)], at=at)
        record(shop, [bought("1", "100", at=at, refunded="30")], at=day(2026, 8, 1, 9))

        record(shop, [bought("1", "100", at=at, refunded="60")], at=day(2026, 9, 1, 9))

        assert (balance(xiaolu), ends(xiaolu)) == (40, [day(2027, 9, 2)])

    def test_a_return_that_is_known_with_the_order_ends_alike(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [bought("1", "100", at=at, refunded="30")], at=day(2026, 8, 1, 9))

        assert (balance(xiaolu), ends(xiaolu)) == (70, [day(2027, 8, 2)])

    def test_a_whole_return_keeps_the_validity_of_everything(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [bought("1", "100", at=at), bought("2", "50", at=at)], at=at)

        record(shop, [bought("1", "100", at=at, refunded="100")], at=day(2026, 8, 1, 9))

        assert (balance(xiaolu), ends(xiaolu)) == (50, [day(2027, 3, 11)])
        assert not LotRenewal.objects.exists()

    def test_a_corrected_amount_is_no_return(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [bought("1", "100", at=at)], at=at)

        corrected = replace(bought("1", "80", at=at), updated_at=day(2026, 8, 1))
        record(shop, [corrected], at=day(2026, 8, 1, 9))

        assert (balance(xiaolu), ends(xiaolu)) == (80, [day(2027, 3, 11)])

    def test_the_policy_may_leave_it_out(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        publish(replace(BUILT_IN, partial_return_renews=False), at=at)
        record(shop, [bought("1", "100", at=at)], at=at)

        record(shop, [bought("1", "100", at=at, refunded="30")], at=day(2026, 8, 1, 9))

        assert ends(xiaolu) == [day(2027, 3, 11)]

    def test_points_that_lapsed_before_the_return_stay_lapsed(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [bought("1", "100", at=at)], at=at)

        record(shop, [bought("1", "100", at=at, refunded="30")], at=day(2027, 3, 11))
        expire_due(day(2027, 3, 11))

        assert balance(xiaolu) == 0

    def test_points_given_back_to_a_lapsed_lot_live_for_the_days_of_grace(self, xiaolu: Member, at: datetime) -> None:
        publish(replace(BUILT_IN, grace_days=7), at=at)
        write(earned(xiaolu, 50, key="in", at=at, expires_at=at + timedelta(days=1)), at=at)
        burn(xiaolu.pk, 50, key="coupon", at=at)
        later = day(2026, 4, 1, 9)

        undo(xiaolu.pk, "coupon", key="void", at=later, revive_until=revive_until(later))

        assert ends(xiaolu) == [day(2026, 4, 9)]
        renewal = LotRenewal.objects.get()
        assert (renewal.reason, renewal.before) == (RenewalReason.REVIVAL, at + timedelta(days=1))

    def test_without_grace_they_stay_lapsed(self, at: datetime, db: None) -> None:
        assert revive_until(at) is None


@pytest.mark.usefixtures("books_add_up")
class TestRenewing:
    """``renew`` itself."""

    @pytest.fixture(autouse=True)
    def lots(self, xiaolu: Member, at: datetime) -> None:
        write(
            earned(xiaolu, 50, key="short", at=at, expires_at=day(2026, 6, 1)),
            earned(xiaolu, 80, key="long", at=at, expires_at=day(2028, 6, 1)),
            at=at,
        )

    def renewal(self, member: Member, until: datetime | None, key: str = "r") -> Renewal:
        return Renewal(member.pk, key, until, NOON, RenewalReason.POLICY, 1)

    def test_nothing_is_shortened(self, xiaolu: Member, at: datetime) -> None:
        renewed = renew([self.renewal(xiaolu, day(2027, 1, 1))], at=at)

        assert (renewed.lots, renewed.points) == (1, 50)
        assert ends(xiaolu) == [day(2027, 1, 1), day(2028, 6, 1)]

    def test_unless_the_caller_says_so(self, xiaolu: Member, at: datetime) -> None:
        renew([self.renewal(xiaolu, day(2027, 1, 1))], at=at, may_shorten=True)

        assert ends(xiaolu) == [day(2027, 1, 1), day(2027, 1, 1)]

    def test_one_key_renews_once(self, xiaolu: Member, at: datetime) -> None:
        renew([self.renewal(xiaolu, day(2029, 1, 1))], at=at)
        again = renew([self.renewal(xiaolu, day(2035, 1, 1))], at=at)

        assert again.lots == 0
        assert ends(xiaolu) == [day(2029, 1, 1), day(2029, 1, 1)]

    def test_a_lot_may_be_renewed_for_ever(self, xiaolu: Member, at: datetime) -> None:
        renew([self.renewal(xiaolu, None)], at=at)
        renew([self.renewal(xiaolu, day(2035, 1, 1), key="later")], at=at)

        assert ends(xiaolu) == [None, None]

    def test_only_the_journal_writes_renewals(self, xiaolu: Member, at: datetime) -> None:
        renew([self.renewal(xiaolu, None)], at=at)

        with pytest.raises(DatabaseError) as error, transaction.atomic():
            LotRenewal(lot_id=1, effective_at=at, recorded_at=at, key="x", reason="policy", policy_version=1).save()
        assert refusal_of(error.value) == JOURNAL_ONLY
        execute("SET LOCAL loyalty.journal = 'on'")
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            LotRenewal.objects.all().delete()
        assert refusal_of(error.value) == APPEND_ONLY


@pytest.mark.usefixtures("books_add_up")
class TestChangingThePolicy:
    """林小鹿 has 100 points since March 2025 and 50 since January 2026, 王大勇 has 30 that never end."""

    CHANGE = day(2026, 2, 1, 12)

    @pytest.fixture(autouse=True)
    def lots(self, xiaolu: Member, dayong: Member) -> None:
        first, second = day(2025, 3, 10), day(2026, 1, 20)
        write(
            earned(xiaolu, 100, key="first", at=first, expires_at=valid_until(BUILT_IN, first)),
            earned(xiaolu, 50, key="second", at=second, expires_at=valid_until(BUILT_IN, second)),
            earned(dayong, 30, key="gift", at=second),
            at=second,
        )

    def test_the_preview_counts_members_and_points_before_anything_is_saved(
        self, xiaolu: Member, dayong: Member
    ) -> None:
        preview = preview_change(HALF_A_YEAR, self.CHANGE)

        assert preview.total == Touched(2, 180)
        assert preview.shortened == Touched(2, 180)
        assert preview.at_once == Touched(1, 100)
        assert (preview.lengthened, preview.unchanged) == (Touched(), Touched())
        assert preview.months == (
            MonthPoints(date(2026, 2, 1), 0, 100),
            MonthPoints(date(2026, 3, 1), 100, 0),
            MonthPoints(date(2026, 7, 1), 0, 80),
            MonthPoints(date(2027, 1, 1), 50, 0),
            MonthPoints(None, 30, 0),
        )
        biggest = preview.examples[0]
        assert (biggest.member_id, biggest.points, biggest.before, biggest.after) == (
            xiaolu.pk, 100, day(2025 + 1, 3, 11), self.CHANGE,
        )  # fmt: skip
        assert not ValidityPolicy.objects.exists()

    def test_a_longer_policy_shortens_only_what_had_no_end(self) -> None:
        preview = preview_change(TWO_YEARS, self.CHANGE)

        assert (preview.shortened, preview.lengthened) == (Touched(1, 30), Touched(1, 150))
        assert preview.at_once == Touched()

    def test_the_policy_in_force_changes_nothing(self) -> None:
        assert preview_change(BUILT_IN, self.CHANGE).unchanged == Touched(1, 150)

    def test_points_that_have_lapsed_are_not_counted(self) -> None:
        preview = preview_change(HALF_A_YEAR, day(2030, 1, 1))

        assert preview.total == Touched(1, 30)

    def test_by_default_it_counts_for_new_points_only(self, xiaolu: Member) -> None:
        publish(HALF_A_YEAR, at=self.CHANGE)
        before = ends(xiaolu)

        step = apply_policy(self.CHANGE)

        assert (step.lots, ends(xiaolu)) == (0, before)

    def test_existing_points_may_be_lengthened(self, xiaolu: Member, dayong: Member) -> None:
        publish(TWO_YEARS, at=self.CHANGE, existing=ExistingPoints.LENGTHEN_EXISTING)

        step = apply_policy(self.CHANGE)

        assert (step.accounts, step.lots, step.points) == (1, 2, 150)
        assert ends(xiaolu) == [day(2027, 3, 11), day(2028, 1, 21)]
        assert ends(dayong) == [None]

    def test_lengthening_shortens_nothing(self, xiaolu: Member) -> None:
        before = ends(xiaolu)
        publish(HALF_A_YEAR, at=self.CHANGE, existing=ExistingPoints.LENGTHEN_EXISTING)

        apply_policy(self.CHANGE)

        assert ends(xiaolu) == before

    def test_shortening_is_refused_without_a_confirmation(self, xiaolu: Member) -> None:
        with pytest.raises(ShorteningNotConfirmed) as refusal:
            publish(HALF_A_YEAR, at=self.CHANGE, existing=ExistingPoints.APPLY_TO_ALL)

        assert refusal.value.preview.shortened == Touched(2, 180)
        assert not ValidityPolicy.objects.exists()

    def test_with_a_confirmation_it_applies_to_all_and_what_is_over_ends_now(
        self, xiaolu: Member, dayong: Member
    ) -> None:
        publish(HALF_A_YEAR, at=self.CHANGE, existing=ExistingPoints.APPLY_TO_ALL, confirmed=True)

        apply_policy(self.CHANGE)

        assert ends(xiaolu) == [self.CHANGE, day(2026, 7, 21)]
        assert ends(dayong) == [day(2026, 7, 21)]
        assert set(LotRenewal.objects.values_list("reason", "policy_version")) == {("policy", 1)}
        assert expire_due(self.CHANGE).points == 100

    def test_it_is_carried_through_once(self, xiaolu: Member) -> None:
        publish(TWO_YEARS, at=self.CHANGE, existing=ExistingPoints.LENGTHEN_EXISTING)
        apply_policy(self.CHANGE)
        renewals = LotRenewal.objects.count()

        assert apply_policy(self.CHANGE + timedelta(days=1)).lots == 0
        assert LotRenewal.objects.count() == renewals

    def test_interrupted_it_goes_on_where_it_stopped(self, xiaolu: Member, dayong: Member) -> None:
        publish(HALF_A_YEAR, at=self.CHANGE, existing=ExistingPoints.APPLY_TO_ALL, confirmed=True)

        def pull_the_plug(step: object) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            apply_policy(self.CHANGE, progress=pull_the_plug, accounts_per_chunk=1)
        assert LotRenewal.objects.count() == 2
        step = apply_policy(self.CHANGE + timedelta(hours=1), accounts_per_chunk=1)

        assert (step.lots, LotRenewal.objects.count()) == (1, 3)
        assert ends(xiaolu) == [self.CHANGE, day(2026, 7, 21)]

    def test_a_policy_of_the_future_waits_for_its_day(self, xiaolu: Member) -> None:
        tomorrow = self.CHANGE + timedelta(days=1)
        publish(TWO_YEARS, at=self.CHANGE, effective_from=tomorrow, existing=ExistingPoints.LENGTHEN_EXISTING)

        assert apply_policy(self.CHANGE).lots == 0
        assert apply_policy(tomorrow).lots == 2

    def test_a_partial_return_counts_as_the_beginning_of_a_lot(self, shop: Channel, dayong: Member) -> None:
        order = bought("1", "100", at=day(2025, 6, 1), buyer=DAYONG)
        record(shop, [order], at=day(2025, 6, 1))
        record(shop, [replace(order, refunded=Decimal(40))], at=day(2026, 1, 15))
        publish(HALF_A_YEAR, at=self.CHANGE, existing=ExistingPoints.APPLY_TO_ALL, confirmed=True)

        apply_policy(self.CHANGE)

        assert ends(dayong)[-1] == day(2026, 7, 16)

    def test_a_policy_of_purchases_counts_from_the_last_one(self, shop: Channel, dayong: Member) -> None:
        record(shop, [bought("1", "100", at=day(2025, 6, 1), buyer=DAYONG)], at=day(2025, 6, 1))
        record(shop, [bought("2", "10", at=day(2026, 1, 25), buyer=DAYONG)], at=day(2026, 1, 25))
        publish(RENEWING, at=self.CHANGE, existing=ExistingPoints.LENGTHEN_EXISTING)

        apply_policy(self.CHANGE)

        assert ends(dayong) == [None, day(2027, 1, 26), day(2027, 1, 26)]

    def test_what_a_confirmed_change_shortened_is_not_lengthened_by_an_earlier_purchase(
        self, shop: Channel, dayong: Member
    ) -> None:
        publish(RENEWING, at=day(2020, 1, 1))
        record(shop, [bought("1", "100", at=day(2025, 6, 1), buyer=DAYONG)], at=day(2025, 6, 1))
        record(shop, [bought("2", "10", at=day(2025, 9, 1), buyer=DAYONG)], at=day(2025, 9, 1))
        short = replace(RENEWING, months=6)
        publish(short, at=self.CHANGE, existing=ExistingPoints.APPLY_TO_ALL, confirmed=True)
        apply_policy(self.CHANGE)
        assert set(ends(dayong)) == {day(2026, 3, 2), day(2026, 7, 21)}

        record(shop, [bought("3", "10", at=day(2026, 2, 15), buyer=DAYONG)], at=day(2026, 2, 15))

        assert set(ends(dayong)) == {day(2026, 8, 16)}
