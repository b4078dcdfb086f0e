"""Members out to a spreadsheet and back in."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import translation
from import_export.formats.base_formats import CSV, XLSX
from tablib import Dataset

from crm.models import Channel, Identity, Member, StaffAction, User
from crm.resources import MemberResource
from tests.factories import IdentityFactory, MemberFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

FORMATS = {"csv": "0", "xlsx": "1"}
MAY_IMPORT = ("crm.view_member", "crm.add_member", "crm.change_member", "crm.view_personal_data")


@pytest.fixture
def awkward(shop: Channel, at: datetime) -> Member:
    """A member with everything that spreadsheets break."""
    member = MemberFactory(
        name="=HYPERLINK(1)", email="a+b@example.com", phone="447700900123", birthday=at.date().replace(year=1990),
        note="'quoted'\nsecond line", joined_at=at.replace(microsecond=123456),
    )  # fmt: skip
    IdentityFactory(channel=shop, member=member, external_id="@odd:name")
    IdentityFactory(channel=shop, member=member, external_id="second; name")
    return member


def exported(kind: str, *, full: bool = True) -> Dataset:
    """Export everybody through a real file of this kind, and read that file again."""
    fmt: Any = {"csv": CSV, "xlsx": XLSX}[kind]()
    members = Member.objects.order_by("pk").prefetch_related("identities__channel")
    data = MemberResource(full=full).export(members, force_native_type=kind == "xlsx")
    dataset: Dataset = fmt.create_dataset(fmt.export_data(data))
    return dataset


def imported(dataset: Dataset, at: datetime) -> Any:
    return MemberResource(full=True, at=at).import_data(
        dataset, dry_run=False, raise_errors=False, use_transactions=True
    )


def table(*rows: dict[str, Any]) -> Dataset:
    dataset = Dataset(headers=list(rows[0]))
    for row in rows:
        dataset.append(list(row.values()))
    return dataset


def snapshot() -> list[tuple[Any, ...]]:
    return [
        *Member.objects.order_by("pk").values_list("pk", "name", "email", "phone", "birthday", "note", "joined_at"),
        *Identity.objects.order_by("pk").values_list("pk", "member", "external_id"),
    ]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_goes_out_comes_back_as_no_change(
    kind: str, awkward: Member, xiaolu: Member, dayong: Member, at: datetime
) -> None:
    before = snapshot()
    result = imported(exported(kind), at)
    assert not result.has_validation_errors()
    assert result.totals["skip"] == 3
    assert snapshot() == before


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_cell_of_an_export_is_a_formula(kind: str, awkward: Member) -> None:
    for cell in exported(kind)[0]:
        assert not str(cell).startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_masked_export_never_overwrites_what_is_stored(
    kind: str, awkward: Member, xiaolu: Member, at: datetime
) -> None:
    before = snapshot()
    masked = exported(kind, full=False)
    assert "xiaolu@example.com" not in str(masked.dict)
    assert "447700900123" not in str(masked.dict)
    assert imported(masked, at).totals["skip"] == 2
    assert snapshot() == before


def test_titles_are_understood_in_every_language(xiaolu: Member, at: datetime) -> None:
    with translation.override("zh-hans"):
        chinese = exported("csv")
    with translation.override("en"):
        assert imported(chinese, at).totals["skip"] == 1


def test_a_changed_cell_changes_the_member(xiaolu: Member, at: datetime) -> None:
    result = imported(table({"id": xiaolu.pk, "note": "Likes green tea", "phone": "13900000002"}), at)
    xiaolu.refresh_from_db()
    assert result.totals["update"] == 1
    assert (xiaolu.note, xiaolu.phone) == ("Likes green tea", "13900000002")


def test_columns_that_are_missing_are_left_alone(xiaolu: Member, at: datetime) -> None:
    imported(table({"id": xiaolu.pk, "name": "Lin"}), at)
    xiaolu.refresh_from_db()
    assert (xiaolu.name, xiaolu.email) == ("Lin", "xiaolu@example.com")


def test_an_empty_cell_empties_the_field(xiaolu: Member, at: datetime) -> None:
    imported(table({"id": xiaolu.pk, "email": ""}), at)
    xiaolu.refresh_from_db()
    assert xiaolu.email == ""


def test_a_spreadsheets_own_numbers_and_dates_are_understood(xiaolu: Member, at: datetime) -> None:
    row = {"id": float(xiaolu.pk), "phone": 13900000002.0, "birthday": at.replace(year=1990, tzinfo=None)}
    imported(table(row), at)
    xiaolu.refresh_from_db()
    assert (xiaolu.phone, str(xiaolu.birthday)) == ("13900000002", "1990-03-10")


def test_a_row_without_an_id_is_recognised_by_an_identity(xiaolu: Member, at: datetime) -> None:
    imported(table({"identities": "tea:小鹿爱喝茶", "name": "Lin"}), at)
    xiaolu.refresh_from_db()
    assert xiaolu.name == "Lin"
    assert Member.objects.count() == 1


def test_a_new_member_comes_with_an_identity(shop: Channel, at: datetime) -> None:
    result = imported(table({"identities": "tea:mei_chen", "name": "陈美", "email": "Mei@Example.com"}), at)
    member = Identity.objects.get(channel=shop, external_id="mei_chen").member
    assert result.totals["new"] == 1
    assert (member.name, member.email, member.joined_at) == ("陈美", "mei@example.com", at)


def test_the_same_new_members_again_are_no_change(shop: Channel, at: datetime) -> None:
    rows = [{"identities": f"tea:buyer{number}", "name": f"Buyer {number}"} for number in range(5)]
    imported(table(*rows), at)
    assert imported(table(*rows), at).totals["skip"] == 5
    assert Member.objects.count() == 5


def test_a_known_member_gets_a_further_identity(shop: Channel, xiaolu: Member, at: datetime) -> None:
    imported(table({"id": xiaolu.pk, "identities": "tea:小鹿爱喝茶\ntea:xiaolu_2"}), at)
    assert set(xiaolu.identities.values_list("external_id", flat=True)) == {"小鹿爱喝茶", "xiaolu_2"}


def test_an_identity_that_a_row_does_not_name_stays(shop: Channel, xiaolu: Member, at: datetime) -> None:
    imported(table({"id": xiaolu.pk, "identities": ""}), at)
    assert xiaolu.identities.count() == 1


Row = Callable[[Member, Member], dict[str, Any]]
REFUSED: dict[str, tuple[Row, str]] = {
    "an id nobody has": (lambda lin, wang: {"id": 999_999}, "id"),
    "an id that is no number": (lambda lin, wang: {"id": "x"}, "id"),
    "two members in one row": (lambda lin, wang: {"identities": "tea:小鹿爱喝茶\ntea:dayong_w"}, "identities"),
    "somebody else's identity": (lambda lin, wang: {"id": lin.pk, "identities": "tea:dayong_w"}, "identities"),
    "an unknown channel": (lambda lin, wang: {"identities": "coffee:mei"}, "identities"),
    "no identity at all": (lambda lin, wang: {"identities": "", "name": "Mei"}, "identities"),
    "half an identity": (lambda lin, wang: {"identities": "mei_chen"}, "identities"),
    "half a phone": (lambda lin, wang: {"id": lin.pk, "phone": "139 0000"}, "phone"),
    "no mail address": (lambda lin, wang: {"id": lin.pk, "email": "lin at home"}, "email"),
    "no day": (lambda lin, wang: {"id": lin.pk, "birthday": "31 May"}, "birthday"),
    "a name without end": (lambda lin, wang: {"id": lin.pk, "name": "x" * 121}, "name"),
    "a masked phone of a new member": (lambda lin, wang: {"identities": "tea:mei", "phone": "139****0002"}, "phone"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_row_is_refused_with_its_line_and_column(what: str, xiaolu: Member, dayong: Member, at: datetime) -> None:
    row, column = REFUSED[what]
    before = snapshot()
    refused = imported(table(row(xiaolu, dayong)), at).invalid_rows
    assert [row.number for row in refused] == [2]
    assert column in refused[0].field_specific_errors
    assert snapshot() == before


def test_two_rows_for_one_new_identity_are_one_too_many(shop: Channel, at: datetime) -> None:
    result = imported(table({"identities": "tea:mei"}, {"identities": "tea:mei"}), at)
    assert [row.number for row in result.invalid_rows] == [3]


def test_a_file_of_something_else_is_refused_as_a_whole(at: datetime) -> None:
    result = imported(table({"Invoice": "7001", "Total": "45.00"}), at)
    assert result.has_errors()
    assert not Member.objects.exists()


def test_more_rows_than_one_request_can_carry_are_refused(
    xiaolu: Member, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.resources.sheet.MAX_ROWS", 1)
    assert imported(table({"id": xiaolu.pk}, {"id": xiaolu.pk}), at).has_errors()


class TestPages:
    """The same through the admin, with its permissions and the staff log."""

    def export(self, client: Client, kind: str = "csv", reason: str = "Newsletter") -> Any:
        data = {"resource": "0", "format": FORMATS[kind], "reason": reason}
        response: Any = client.post(reverse("admin:crm_member_export"), data)
        return response

    def upload(self, client: Client, content: bytes, name: str = "members.csv") -> Any:
        data = {"resource": "0", "format": FORMATS[name.rpartition(".")[2]], "reason": "Newsletter replies"}
        data["import_file"] = SimpleUploadedFile(name, content)  # type: ignore[assignment]
        response: Any = client.post(reverse("admin:crm_member_import"), data)
        return response

    def confirm(self, client: Client, preview: HttpResponse) -> Any:
        form = preview.context["confirm_form"]  # type: ignore[attr-defined]
        response: Any = client.post(reverse("admin:crm_member_process_import"), form.initial, follow=True)
        return response

    @pytest.fixture
    def importer(self, client: Client, grant: Grant) -> User:
        user = grant(*MAY_IMPORT, "crm.export_member")
        client.force_login(user)
        return user

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_the_exported_file_goes_back_in_as_no_change(
        self, kind: str, importer: User, client: Client, awkward: Member, xiaolu: Member
    ) -> None:
        before = snapshot()
        preview = self.upload(client, self.export(client, kind).content, f"members.{kind}")
        assert list(preview.context["result"].valid_rows()) == []
        self.confirm(client, preview)
        assert snapshot() == before

    def test_an_export_is_in_the_staff_log_with_its_reason(
        self, importer: User, client: Client, xiaolu: Member
    ) -> None:
        self.export(client)
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.reason) == ("members.export", importer, "Newsletter")
        assert action.details == {"members": 1, "masked": False, "format": "csv"}

    def test_an_export_without_a_reason_is_not_given(self, importer: User, client: Client, xiaolu: Member) -> None:
        assert self.export(client, reason="").context["form"].errors["reason"]
        assert not StaffAction.objects.exists()

    def test_an_export_is_masked_without_the_permission_for_personal_data(
        self, client: Client, grant: Grant, xiaolu: Member
    ) -> None:
        client.force_login(grant("crm.view_member", "crm.export_member"))
        content = self.export(client).content.decode("utf-8-sig")
        assert "x***@example.com" in content
        assert "xiaolu@example.com" not in content
        assert StaffAction.objects.get().details["masked"] is True

    def test_a_preview_writes_nothing_and_the_confirmation_does(
        self, importer: User, client: Client, xiaolu: Member
    ) -> None:
        preview = self.upload(client, f"id,note\n{xiaolu.pk},Likes green tea\n".encode())
        xiaolu.refresh_from_db()
        assert xiaolu.note == ""
        self.confirm(client, preview)
        xiaolu.refresh_from_db()
        assert xiaolu.note == "Likes green tea"
        action = StaffAction.objects.get()
        assert (action.action, action.reason) == ("members.import", "Newsletter replies")
        assert action.details["updated"] == 1

    def test_a_second_confirmation_asks_for_the_file_again(
        self, importer: User, client: Client, xiaolu: Member
    ) -> None:
        preview = self.upload(client, f"id,note\n{xiaolu.pk},Likes green tea\n".encode())
        self.confirm(client, preview)
        again = self.confirm(client, preview)
        assert again.redirect_chain == [(reverse("admin:crm_member_import"), 302)]
        assert StaffAction.objects.count() == 1

    def test_a_preview_with_a_refused_row_offers_no_confirmation(
        self, importer: User, client: Client, xiaolu: Member
    ) -> None:
        preview = self.upload(client, f"id,phone\n{xiaolu.pk},139 0000\n".encode())
        assert "confirm_form" not in preview.context

    def test_staff_without_the_permissions_neither_import_nor_export(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_member", "crm.add_member", "crm.change_member"))
        assert client.get(reverse("admin:crm_member_export")).status_code == 403
        assert client.get(reverse("admin:crm_member_import")).status_code == 403
        assert client.post(reverse("admin:crm_member_process_import")).status_code == 403
