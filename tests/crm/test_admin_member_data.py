"""Staff hand a member what is held about him, and erase it, for those who ask the shop."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm.models import DataFile, Member, StaffAction
from crm.personal import making
from tests.cast import GivePoints
from tests.staff import Grant

PERSONAL = "crm.view_personal_data"


def page(name: str, member: Member) -> str:
    return reverse(f"admin:crm_member_{name}", args=[member.pk])


def signed_in(grant: Grant, *permissions: str) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(grant("crm.view_member", *permissions), backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_only_those_who_may_erase_see_the_way_to_it(xiaolu: Member, grant: Grant) -> None:
    one, other = signed_in(grant), signed_in(grant, "crm.erase_member")

    assert page("erase", xiaolu) not in one.get(page("change", xiaolu)).content.decode()
    assert one.get(page("erase", xiaolu)).status_code == 403
    assert one.post(page("erase", xiaolu)).status_code == 403
    assert page("erase", xiaolu) in other.get(page("change", xiaolu)).content.decode()
    assert other.get(page("erase", xiaolu)).status_code == 200


def test_it_says_what_is_lost_and_asks_for_a_reason_and_the_number(
    xiaolu: Member, grant: Grant, give_points: GivePoints
) -> None:
    give_points(xiaolu, 120)
    client = signed_in(grant, "crm.erase_member")
    assert "120 points" in client.get(page("erase", xiaolu)).content.decode()

    for wrong in ({"reason": "", "number": str(xiaolu.pk)}, {"reason": "She asked", "number": "99999"}, {}):
        assert client.post(page("erase", xiaolu), wrong).status_code == 200

    xiaolu.refresh_from_db()
    assert xiaolu.erased_at is None


def test_it_is_done_logged_and_said_on_the_page_of_the_member(
    xiaolu: Member, grant: Grant, give_points: GivePoints
) -> None:
    give_points(xiaolu, 120)
    client = signed_in(grant, "crm.erase_member", "crm.change_member", PERSONAL)

    answer = client.post(page("erase", xiaolu), {"reason": "She asked", "number": f"#{xiaolu.pk}"}, follow=True)

    text = answer.content.decode()
    assert "The data of this member is erased." in text
    assert "The data of this member was erased on" in text
    assert "林小鹿" not in text
    assert 'name="email"' not in text
    logged = StaffAction.objects.get(action="member.erase")
    assert (logged.member, logged.reason, logged.details) == (xiaolu, "She asked", {"points": 120})
    again = client.get(page("erase", xiaolu), follow=True).content.decode()
    assert "was erased before" in again


def test_the_file_goes_to_those_who_may_export_and_see_personal_data(xiaolu: Member, grant: Grant) -> None:
    for permissions in ((), ("crm.export_member",), (PERSONAL,)):
        assert signed_in(grant, *permissions).post(page("data", xiaolu)).status_code == 403

    answer: Any = signed_in(grant, "crm.export_member", PERSONAL).post(page("data", xiaolu))

    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as packed:
        assert "林小鹿" in packed.read("everything.json").decode()
    assert StaffAction.objects.filter(action="member.data", member=xiaolu).exists()


def test_looking_is_not_taking(xiaolu: Member, grant: Grant) -> None:
    assert signed_in(grant, "crm.export_member", PERSONAL).get(page("data", xiaolu)).status_code == 405
    assert not StaffAction.objects.filter(action="member.data").exists()


def test_a_member_whom_there_is_not_is_not_found(xiaolu: Member, grant: Grant) -> None:
    client = signed_in(grant, "crm.erase_member")

    assert client.get(page("erase", Member(pk=987654))).status_code == 404


def test_a_large_file_is_made_by_a_worker_and_offered_to_who_asked(
    xiaolu: Member, grant: Grant, monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(making, "AT_ONCE_ROWS", 0)
    client, other = (signed_in(grant, "crm.export_member", PERSONAL) for _person in range(2))

    said = client.post(page("data", xiaolu), follow=True).content.decode()
    client.post(page("data", xiaolu))

    assert "The file is being made" in said
    assert "The file you asked for is being made." in said
    assert StaffAction.objects.filter(action="member.data", member=xiaolu).count() == 1
    making.make(DataFile.objects.get().pk, clock=timezone.now)
    assert "Only you can fetch it" in client.get(page("change", xiaolu)).content.decode()
    assert "Only you can fetch it" not in other.get(page("change", xiaolu)).content.decode()
    answer: Any = client.get(page("data_file", xiaolu))
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as packed:
        assert "林小鹿" in packed.read("everything.json").decode()
    assert other.get(page("data_file", xiaolu)).status_code == 302
    assert signed_in(grant, PERSONAL).get(page("data_file", xiaolu)).status_code == 403
