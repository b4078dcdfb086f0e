"""Changing the validity of points in the admin: the form, what it would do, and the confirmation."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm.models import Member, StaffAction, User
from loyalty.admin.policy import Change
from loyalty.choices import ExistingPoints, ValidityKind
from loyalty.models import Lot, LotRenewal, PolicyApplication, ValidityPolicy
from loyalty.validity import BUILT_IN
from tests.loyalty.postings import earned, write
from tests.staff import Grant

pytestmark = pytest.mark.usefixtures("books_add_up")

PAGE = "admin:loyalty_validitypolicy_add"
FORM = {
    "kind": "per_lot_days", "days": "30", "months": "12", "month": "12", "day": "31", "years": "0",
    "success_after_days": "30", "grace_days": "", "partial_return_renews": "on", "existing": "new_points_only",
    "reason": "Less to owe",
}  # fmt: skip


@pytest.fixture
def owner(grant: Grant, client: Client) -> User:
    user = grant("loyalty.change_validitypolicy")
    client.force_login(user)
    return user


@pytest.fixture
def promised(xiaolu: Member) -> datetime:
    """林小鹿 has 100 points since yesterday; the answer is when they end."""
    now = timezone.now()
    end = now + timedelta(days=364)
    write(earned(xiaolu, 100, key="in", at=now - timedelta(days=1), expires_at=end), at=now)
    return end


def post(client: Client, **data: str) -> Any:
    return client.post(reverse(PAGE), data, follow=True)


def proposed(client: Client, **changes: str) -> Any:
    """The page that says what the change would do."""
    return post(client, **FORM | changes).context


def end_of_the_lot() -> datetime | None:
    return Lot.objects.get().expires_at


def test_the_form_begins_with_what_is_in_force(owner: User, client: Client) -> None:
    form = client.get(reverse(PAGE)).context["form"]

    assert (form["kind"].value(), form["months"].value()) == ("per_lot_months", 12)


def test_before_anything_is_published_the_list_says_what_is_in_force(owner: User, client: Client) -> None:
    page = client.get(reverse("admin:loyalty_validitypolicy_changelist"), headers={"accept-language": "en"})

    assert "Points are valid for 12 months." in page.content.decode()
    assert "This is built in" in page.content.decode()


def test_afterwards_it_says_what_was_published(owner: User, client: Client) -> None:
    post(client, token=proposed(client)["token"])

    page = client.get(reverse("admin:loyalty_validitypolicy_changelist"), headers={"accept-language": "en"})
    assert "Points are valid for 30 days." in page.content.decode()
    assert "This is built in" not in page.content.decode()


def test_first_it_shows_what_it_would_do_and_publishes_nothing(owner: User, client: Client, promised: datetime) -> None:
    page = post(client, **FORM)

    assert (page.context["preview"].shortened.points, page.context["preview"].shortened.members) == (100, 1)
    assert not page.context["must_confirm"]
    assert not ValidityPolicy.objects.exists()


def test_the_confirmation_publishes_it_and_says_why_in_the_staff_log(
    owner: User, client: Client, promised: datetime
) -> None:
    post(client, token=proposed(client)["token"])

    policy = ValidityPolicy.objects.get()
    assert (policy.version, policy.kind, policy.days, policy.published_by) == (1, "per_lot_days", 30, owner)
    action = StaffAction.objects.get()
    assert (action.action, action.actor, action.reason) == ("policy.publish", owner, "Less to owe")
    assert end_of_the_lot() == promised


def test_a_second_click_publishes_nothing(owner: User, client: Client) -> None:
    token = proposed(client)["token"]
    post(client, token=token)
    page = post(client, token=token)

    assert ValidityPolicy.objects.count() == 1
    assert [message.level_tag for message in page.context["messages"]] == ["info"]


@pytest.mark.usefixtures("tasks_at_once", "owner")
class TestExistingPoints:
    def test_shortening_needs_its_box_ticked(self, client: Client, promised: datetime) -> None:
        context = proposed(client, existing="apply_to_all")
        assert context["must_confirm"]

        page = post(client, token=context["token"])

        assert [message.level_tag for message in page.context["messages"]] == ["error"]
        assert not ValidityPolicy.objects.exists()

    def test_with_it_the_points_are_shortened_at_once(
        self, client: Client, promised: datetime, django_capture_on_commit_callbacks: Any
    ) -> None:
        token = proposed(client, existing="apply_to_all")["token"]

        with django_capture_on_commit_callbacks(execute=True):
            post(client, token=token, confirmed="on")

        assert PolicyApplication.objects.get().policy.version == 1
        assert LotRenewal.objects.get().before == promised
        assert end_of_the_lot() < promised  # type: ignore[operator]

    def test_lengthening_needs_no_box(
        self, client: Client, promised: datetime, django_capture_on_commit_callbacks: Any
    ) -> None:
        context = proposed(client, kind="never", existing="lengthen_existing")
        assert not context["must_confirm"]

        with django_capture_on_commit_callbacks(execute=True):
            post(client, token=context["token"])

        assert end_of_the_lot() is None


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"days": "0"}, "days"),
        ({"days": ""}, "days"),
        ({"days": "36501"}, "days"),
        ({"kind": "account_renewal", "months": ""}, "months"),
        ({"kind": "year_end", "month": ""}, "month"),
        ({"kind": "year_end", "day": "32"}, "day"),
        ({"kind": "whenever"}, "kind"),
        ({"reason": " "}, "reason"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(changes: dict[str, str], field: str, client: Client) -> None:
    assert field in proposed(client, **changes)["form"].errors


@pytest.mark.parametrize("kind", ValidityKind)
def test_every_kind_can_be_published_and_is_told_in_the_list(kind: ValidityKind, owner: User, client: Client) -> None:
    post(client, token=proposed(client, kind=kind.value)["token"])

    listed = client.get(reverse("admin:loyalty_validitypolicy_changelist"))
    assert listed.status_code == 200
    assert ValidityPolicy.objects.get().kind == kind
    page = client.get(reverse("admin:loyalty_validitypolicy_change", args=[ValidityPolicy.objects.get().pk]))
    assert page.status_code == 200


def test_a_forged_token_publishes_nothing(owner: User, client: Client) -> None:
    token = Change(BUILT_IN, ExistingPoints.NEW_POINTS_ONLY, "Mine").token()

    post(client, token=token[:-1] + ("a" if token[-1] != "a" else "b"))

    assert not ValidityPolicy.objects.exists()


def test_a_published_policy_is_never_changed_or_deleted(admin_client: Client) -> None:
    post(admin_client, token=proposed(admin_client)["token"])
    policy = ValidityPolicy.objects.get()

    for page in ("change", "delete"):
        address = reverse(f"admin:loyalty_validitypolicy_{page}", args=[policy.pk])
        assert admin_client.post(address, FORM).status_code == 403


def test_changing_needs_the_permission(client: Client, grant: Grant) -> None:
    client.force_login(grant("loyalty.view_validitypolicy", "loyalty.add_validitypolicy"))

    assert client.get(reverse("admin:loyalty_validitypolicy_changelist")).status_code == 200
    assert client.get(reverse(PAGE)).status_code == 403
    assert client.post(reverse(PAGE), FORM).status_code == 403
