"""The points floor in the admin: a journal to read, and an adjustment by hand."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crm.models import Member, StaffAction, User
from loyalty import api as loyalty
from loyalty.admin.adjust import Adjustment
from loyalty.models import Entry
from tests.cast import GivePoints
from tests.staff import Grant

pytestmark = pytest.mark.django_db

JOURNAL = ("account", "entry", "lot", "lotuse")


class TestJournal:
    @pytest.mark.parametrize("model", JOURNAL)
    def test_nobody_adds_to_it_by_hand_not_even_the_owner(self, model: str, admin_client: Client) -> None:
        assert admin_client.get(reverse(f"admin:loyalty_{model}_add")).status_code == 403

    @pytest.mark.parametrize("model", JOURNAL)
    def test_nobody_changes_or_deletes_in_it(
        self, model: str, admin_client: Client, xiaolu: Member, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 300)
        loyalty.burn(xiaolu.pk, 100, key="coupon:1", at=at)
        row = admin_client.get(reverse(f"admin:loyalty_{model}_changelist")).context["cl"].result_list[0]
        change = reverse(f"admin:loyalty_{model}_change", args=[row.pk])
        assert admin_client.get(change).status_code == 200
        assert admin_client.post(change, {"points": "9"}).status_code == 403
        assert admin_client.post(reverse(f"admin:loyalty_{model}_delete", args=[row.pk])).status_code == 403

    def test_an_entry_explains_itself(self, admin_client: Client, xiaolu: Member, give_points: GivePoints) -> None:
        give_points(xiaolu, 300)
        entry = Entry.objects.get()
        line = loyalty.history(xiaolu.pk)[0]
        shown = admin_client.get(reverse("admin:loyalty_entry_change", args=[entry.pk])).content.decode()
        for sentence in (loyalty.headline(line), *loyalty.explain(line)):
            assert sentence in shown

    def test_the_list_is_never_counted(
        self, admin_client: Client, xiaolu: Member, give_points: GivePoints,
        django_assert_num_queries: object,
    ) -> None:  # fmt: skip
        for points in range(1, 40):
            give_points(xiaolu, points)
        url = reverse("admin:loyalty_entry_changelist")
        admin_client.get(url)
        with django_assert_num_queries(2) as queries:  # type: ignore[operator]
            admin_client.get(url)
        assert not any("COUNT" in query["sql"] for query in queries.captured_queries)


class TestAdjust:
    @pytest.fixture
    def clerk(self, grant: Grant, client: Client) -> User:
        user = grant("crm.view_member", "loyalty.view_account", "loyalty.adjust_points")
        client.force_login(user)
        return user

    def post(self, client: Client, member: Member, **data: object) -> Any:
        response: Any = client.post(reverse("admin:loyalty_account_adjust", args=[member.pk]), data, follow=True)
        return response

    def balance(self, member: Member, at: datetime) -> int:
        return loyalty.summary(member.pk, at).balance

    def test_first_it_shows_what_it_leads_to_and_books_nothing(
        self, clerk: User, client: Client, xiaolu: Member, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 300)
        page = self.post(client, xiaolu, points=50, reason="Broken cup")
        assert (page.context["account"].balance, page.context["after"]) == (300, 350)
        assert self.balance(xiaolu, at) == 300

    def test_the_confirmation_books_it_and_says_why_in_both_logs(
        self, clerk: User, client: Client, xiaolu: Member, at: datetime
    ) -> None:
        page = self.post(client, xiaolu, points=50, reason="Broken cup")
        self.post(client, xiaolu, token=page.context["token"])
        line = loyalty.history(xiaolu.pk)[0]
        assert (line.points, line.reason) == (50, "Broken cup")
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.member, action.reason) == (
            "points.adjust", clerk, xiaolu, "Broken cup",
        )  # fmt: skip
        assert action.details == {"points": 50, "balance_after": 50}

    def test_a_second_click_books_nothing(self, clerk: User, client: Client, xiaolu: Member, at: datetime) -> None:
        token = self.post(client, xiaolu, points=50, reason="Broken cup").context["token"]
        self.post(client, xiaolu, token=token)
        self.post(client, xiaolu, token=token)
        assert self.balance(xiaolu, at) == 50
        assert StaffAction.objects.count() == 1

    def test_given_points_are_valid_for_a_year(self, clerk: User, client: Client, xiaolu: Member) -> None:
        token = self.post(client, xiaolu, points=50, reason="Broken cup").context["token"]
        self.post(client, xiaolu, token=token)
        line = loyalty.history(xiaolu.pk)[0]
        assert line.expires_at == loyalty.validity_end(line.recorded_at)

    def test_points_are_taken_away(
        self, clerk: User, client: Client, xiaolu: Member, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 300)
        page = self.post(client, xiaolu, points=-300, reason="Given by mistake")
        self.post(client, xiaolu, token=page.context["token"])
        assert self.balance(xiaolu, at) == 0

    @pytest.mark.usefixtures("clerk")
    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"points": 0, "reason": "Why not"}, "points"),
            ({"points": -301, "reason": "Too much"}, "points"),
            ({"points": 10_000_001, "reason": "A slip"}, "points"),
            ({"points": "ten", "reason": "Words"}, "points"),
            ({"points": 50, "reason": "   "}, "reason"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, data: dict[str, object], field: str, client: Client, xiaolu: Member, give_points: GivePoints
    ) -> None:
        give_points(xiaolu, 300)
        assert field in self.post(client, xiaolu, **data).context["form"].errors

    def test_points_spent_in_the_meantime_are_not_taken(
        self, clerk: User, client: Client, xiaolu: Member, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 300)
        token = self.post(client, xiaolu, points=-300, reason="A mistake").context["token"]
        loyalty.burn(xiaolu.pk, 200, key="coupon:1", at=at)
        page = self.post(client, xiaolu, token=token)
        assert self.balance(xiaolu, at) == 100
        assert [message.level_tag for message in page.context["messages"]] == ["error"]
        assert not StaffAction.objects.exists()

    def test_a_token_for_one_member_is_no_good_for_another(
        self, clerk: User, client: Client, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        token = self.post(client, xiaolu, points=50, reason="Broken cup").context["token"]
        self.post(client, dayong, token=token)
        assert (self.balance(xiaolu, at), self.balance(dayong, at)) == (0, 0)

    def test_a_forged_token_books_nothing(self, clerk: User, client: Client, xiaolu: Member, at: datetime) -> None:
        token = Adjustment(xiaolu.pk, 50, "Broken cup", "n").token()
        self.post(client, xiaolu, token=token[:-1] + ("a" if token[-1] != "a" else "b"))
        assert self.balance(xiaolu, at) == 0

    def test_a_member_that_does_not_exist_has_no_page(self, clerk: User, client: Client) -> None:
        assert client.get(reverse("admin:loyalty_account_adjust", args=[999])).status_code == 404

    @pytest.mark.parametrize("data", [{"points": 50, "reason": "Broken cup"}, {"token": "x"}])
    def test_without_the_permission_nobody_adjusts(
        self, data: dict[str, object], client: Client, grant: Grant, xiaolu: Member
    ) -> None:
        client.force_login(grant("crm.view_member", "crm.change_member", "loyalty.view_account"))
        assert self.post(client, xiaolu, **data).status_code == 403
        assert client.get(reverse("admin:loyalty_account_adjust", args=[xiaolu.pk])).status_code == 403

    def test_the_member_page_offers_it_to_those_who_may(
        self, clerk: User, client: Client, grant: Grant, xiaolu: Member
    ) -> None:
        page, link = reverse("admin:crm_member_change", args=[xiaolu.pk]), f"/{xiaolu.pk}/adjust/"
        assert link in client.get(page).content.decode()
        client.force_login(grant("crm.view_member", "loyalty.view_account"))
        assert link not in client.get(page).content.decode()
