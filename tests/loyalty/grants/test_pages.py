"""Giving points to many in the admin: who may do what, what is shown, and the files that come back."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm.models import Member, StaffAction, User
from loyalty.grants import approval, jobs
from loyalty.models import Grant
from tests.factories import MemberFactory
from tests.loyalty.grants.files import BY_NUMBER, checked, csv_file, of
from tests.loyalty.postings import balance
from tests.staff import Grant as GrantPermissions

pytestmark = pytest.mark.usefixtures("books_add_up")

State = Grant.State
LIST = "admin:loyalty_grant_changelist"
ADD = "admin:loyalty_grant_add"


def url(grant: Grant, name: str = "change") -> str:
    return reverse(f"admin:loyalty_grant_{name}", args=[grant.pk])


def signed_in(user: User) -> Client:
    """A browser of somebody's, in English."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def li(grant: GrantPermissions) -> User:
    """Somebody who may make grants."""
    return grant("loyalty.add_grant")


@pytest.fixture
def desk(li: User) -> Client:
    return signed_in(li)


@pytest.fixture
def office(boss: User) -> Client:
    return signed_in(boss)


def upload(desk: Client, *lines: str, header: str = BY_NUMBER, name: str = "points.csv") -> Grant:
    response = desk.post(reverse(ADD), {"upload": csv_file(*lines, header=header, name=name)}, follow=True)
    assert response.status_code == 200
    return Grant.objects.latest("pk")


def run(grant: Grant) -> None:
    jobs.run(grant.pk, clock=timezone.now)
    grant.refresh_from_db()


