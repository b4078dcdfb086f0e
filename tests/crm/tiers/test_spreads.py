"""How figures are spread over members, counted from their orders."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.choices import OrderStatus, WindowKind
from crm.models import Channel, Member
from crm.tiers.scheme import Scheme
from crm.tiers.spreads import spreads_of
from crm.tiers.windows import Window
from tests.factories import MemberFactory, OrderFactory

pytestmark = pytest.mark.django_db

WINDOWS = {"quarter": Window(WindowKind.DAYS, 90), "always": Window()}


def bought(member: Member, shop: Channel, paid: int | str, at: datetime, refunded: int | str = 0) -> None:
    OrderFactory(
        channel=shop, member=member, status=OrderStatus.COMPLETED, paid=Decimal(paid), refunded=Decimal(refunded),
        completed_at=at,
    )  # fmt: skip


def reaching(metric: str, threshold: int, at: datetime) -> dict[str, int]:
    found = spreads_of(metric, WINDOWS, Scheme(1), at=at)
    return {name: spread.reaching_rounded_down(Decimal(threshold)) for name, spread in found.spreads.items()}


class TestCounting:
    def test_each_window_counts_for_itself(self, xiaolu: Member, dayong: Member, shop: Channel, at: datetime) -> None:
        bought(xiaolu, shop, 700, at - timedelta(days=10))
        bought(xiaolu, shop, 500, at - timedelta(days=200))
        bought(dayong, shop, 900, at - timedelta(days=200))

        assert reaching("spend", 700, at) == {"quarter": 1, "always": 2}
        assert reaching("spend", 1200, at) == {"quarter": 0, "always": 1}
        assert reaching("order_count", 2, at) == {"quarter": 0, "always": 1}

    def test_what_went_back_does_not_count(self, xiaolu: Member, shop: Channel, at: datetime) -> None:
        bought(xiaolu, shop, 700, at - timedelta(days=10), refunded=300)
        assert reaching("spend", 400, at)["always"] == 1
        assert reaching("spend", 410, at)["always"] == 0

    def test_members_without_orders_have_nothing(
        self, xiaolu: Member, dayong: Member, shop: Channel, at: datetime
    ) -> None:
        bought(xiaolu, shop, 700, at - timedelta(days=10))
        found = spreads_of("spend", WINDOWS, Scheme(1), at=at)
        assert (found.members, found.looked_at) == (2, 2)
        assert (found.spreads["always"].members, found.spreads["always"].active) == (2, 1)

    def test_whoever_gave_back_more_than_he_paid_has_nothing_either(
        self, xiaolu: Member, shop: Channel, at: datetime
    ) -> None:
        bought(xiaolu, shop, "0.50", at - timedelta(days=10))
        assert spreads_of("spend", WINDOWS, Scheme(1), at=at).spreads["always"].active == 0

    def test_points_that_the_floor_above_counts_are_counted_too(self, xiaolu: Member, at: datetime) -> None:
        assert spreads_of("points_earned", WINDOWS, Scheme(1), at=at).spreads["always"].active == 0

    def test_an_unknown_metric_is_refused(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(LookupError):
            spreads_of("fame", WINDOWS, Scheme(1), at=at)

    def test_a_shop_without_members_has_an_empty_spread(self, at: datetime, db: None) -> None:
        found = spreads_of("spend", WINDOWS, Scheme(1), at=at)
        assert (found.looked_at, found.spreads["always"].members, found.of_all_rounded_down(3)) == (0, 0, 0)


class TestSample:
    def test_of_many_members_a_sample_stands_for_all(self, shop: Channel, at: datetime) -> None:
        for _number in range(200):
            bought(MemberFactory(), shop, 100, at - timedelta(days=10))
        found = spreads_of("spend", WINDOWS, Scheme(1), at=at, sample=50)
        assert 25 <= found.looked_at <= 80
        spread = found.spreads["always"]
        assert spread.active == found.looked_at
        assert found.of_all_rounded_down(spread.active) == 200

    def test_it_is_the_same_members_every_time(self, shop: Channel, at: datetime) -> None:
        for number in range(100):
            bought(MemberFactory(), shop, 10 * number + 10, at - timedelta(days=10))
        first, second = (spreads_of("spend", WINDOWS, Scheme(1), at=at, sample=30) for _ in range(2))
        assert first == second

    def test_it_takes_the_same_queries_however_many_windows(self, xiaolu: Member, at: datetime) -> None:
        with CaptureQueriesContext(connection) as captured:
            spreads_of("spend", WINDOWS | {"year": Window(WindowKind.DAYS, 365)}, Scheme(1), at=at)
        assert len(captured) == 3
