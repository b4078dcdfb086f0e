"""What a buyer chooses about pages and mails, and that all of it is found in one place."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.api import mail_preferences
from crm.models import MailPreference, Member, StaffAction
from tests.redemption.conftest import SignIn

PAGE = "/me/preferences/"


def all_kinds(member: Member) -> list[str]:
    return [wish.kind.code for wish in mail_preferences(member.pk).wishes]


def wanted(member: Member) -> list[str]:
    return [wish.kind.code for wish in mail_preferences(member.pk).wishes if wish.wanted]


def test_the_account_page_leads_to_all_that_is_the_buyers_own(xiaolu: Member, sign_in: SignIn) -> None:
    page = sign_in(xiaolu).get("/me/").content.decode()

    for path in ("/profile/", "/addresses/", "/me/devices/", "/me/preferences/", "/me/statement/"):
        assert f'href="{path}"' in page


def test_the_points_page_leads_to_the_account_page(xiaolu: Member, sign_in: SignIn) -> None:
    assert 'href="/me/"' in sign_in(xiaolu).get("/").content.decode()


def test_who_has_said_nothing_wants_every_mail(xiaolu: Member, sign_in: SignIn) -> None:
    form = sign_in(xiaolu).get(PAGE).context["form"]

    assert form.initial == {"language": "en", "scheme": "", "mails": all_kinds(xiaolu)}
    assert all_kinds(xiaolu)


def test_the_language_is_that_of_pages_and_mails_from_now_on(xiaolu: Member, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)

    answer = client.post(
        PAGE, {"language": "zh-hant", "scheme": "dark", "mails": all_kinds(xiaolu)}, follow=True
    ).content.decode()

    assert '<html lang="zh-hant"' in answer
    assert "已儲存" in answer
    assert client.cookies["scheme"].value == "dark"
    assert mail_preferences(xiaolu.pk).language == "zh-hant"


def test_a_kind_of_mail_is_stopped_and_taken_up_again(xiaolu: Member, sign_in: SignIn) -> None:
    client, kinds = sign_in(xiaolu), all_kinds(xiaolu)

    client.post(PAGE, {"language": "en", "mails": kinds[1:]})
    assert wanted(xiaolu) == kinds[1:]
    client.post(PAGE, {"language": "en", "mails": kinds})

    assert wanted(xiaolu) == kinds
    said = StaffAction.objects.filter(action="member.mail_preferences", member=xiaolu)
    assert said.count() == 2


def test_no_box_ticked_is_no_mail_at_all(xiaolu: Member, sign_in: SignIn) -> None:
    sign_in(xiaolu).post(PAGE, {"language": "en"})

    assert MailPreference.objects.get(pk=xiaolu.pk).refuses_all


def test_the_device_decides_again_how_pages_are_lit(xiaolu: Member, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)
    client.post(PAGE, {"language": "en", "scheme": "dark"})
    assert client.cookies["scheme"].value == "dark"

    client.post(PAGE, {"language": "en", "scheme": ""})

    assert client.cookies["scheme"].value == ""


@pytest.mark.parametrize("nonsense", [{"language": "xx"}, {"language": "en", "mails": ["spam"]}, {"scheme": "dim"}])
def test_what_there_is_not_is_not_kept(nonsense: dict[str, str], xiaolu: Member, sign_in: SignIn) -> None:
    answer = sign_in(xiaolu).post(PAGE, nonsense)

    assert answer.status_code == 200
    assert not MailPreference.objects.filter(pk=xiaolu.pk, language="xx").exists()
    assert wanted(xiaolu) == all_kinds(xiaolu)


def test_strangers_sign_in_first(client: Client, db: None) -> None:
    assert client.get(PAGE)["Location"] == f"/account/login/code/?next={PAGE}"


def test_the_page_costs_three_queries(
    xiaolu: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(xiaolu)

    with django_assert_num_queries(3):
        client.get(PAGE)
