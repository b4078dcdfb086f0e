"""Points of old orders that count from the day of their import, where the seller wants it so."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, ImportJob, Member, StaffAction, User
from crm.orders import record
from loyalty import tasks
from loyalty.choices import ValidityKind
from loyalty.models import ImportRenewal, Lot, LotRenewal
from loyalty.nightly import run_nightly
from loyalty.past_purchases import renewing
from loyalty.policies import publish_policy
from loyalty.validity import Policy, programme_zone
from tests.factories import ChannelFactory, StaffFactory
from tests.loyalty.postings import balance
from tests.loyalty.recording import digest
from tests.staff import Grant as GrantPermissions

pytestmark = pytest.mark.usefixtures("books_add_up")

BUYER = BuyerRecord("小鹿爱喝茶")


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The renewals that were sent to a worker, who is not at home."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.renew_import, "delay", sent.append)
    return sent


@pytest.fixture
def owner(db: None) -> User:
    user: User = StaffFactory(username="owner")
    return user


def bought(number: str, at: datetime, yuan: int = 100) -> OrderRecord:
    return OrderRecord(
        number, 2, status=OrderStatus.COMPLETED, buyer=BUYER, paid=Decimal(yuan), placed_at=at, paid_at=at,
        completed_at=at,
    )  # fmt: skip


def imported(shop: Channel, *orders: OrderRecord, at: datetime) -> ImportJob:
    """Record orders as an import that began a second before and ended a second later."""
    second = timedelta(seconds=1)
    record(shop, orders, at=at)
    return ImportJob.objects.create(
        channel=shop, state=ImportJob.State.DONE, created_at=at, started_at=at - second, finished_at=at + second
    )


def renewed(job: ImportJob, owner: User, at: datetime, batch: int = renewing.BATCH) -> ImportRenewal:
    renewal = renewing.start(job.pk, actor_id=owner.pk, at=at, reason="Old friends")
    renewing.run(renewal.pk, clock=lambda: at, batch=batch)
    return ImportRenewal.objects.get(pk=renewal.pk)


def last_days() -> list[str]:
    ends = Lot.objects.order_by("entry__key").values_list("expires_at", flat=True)
    zone, moment = programme_zone(), timedelta(seconds=1)
    return [(end - moment).astimezone(zone).date().isoformat() if end else "never" for end in ends]


# The stories happen on 10 March 2026, and points live for twelve months.
A_YEAR_AND_MORE, HALF_A_YEAR = timedelta(days=430), timedelta(days=180)


class TestTheChoice:
    def test_without_it_the_points_count_from_the_purchase(self, xiaolu: Member, shop: Channel, at: datetime) -> None:
        imported(shop, bought("1", at - HALF_A_YEAR), bought("2", at - A_YEAR_AND_MORE), at=at)

        assert last_days() == ["2026-09-11", "2026-01-04"]

    def test_with_it_those_that_lapse_sooner_and_those_that_have_lapsed_count_from_today(
        self, xiaolu: Member, shop: Channel, owner: User, at: datetime
    ) -> None:
        job = imported(shop, bought("1", at - HALF_A_YEAR), bought("2", at - A_YEAR_AND_MORE, 30), at=at)

        seen = renewing.preview(job.pk, at=at)
        assert (seen.lots, seen.members, seen.points, seen.ended, seen.gone) == (2, 1, 130, 30, 0)
        done = renewed(job, owner, at)

        assert last_days() == ["2027-03-10", "2027-03-10"]
        assert (done.lots, done.points, done.finished_at) == (2, 130, at)
        assert set(LotRenewal.objects.values_list("reason", flat=True)) == {"past_purchase"}
        run_nightly(at + timedelta(days=1), at=at + timedelta(days=1))
        assert balance(xiaolu) == 130

    def test_what_a_night_has_cleared_away_stays_away_and_the_preview_says_so(
        self, xiaolu: Member, shop: Channel, at: datetime
    ) -> None:
        job = imported(shop, bought("2", at - A_YEAR_AND_MORE, 30), at=at)
        run_nightly(at + timedelta(days=1), at=at + timedelta(days=1))

        seen = renewing.preview(job.pk, at=at + timedelta(days=1))

        assert (seen.lots, seen.gone) == (0, 30)

    def test_orders_of_other_imports_and_channels_stay_as_they_are(
        self, xiaolu: Member, shop: Channel, owner: User, at: datetime
    ) -> None:
        record(shop, [bought("1", at - HALF_A_YEAR)], at=at - timedelta(hours=1))
        record(ChannelFactory(), [bought("9", at - HALF_A_YEAR)], at=at)
        job = imported(shop, bought("2", at - HALF_A_YEAR), at=at)

        renewed(job, owner, at)

        assert sorted(last_days()) == ["2026-09-11", "2026-09-11", "2027-03-10"]

    def test_nothing_is_ever_shortened(self, xiaolu: Member, shop: Channel, owner: User, at: datetime) -> None:
        job = imported(shop, bought("1", at - timedelta(days=10)), at=at)
        days = Policy(kind=ValidityKind.PER_LOT_DAYS, days=30)
        publish_policy(days, effective_from=at, at=at, actor_id=None, reason="Less to owe")

        assert renewing.preview(job.pk, at=at).lots == 0
        renewed(job, owner, at)

        assert last_days() == ["2027-02-28"]

    def test_under_a_policy_without_end_they_have_none(
        self, xiaolu: Member, shop: Channel, owner: User, at: datetime
    ) -> None:
        job = imported(shop, bought("1", at - A_YEAR_AND_MORE), at=at)
        publish_policy(Policy(kind=ValidityKind.NEVER), effective_from=at, at=at, actor_id=None, reason="For ever")

        renewed(job, owner, at)

        assert last_days() == ["never"]


class TestOnceOnly:
    def test_an_import_is_renewed_once(self, xiaolu: Member, shop: Channel, owner: User, at: datetime) -> None:
        job = imported(shop, bought("1", at - HALF_A_YEAR), at=at)
        renewed(job, owner, at)

        with pytest.raises(renewing.RenewedBefore):
            renewing.start(job.pk, actor_id=owner.pk, at=at + timedelta(days=90), reason="Once more")

    def test_a_worker_that_begins_anew_renews_no_lot_twice(
        self, xiaolu: Member, shop: Channel, owner: User, at: datetime
    ) -> None:
        job = imported(shop, bought("1", at - HALF_A_YEAR), bought("2", at - HALF_A_YEAR), at=at)
        renewal = renewed(job, owner, at, batch=1)
        ImportRenewal.objects.filter(pk=renewal.pk).update(after_lot=0, finished_at=None)
        before = digest()

        renewing.run(renewal.pk, clock=lambda: at + timedelta(hours=1))

        assert digest() == before

    def test_an_import_that_has_not_ended_cannot_be_renewed(self, shop: Channel, owner: User, at: datetime) -> None:
        job = ImportJob.objects.create(channel=shop, state=ImportJob.State.RUNNING, created_at=at, started_at=at)

        with pytest.raises(renewing.NotFinished):
            renewing.start(job.pk, actor_id=owner.pk, at=at, reason="Too early")

    def test_one_whose_message_was_lost_is_sent_again(
        self, xiaolu: Member, shop: Channel, owner: User, at: datetime, no_worker: list[int]
    ) -> None:
        job = imported(shop, bought("1", at - HALF_A_YEAR), at=at)
        renewal = renewing.start(job.pk, actor_id=owner.pk, at=at, reason="Old friends")

        assert renewing.take_up_stalled(at=at + timedelta(seconds=30)) == []
        assert renewing.take_up_stalled(at=at + timedelta(minutes=2)) == [renewal.pk]


class TestConvergence:
    @pytest.mark.parametrize("sequence", list(permutations((0, 1, 2))))
    def test_the_same_orders_in_any_sequence_end_the_same_and_again_change_nothing(
        self, sequence: tuple[int, ...], xiaolu: Member, shop: Channel, owner: User, at: datetime
    ) -> None:
        orders = [bought("1", at - HALF_A_YEAR), bought("2", at - A_YEAR_AND_MORE), bought("3", at)]
        job = imported(shop, *(orders[place] for place in sequence), at=at)

        renewed(job, owner, at)
        after = digest()
        record(shop, orders, at=at + timedelta(hours=2))

        assert last_days() == ["2027-03-10"] * 3
        assert digest() == after


class TestThePage:
    URL = "admin:loyalty_importrenewal_add"

    def test_it_needs_its_own_permission(self, grant: GrantPermissions, client: Client) -> None:
        client.force_login(grant("loyalty.add_grant", "loyalty.view_importrenewal", "crm.add_importjob"))
        assert client.get(reverse(self.URL)).status_code == 403

        client.force_login(grant("loyalty.add_importrenewal"))
        assert client.get(reverse(self.URL)).status_code == 200

    def test_it_previews_asks_for_a_reason_and_renews_once(
        self, xiaolu: Member, shop: Channel, grant: GrantPermissions, client: Client, no_worker: list[int]
    ) -> None:
        now = timezone.now()
        job = imported(shop, bought("1", now - HALF_A_YEAR), at=now)
        client.force_login(grant("loyalty.add_importrenewal"))

        page = client.get(reverse(self.URL), {"job": job.pk})
        assert page.context["preview"].points == 100
        page = client.post(reverse(self.URL), {"job": job.pk, "reason": " "})
        assert page.context["reason_form"].errors
        with_reason = {"job": job.pk, "reason": "Old friends"}
        assert client.post(reverse(self.URL), with_reason).status_code == 302
        client.post(reverse(self.URL), with_reason)

        assert ImportRenewal.objects.get().reason == "Old friends"
        assert StaffAction.objects.get(action="import.renew").reason == "Old friends"

    @pytest.mark.parametrize("job", ["0", "x", "999999"])
    def test_an_import_that_is_not_there_is_refused(self, job: str, grant: GrantPermissions, client: Client) -> None:
        client.force_login(grant("loyalty.add_importrenewal"))

        page = client.get(reverse(self.URL), {"job": job})

        assert (page.status_code, page.context["preview"]) == (200, None)
        assert page.context["form"].errors
