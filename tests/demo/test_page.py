"""The demo page: who may be signed in as, and that it is not there unless asked for."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from config.demo.cast import CAST, Role
from config.demo.loading import CHANNEL_CODE
from crm.models import Channel, Identity, Member, Session, StaffAction
from tests.factories import ChannelFactory, IdentityFactory, MemberFactory, StaffFactory, UserFactory

REGULAR = next(persona for persona in CAST if persona.role is Role.REGULAR)


@pytest.fixture(autouse=True)
def demo(settings: Settings, tmp_path: Path) -> None:
    """A system whose DEMO is on and that keeps its mails in a folder."""
    settings.DEMO = True
    settings.EMAIL_URL = ""
    settings.EMAIL_FILE_PATH = tmp_path / "mail"


@pytest.fixture
def demo_shop(db: None) -> Channel:
    """The demo's channel."""
    return ChannelFactory(code=CHANNEL_CODE, name="山野小铺")


@pytest.fixture
def regular(demo_shop: Channel) -> Member:
    """林小鹿 of the cast, as the import of the demo's orders makes her."""
    member = MemberFactory(name=REGULAR.nick)
    IdentityFactory(channel=demo_shop, member=member, external_id=REGULAR.nick, email=REGULAR.email)
    return member


def sign_in_as(client: Client, role: str) -> str:
    """Press the button of a buyer; returns where that leads."""
    answer = client.post(reverse("demo_sign_in"), {"buyer": role})
    assert answer.status_code == 302
    return answer["Location"]


def who(client: Client) -> str | None:
    """The id of the login that the client is signed in with."""
    return client.session.get("_auth_user_id")


def test_lists_the_cast_with_a_reason_to_be_them(client: Client, regular: Member) -> None:
    page = client.get(reverse("demo"), headers={"accept-language": "en"}).content.decode()
    assert REGULAR.nick in page
    assert REGULAR.email in page
    assert "orders every three weeks" in page


def test_says_how_to_load_the_demo_when_it_is_not_there(client: Client, db: None) -> None:
    page = client.get(reverse("demo"), headers={"accept-language": "en"}).content.decode()
    assert "manage.py load_demo" in page


@pytest.mark.parametrize("name", ["demo", "demo_sign_in"])
def test_without_demo_the_pages_do_not_exist(client: Client, regular: Member, settings: Settings, name: str) -> None:
    settings.DEMO = False
    assert client.get(reverse(name)).status_code == 404
    assert client.post(reverse(name), {"buyer": "regular"}).status_code == 404
    assert who(client) is None


def test_one_click_signs_in_as_the_buyer(client: Client, regular: Member) -> None:
    assert sign_in_as(client, "regular") == reverse("redemption:home")
    regular.refresh_from_db()
    assert who(client) == str(regular.user_id)
    assert StaffAction.objects.get(action="member.claim").member == regular


def test_the_session_says_on_what_device_it_began(client: Client, regular: Member) -> None:
    client.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) MicroMessenger/8.0"
    sign_in_as(client, "regular")
    device = Session.objects.get(user__member=regular)
    assert (device.device, device.began_at is not None) == ("WeChat · iPhone", True)


def test_the_second_click_uses_the_same_login(client: Client, regular: Member) -> None:
    sign_in_as(client, "regular")
    first = who(client)
    client.logout()
    sign_in_as(client, "regular")
    assert who(client) == first


def test_a_link_cannot_sign_anybody_in(client: Client, regular: Member) -> None:
    assert client.get(reverse("demo_sign_in"), {"buyer": "regular"}).status_code == 405
    assert who(client) is None


def test_another_site_cannot_sign_anybody_in(regular: Member) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(reverse("demo_sign_in"), {"buyer": "regular"}).status_code == 403
    assert who(client) is None


@pytest.mark.parametrize("login", [{"is_staff": True}, {"is_superuser": True}, {"is_active": False}])
def test_nobody_becomes_staff_or_uses_a_closed_login(client: Client, regular: Member, login: dict[str, bool]) -> None:
    regular.user = UserFactory(**login)
    regular.save()
    assert sign_in_as(client, "regular") == reverse("demo")
    assert who(client) is None


def test_a_staff_account_with_the_buyers_address_is_left_alone(client: Client, regular: Member) -> None:
    boss = StaffFactory(email=REGULAR.email)
    sign_in_as(client, "regular")
    assert who(client) not in (None, str(boss.pk))


def test_a_member_of_another_shop_cannot_be_signed_in_as(client: Client, db: None) -> None:
    IdentityFactory(channel=ChannelFactory(code="tea"), external_id=REGULAR.nick, email=REGULAR.email)
    assert sign_in_as(client, "regular") == reverse("demo")
    assert who(client) is None


def test_a_buyer_of_the_demo_outside_the_cast_cannot_be_signed_in_as(client: Client, demo_shop: Channel) -> None:
    stranger = IdentityFactory(channel=demo_shop, external_id="tb60000123", email="wangfang123@example.com")
    for wanted in ("tb60000123", str(stranger.member_id), "", "\x00"):
        assert sign_in_as(client, wanted) == reverse("demo")
    assert who(client) is None


def test_an_address_that_already_has_another_members_login_is_refused(client: Client, regular: Member) -> None:
    sign_in_as(client, "regular")
    regular.refresh_from_db()
    login, regular.user = regular.user, None
    regular.save()
    MemberFactory(user=login)
    client.logout()
    assert sign_in_as(client, "regular") == reverse("demo")
    assert Identity.objects.get(external_id=REGULAR.nick).member.user is None
