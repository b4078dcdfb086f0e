"""The report of the closed days in the admin."""

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from crm.models import Member, StaffAction
from loyalty.close import close_due_days
from loyalty.models import DayClose, LiabilityRate
from loyalty.movements import adjust, burn
from tests.loyalty.postings import earned, returned, write
from tests.staff import Grant

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LIST = "admin:loyalty_dayclose_changelist"
EXPORT = "admin:loyalty_dayclose_export"


@pytest.fixture
def closed(xiaolu: Member, at: datetime) -> None:
    """Three days of 林小鹿: 12,345 points earned, 345 spent, and then her order taken back, which leaves a debt."""
    write(earned(xiaolu, 12_345, key="in", at=at), at=at)
    burn(xiaolu.pk, 345, key="out", at=at + DAY)
    adjust(xiaolu.pk, -5, key="slip", at=at + DAY, reason="Too much", actor_id=None)
    write(returned(xiaolu, 12_345, key="back", about_key="in", at=at + 2 * DAY), at=at + 2 * DAY)
    close_due_days(at + 3 * DAY)


def page(client: Client, number: int) -> str:
    return client.get(reverse("admin:loyalty_dayclose_change", args=[number])).content.decode()


@pytest.mark.usefixtures("closed")
class TestReport:
    def test_the_list_has_a_line_for_each_day_and_the_chart_its_figures(self, admin_client: Client) -> None:
        response = admin_client.get(reverse(LIST))

        assert [close.closing for close in response.context["cl"].result_list] == [-350, 11_995, 12_345]
        assert response.context["chart"]["months"] == ["03-10", "03-11", "03-12"]
        assert [series["values"] for series in response.context["chart"]["series"]] == [
            [12_345, 0, 0], [0, 350, 12_345],
        ]  # fmt: skip
        assert "echarts.simple.min.js" in response.content.decode()

    def test_a_day_s_page_writes_its_equation_out(self, admin_client: Client) -> None:
        response = admin_client.get(reverse("admin:loyalty_dayclose_change", args=[2]))

        (_, steps), *_ = response.context["equations"]
        assert [(step.sign, step.points) for step in steps] == [("", 12_345), ("−", 345), ("−", 5), ("=", 11_995)]
        assert "11,995" in response.content.decode()

    def test_it_says_what_the_points_will_cost_and_how_that_is_known(self, admin_client: Client) -> None:
        shown = admin_client.get(reverse("admin:loyalty_dayclose_change", args=[1]), headers={"accept-language": "en"})

        assert (shown.context["counted"], shown.context["cost"], shown.context["breakage"]) == (12_345, "0.1", "0.00%")
        assert "1,234.50" in shown.content.decode()

    def test_a_debt_is_explained(self, admin_client: Client) -> None:
        assert "pk-note-warning" not in page(admin_client, 2)
        assert "pk-note-warning" in page(admin_client, 3)

    def test_the_days_are_linked_in_their_order(self, admin_client: Client) -> None:
        shown = page(admin_client, 2)

        assert reverse("admin:loyalty_dayclose_change", args=[1]) in shown
        assert reverse("admin:loyalty_dayclose_change", args=[3]) in shown

    def test_a_day_that_was_not_closed_has_no_page(self, admin_client: Client) -> None:
        assert admin_client.get(reverse("admin:loyalty_dayclose_change", args=[9])).status_code == 404
        assert admin_client.get(reverse("admin:loyalty_dayclose_change", args=["nine"])).status_code == 404

    def test_nobody_changes_a_closed_day_not_even_the_owner(self, admin_client: Client) -> None:
        assert admin_client.get(reverse("admin:loyalty_dayclose_add")).status_code == 403
        change = reverse("admin:loyalty_dayclose_change", args=[1])
        assert admin_client.post(change, {"burned": "1"}).status_code == 403
        assert admin_client.post(reverse("admin:loyalty_dayclose_delete", args=[1])).status_code == 403

    def test_without_the_permission_there_is_nothing_to_see(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("loyalty.view_account"))

        assert client.get(reverse(LIST)).status_code == 403
        assert client.get(reverse("admin:loyalty_dayclose_change", args=[1])).status_code == 403


def test_before_the_first_close_the_list_says_so(admin_client: Client) -> None:
    response = admin_client.get(reverse(LIST))

    assert response.status_code == 200
    assert response.context["chart"] is None


@pytest.mark.usefixtures("closed")
class TestDownload:
    def test_it_has_every_day_and_the_staff_log_says_who_took_it(self, client: Client, grant: Grant) -> None:
        clerk = grant("loyalty.view_dayclose", "loyalty.export_dayclose")
        client.force_login(clerk)
        assert reverse(EXPORT) in client.get(reverse(LIST)).content.decode()

        response = client.get(reverse(EXPORT))

        rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
        assert [(row[0], row[1], row[12]) for row in rows[1:]] == [
            ("2026-03-10", "0", "12345"), ("2026-03-11", "12345", "11995"), ("2026-03-12", "11995", "-350"),
        ]  # fmt: skip
        assert [len(row) for row in rows] == [len(rows[0])] * 4
        action = StaffAction.objects.get(action="closes.export")
        assert (action.actor_id, action.details) == (clerk.pk, {"days": 3})

    def test_who_may_only_look_cannot_download(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("loyalty.view_dayclose"))

        assert reverse(EXPORT) not in client.get(reverse(LIST)).content.decode()
        assert client.get(reverse(EXPORT)).status_code == 403
        assert not StaffAction.objects.filter(action="closes.export").exists()


class TestCost:
    DATA = {"effective_from_0": "2026-03-12", "effective_from_1": "00:00:00", "reason": "100 points are 2 yuan"}

    def test_publishing_makes_the_next_version_and_is_in_the_staff_log(self, client: Client, grant: Grant) -> None:
        clerk = grant("loyalty.add_liabilityrate", "loyalty.view_liabilityrate")
        client.force_login(clerk)

        for cost in ("0.02", "0.03"):
            client.post(reverse("admin:loyalty_liabilityrate_add"), {**self.DATA, "cost_per_point": cost})

        versions = LiabilityRate.objects.order_by("version").values_list("version", "cost_per_point", "published_by_id")
        assert list(versions) == [(1, Decimal("0.02"), clerk.pk), (2, Decimal("0.03"), clerk.pk)]
        assert StaffAction.objects.filter(action="liability.publish", actor=clerk).count() == 2

    def test_less_than_nothing_is_refused(self, admin_client: Client) -> None:
        response = admin_client.post(
            reverse("admin:loyalty_liabilityrate_add"), {**self.DATA, "cost_per_point": "-0.01"}
        )

        assert response.context["adminform"].form.errors.keys() == {"cost_per_point"}
        assert not LiabilityRate.objects.exists()

    def test_a_published_cost_is_frozen(self, admin_client: Client, at: datetime) -> None:
        admin_client.post(reverse("admin:loyalty_liabilityrate_add"), {**self.DATA, "cost_per_point": "0.02"})
        rate = LiabilityRate.objects.get()

        change = reverse("admin:loyalty_liabilityrate_change", args=[rate.pk])
        assert admin_client.post(change, {**self.DATA, "cost_per_point": "9"}).status_code == 403
        assert admin_client.get(change).status_code == 200
        assert DayClose.objects.count() == 0