class TestStory:
    def test_upload_preview_confirmation_and_report(
        self, desk: Client, xiaolu: Member, dayong: Member, no_worker: list[int],
        django_capture_on_commit_callbacks: Any,
    ) -> None:  # fmt: skip
        grant = upload(desk, of(xiaolu, 100), of(dayong, "ten"))
        shown = desk.get(url(grant))
        assert (shown.context["figures"].usual.gives, str(shown.context["cost"])) == (100, "10.00")
        assert "“ten” in column “points” is not a number of points" in shown.content.decode()

        with django_capture_on_commit_callbacks(execute=True):
            desk.post(url(grant, "confirm"), {"reason": "Spring gift"})
        assert no_worker == [grant.pk]
        run(grant)

        result = dict(desk.get(url(grant)).context["result"])
        assert [value for _label, value in result.items()] == [1, 100, 0, 0, 1]
        assert balance(xiaolu) == 100

    def test_a_large_grant_goes_through_two_hands(
        self, desk: Client, office: Client, xiaolu: Member, dayong: Member
    ) -> None:
        grant = upload(desk, of(xiaolu, 600))
        assert "Ask for approval" in desk.get(url(grant)).content.decode()
        desk.post(url(grant, "confirm"), {"reason": "Prize"})
        own = desk.get(url(grant))
        assert "cannot approve it yourself" in own.content.decode()
        assert "approve_form" not in own.context

        office.post(url(grant, "approve"), {"remark": "Congratulations"})
        run(grant)

        assert (grant.state, balance(xiaolu)) == (State.DONE, 600)

    def test_the_same_file_again_says_so_and_asks_twice(self, desk: Client, xiaolu: Member) -> None:
        grant = upload(desk, of(xiaolu, 100))
        desk.post(url(grant, "confirm"), {"reason": "Spring gift"})
        run(grant)
        again = upload(desk, of(xiaolu, 100))

        shown = desk.get(url(again)).content.decode()
        assert "The same file was uploaded on" in shown
        assert f"1 row by grant #{grant.pk}" in shown
        desk.post(url(again, "confirm"), {"reason": "Once more"})
        assert Grant.objects.get(pk=again.pk).state == State.READY
        page = desk.post(url(again, "confirm"), {"reason": "Once more", "again": "on"})
        assert "repeat_reason" in page.context["confirm_form"].errors
        desk.post(url(again, "confirm"), {"reason": "Once more", "again": "on", "repeat_reason": "A second prize"})
        run(again)

        assert balance(xiaolu) == 200

    def test_when_nobody_could_approve_it_the_page_says_so(self, desk: Client, xiaolu: Member) -> None:
        grant = upload(desk, of(xiaolu, 600))
        desk.post(url(grant, "confirm"), {"reason": "Prize"})

        assert desk.get(url(grant)).context["nobody_else"]

    def test_a_no_and_a_call_off_ask_why(self, desk: Client, office: Client, xiaolu: Member) -> None:
        grant = upload(desk, of(xiaolu, 600))
        assert "reason" in desk.post(url(grant, "confirm"), {"reason": " "}).context["confirm_form"].errors
        desk.post(url(grant, "confirm"), {"reason": "Prize"})
        assert "reason" in office.post(url(grant, "reject"), {"reason": ""}).context["reject_form"].errors
        assert "reason" in desk.post(url(grant, "cancel"), {}).context["cancel_form"].errors
        desk.post(url(grant, "cancel"), {"reason": "The wrong file"})

        late = office.post(url(grant, "approve"), {"remark": ""}, follow=True)
        assert [message.level_tag for message in late.context["messages"]] == ["warning"]
        assert Grant.objects.get().state == State.CANCELLED

    def test_a_file_that_cannot_be_read_says_what_to_do(self, desk: Client, db: None) -> None:
        grant = upload(desk, "a,1", header="name,sum")

        assert "The first row must name the columns" in desk.get(url(grant)).content.decode()

    @pytest.mark.parametrize("content", [b"", None])
    def test_no_file_or_an_empty_one_is_asked_for_again(self, content: bytes | None, desk: Client) -> None:
        data = {} if content is None else {"upload": SimpleUploadedFile("x.csv", content)}

        assert "upload" in desk.post(reverse(ADD), data).context["form"].errors
        assert not Grant.objects.exists()

    def test_too_large_a_file_is_refused_before_anything_is_kept(
        self, desk: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("loyalty.admin.grant_forms.MAX_BYTES", 10)

        page = desk.post(reverse(ADD), {"upload": csv_file("1,5", header=BY_NUMBER)})
        assert "upload" in page.context["form"].errors

    def test_a_large_or_packed_file_is_checked_by_a_worker_while_the_page_waits(
        self, desk: Client, monkeypatch: pytest.MonkeyPatch, xiaolu: Member
    ) -> None:
        monkeypatch.setattr("loyalty.admin.grants.CHECK_AT_ONCE", 10)
        grant = upload(desk, of(xiaolu, 5))

        assert grant.state == State.CHECKING
        assert 'hx-trigger="every 1s"' in desk.get(url(grant)).content.decode()
        progress = desk.get(url(grant, "progress"))
        assert "HX-Refresh" not in progress

    def test_when_it_has_stopped_moving_the_page_is_loaded_anew(self, desk: Client, xiaolu: Member) -> None:
        grant = upload(desk, of(xiaolu, 5))

        assert desk.get(url(grant, "progress"))["HX-Refresh"] == "true"

    def test_a_grant_that_stands_still_is_resumed_by_its_maker(self, desk: Client, xiaolu: Member) -> None:
        grant = upload(desk, of(xiaolu, 5))
        desk.post(url(grant, "confirm"), {"reason": "Gift"})
        Grant.objects.filter(pk=grant.pk).update(beat_at=timezone.now() - timedelta(minutes=2))
        assert "no sign of life" in desk.get(url(grant)).content.decode()

        desk.post(url(grant, "resume"))

        assert StaffAction.objects.filter(action="grant.resume").exists()
        assert not desk.get(url(grant)).context["stalled"]

    def test_the_sample_can_be_uploaded_as_it_comes(self, desk: Client, db: None) -> None:
        content = desk.get(reverse("admin:loyalty_grant_sample")).content
        desk.post(reverse(ADD), {"upload": SimpleUploadedFile("points.csv", content)})

        grant = Grant.objects.get()
        assert (grant.state, grant.figures["rows"]) == (State.READY, 2)


class TestReport:
    def test_it_has_every_row_with_its_outcome_and_no_formula(
        self, desk: Client, xiaolu: Member, dayong: Member
    ) -> None:
        grant = upload(desk, of(xiaolu, 100), of(dayong, -5), f"=1+1,{5}", of(xiaolu, 100))
        desk.post(url(grant, "confirm"), {"reason": "Gift"})
        run(grant)

        rows = self.rows(desk.get(url(grant, "rows")))
        assert [(row[0], row[4], row[5]) for row in rows] == [
            ("2", "100", "Given"), ("3", "-5", "Refused"), ("4", "0", "Refused"), ("5", "100", "Left out"),
        ]  # fmt: skip
        assert "can spend 0 points only" in rows[1][7]
        assert not any(cell.startswith("=") for row in rows for cell in row)
        refused = self.rows(desk.get(url(grant, "rows"), {"only": "refused"}))
        assert [row[0] for row in refused] == ["3", "4", "5"]

    def test_the_staff_log_says_who_took_it(self, desk: Client, li: User, xiaolu: Member) -> None:
        grant = upload(desk, of(xiaolu, 5))
        b"".join(desk.get(url(grant, "rows")).streaming_content)  # type: ignore[attr-defined]

        action = StaffAction.objects.get(action="grant.export")
        assert (action.actor, action.details) == (li, {"grant": grant.pk, "refused_only": False})

    def test_phones_and_addresses_are_masked_for_those_who_may_not_see_them(
        self, desk: Client, office: Client, boss: User, xiaolu: Member, grant: GrantPermissions
    ) -> None:
        made = upload(desk, "13900001234,5", "13800000001,5", header="phone,points")
        both = url(made), url(made, "rows")
        for page in both:
            shown = self.text(desk.get(page))
            assert "13900001234" not in shown
            assert "138****0001" in shown

        full = signed_in(grant("loyalty.view_grant", "crm.view_personal_data"))
        for page in both:
            assert "13900001234" in self.text(full.get(page))

    @staticmethod
    def text(response: Any) -> str:
        content = b"".join(response.streaming_content) if response.streaming else response.content
        return str(content.decode("utf-8-sig"))

    @classmethod
    def rows(cls, response: Any) -> list[list[str]]:
        return list(csv.reader(io.StringIO(cls.text(response))))[1:]


class TestWhoMay:
    STEPS = ("confirm", "approve", "reject", "cancel", "resume")
    PAGES = ("change", "progress", "rows")

    @pytest.fixture
    def made(self, li: User, xiaolu: Member) -> Grant:
        return checked(csv_file(of(xiaolu, 600), header=BY_NUMBER), li, timezone.now())

    def test_without_a_permission_there_is_nothing(self, made: Grant, grant: GrantPermissions) -> None:
        stranger = signed_in(grant("crm.view_member", "loyalty.view_account"))

        assert stranger.get(reverse(LIST)).status_code == 403
        assert stranger.get(reverse(ADD)).status_code == 403
        assert stranger.post(reverse(ADD), {"upload": csv_file("1,5", header=BY_NUMBER)}).status_code == 403
        assert stranger.get(reverse("admin:loyalty_grant_sample")).status_code == 403
        for page in self.PAGES:
            assert stranger.get(url(made, page)).status_code == 403
        for step in self.STEPS:
            assert stranger.post(url(made, step), {"reason": "x"}).status_code == 403
        assert Grant.objects.get().state == State.READY

    def test_another_maker_sees_nothing_of_it(self, made: Grant, grant: GrantPermissions) -> None:
        colleague = signed_in(grant("loyalty.add_grant"))

        assert list(colleague.get(reverse(LIST)).context["cl"].result_list) == []
        for page in self.PAGES:
            assert colleague.get(url(made, page)).status_code == 404
        for step in ("confirm", "cancel", "resume"):
            assert colleague.post(url(made, step), {"reason": "x"}).status_code == 404

    def test_whoever_may_only_look_takes_no_step(self, made: Grant, grant: GrantPermissions) -> None:
        viewer = signed_in(grant("loyalty.view_grant"))

        page = viewer.get(url(made))
        assert page.status_code == 200
        assert not any(f"{step}_form" in page.context for step in self.STEPS)
        for step in ("confirm", "approve", "reject", "cancel"):
            assert viewer.post(url(made, step), {"reason": "x"}).status_code == 403
        assert Grant.objects.get().state == State.READY

    def test_an_approver_does_not_confirm_for_the_maker(self, made: Grant, office: Client) -> None:
        assert office.post(url(made, "confirm"), {"reason": "x"}).status_code == 403

    def test_nobody_approves_his_own_not_even_the_owner(self, xiaolu: Member, admin_client: Client) -> None:
        made = upload(admin_client, of(xiaolu, 600))
        admin_client.post(url(made, "confirm"), {"reason": "Prize"})

        answer = admin_client.post(url(made, "approve"), {"remark": ""}, follow=True)

        assert [message.level_tag for message in answer.context["messages"]][-1] == "error"
        assert Grant.objects.get().state == State.WAITING

    def test_steps_are_taken_by_buttons_and_not_by_links(self, made: Grant, desk: Client) -> None:
        for step in self.STEPS:
            assert desk.get(url(made, step)).status_code == 405

    def test_nobody_changes_or_deletes_a_grant(self, made: Grant, admin_client: Client) -> None:
        assert admin_client.post(url(made), {"reason": "x"}).status_code == 403
        assert admin_client.post(url(made, "delete")).status_code == 403

    @pytest.mark.parametrize("number", ["0", "99999999999999999999", "seven"])
    def test_a_grant_that_does_not_exist_has_no_page(self, number: str, desk: Client) -> None:
        assert desk.get(f"/admin/loyalty/grant/{number}/change/").status_code == 404


class TestChosenMembers:
    @pytest.fixture
    def clerk(self, grant: GrantPermissions) -> Client:
        return signed_in(grant("crm.view_member", "loyalty.add_grant"))

    @staticmethod
    def act(client: Client, *members: Member, query: str = "", **data: object) -> Any:
        given = {"action": "give_points", "_selected_action": [member.pk for member in members], **data}
        return client.post(reverse("admin:crm_member_changelist") + query, given, follow=True)

    def test_the_selected_members_get_one_number_of_points(self, clerk: Client, xiaolu: Member, dayong: Member) -> None:
        stranger = MemberFactory()
        form = self.act(clerk, xiaolu, dayong)
        assert form.context["number"] == 2
        self.act(clerk, xiaolu, dayong, apply="1", points="50")

        made = Grant.objects.get()
        assert sorted(made.rows.values_list("member_id", "points")) == [(xiaolu.pk, 50), (dayong.pk, 50)]
        clerk.post(url(made, "confirm"), {"reason": "Survey"})
        run(made)
        assert (balance(xiaolu), balance(dayong)) == (50, 50)
        assert not made.rows.filter(member=stranger).exists()

    def test_all_that_match_the_filter_may_be_meant(self, clerk: Client, xiaolu: Member, dayong: Member) -> None:
        teas = MemberFactory.create_batch(40, name="Tea lover")
        self.act(clerk, teas[0], query="?q=Tea", select_across="1", apply="1", points="5")

        assert set(Grant.objects.get().rows.values_list("member_id", flat=True)) == {member.pk for member in teas}

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"points": "0"}, "points"), ({"points": "ten"}, "points"), ({"points": "1.5"}, "points"),
            ({"points": "10000001"}, "points"), ({"points": ""}, "points"),
            ({"points": "5", "valid_through": "2020-01-01"}, "valid_through"),
            ({"points": "5", "valid_through": "9999-01-01"}, "valid_through"),
            ({"points": "-5", "valid_through": "2050-01-01"}, "valid_through"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_refused(self, data: dict[str, str], field: str, clerk: Client, xiaolu: Member) -> None:
        assert field in self.act(clerk, xiaolu, apply="1", **data).context["form"].errors
        assert not Grant.objects.exists()

    def test_the_list_offers_it_to_those_who_may(self, clerk: Client, grant: GrantPermissions, xiaolu: Member) -> None:
        page = reverse("admin:crm_member_changelist")
        assert "give_points" in clerk.get(page).content.decode()
        stranger = signed_in(grant("crm.view_member", "crm.change_member"))
        assert "give_points" not in stranger.get(page).content.decode()
        self.act(stranger, xiaolu, apply="1", points="5")
        assert not Grant.objects.exists()


class TestLargeAdjustment:
    """More than five hundred points to one member is for two people, by whichever page it is done."""

    @pytest.fixture
    def clerk(self, grant: GrantPermissions) -> Client:
        return signed_in(grant("crm.view_member", "loyalty.view_account", "loyalty.adjust_points"))

    @staticmethod
    def adjust(clerk: Client, member: Member, points: int) -> Any:
        page = reverse("admin:loyalty_account_adjust", args=[member.pk])
        token = clerk.post(page, {"points": points, "reason": "A prize"}).context["token"]
        return clerk.post(page, {"token": token}, follow=True), (page, token)

    def test_it_waits_for_a_second_person(self, clerk: Client, office: Client, xiaolu: Member, boss: User) -> None:
        answer, _form = self.adjust(clerk, xiaolu, 501)

        made = Grant.objects.get()
        assert answer.redirect_chain[-1][0] == url(made)
        assert (made.state, made.source, made.reason) == (State.WAITING, Grant.Source.ADJUSTMENT, "A prize")
        office.post(url(made, "approve"), {"remark": ""})
        run(made)
        assert balance(xiaolu) == 501

    def test_up_to_the_limit_it_is_booked_at_once(self, clerk: Client, xiaolu: Member) -> None:
        self.adjust(clerk, xiaolu, 500)

        assert not Grant.objects.exists()
        assert balance(xiaolu) == 500

    def test_a_second_click_asks_nobody_twice(self, clerk: Client, xiaolu: Member) -> None:
        _answer, (page, token) = self.adjust(clerk, xiaolu, 501)
        again = clerk.post(page, {"token": token}, follow=True)

        assert Grant.objects.count() == 1
        assert [message.level_tag for message in again.context["messages"]] == ["info"]

    def test_the_same_adjustment_another_time_is_another_one(self, clerk: Client, xiaolu: Member, boss: User) -> None:
        for _ in range(2):
            self.adjust(clerk, xiaolu, 501)
        for made in Grant.objects.all():
            approval.approve(made.pk, actor_id=boss.pk, at=timezone.now())
            run(made)

        assert balance(xiaolu) == 1002
