"""A buyer comes from the shop's own site and is signed in."""

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlencode

import pytest
import time_machine
from django.core import mail
from django.test import Client

from crm.models import Member, ShopKey, StaffAction, User
from tests.crm.sso.conftest import Token
from tests.crm.test_signin import code_in
from tests.factories import IdentityFactory, StaffFactory


@pytest.fixture(autouse=True)
def clock(at: datetime) -> Iterator[None]:
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def phone(db: None) -> Client:
    return Client(headers={"accept-language": "en"}, enforce_csrf_checks=True)


def enter(client: Client, token: str, target: str = "") -> str:
    """Follow the shop's link; return where it leads."""
    return client.get(f"/sso/?{urlencode({'token': token, 'next': target})}")["Location"]


def signed_in(client: Client) -> int | None:
    return int(client.session["_auth_user_id"]) if "_auth_user_id" in client.session else None


def test_the_link_signs_in_and_leads_to_the_points(phone: Client, xiaolu: Member, token: Token) -> None:
    assert enter(phone, token()) == "/"

    assert "林小鹿" in phone.get("/").content.decode()
    xiaolu.refresh_from_db()
    assert xiaolu.user_id == signed_in(phone)
    assert StaffAction.objects.get(action="member.sign_on").member == xiaolu


def test_the_same_login_is_used_at_every_visit(xiaolu: Member, token: Token) -> None:
    logins = set()
    for _ in range(2):
        phone = Client()
        enter(phone, token())
        logins.add(signed_in(phone))

    assert len(logins) == User.objects.count() == 1
    assert StaffAction.objects.filter(action="member.sign_on").count() == 1


def test_a_form_of_the_shops_site_may_post_the_token(phone: Client, xiaolu: Member, token: Token) -> None:
    answer = phone.post("/sso/", {"token": token(), "next": "/history/"})
    assert answer.status_code == 303

    assert phone.get(answer["Location"])["Location"] == "/history/"
    assert signed_in(phone) is not None


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "", "\\\\evil"])
def test_the_way_leads_nowhere_but_to_our_own_pages(target: str, phone: Client, xiaolu: Member, token: Token) -> None:
    assert enter(phone, token(), target) == "/"


def test_a_token_that_was_used_signs_nobody_in(phone: Client, xiaolu: Member, token: Token) -> None:
    once = token()
    enter(Client(), once)

    answer = phone.get("/sso/", {"token": once})

    assert answer.status_code == 403
    assert answer["X-Sign-On-Fault"] == "replayed"
    assert "Go back to the shop" in answer.content.decode()
    assert signed_in(phone) is None


def test_the_page_tells_the_developer_which_claim_is_wrong(phone: Client, xiaolu: Member, token: Token) -> None:
    page = phone.get("/sso/", {"token": token(jti="short")}).content.decode()

    assert "<code>bad_claim jti</code>" in page


def test_without_a_good_signature_all_answers_are_the_same(phone: Client, key: ShopKey, token: Token) -> None:
    own = token(secret="x" * 43)
    unknown = token(kid="sk_unknown", secret="x" * 43)

    answers = [phone.get("/sso/", {"token": text}) for text in (own, unknown, "nonsense", "")]

    assert {answer["X-Sign-On-Fault"] for answer in answers} == {"invalid"}
    # But for the form that switches the language, which holds the address of the page and a token of its own.
    assert len({re.sub(r'value="[^"]+"', "", answer.content.decode()) for answer in answers}) == 1


def test_a_buyer_without_an_order_is_told_when_his_points_come(phone: Client, token: Token) -> None:
    page = phone.get("/sso/", {"token": token("a new buyer")}).content.decode()

    assert "Your points appear with your first order." in page


@pytest.mark.parametrize("state", [{"is_active": False}, {"is_staff": True}])
def test_a_closed_login_and_staff_do_not_come_in_this_way(
    state: dict[str, bool], phone: Client, xiaolu: Member, token: Token
) -> None:
    enter(Client(), token())
    User.objects.update(**state)

    answer = phone.get("/sso/", {"token": token()})

    assert answer["X-Sign-On-Fault"] == "login_blocked"
    assert signed_in(phone) is None


class TestSomebodyElseIsSignedIn:
    """Whoever sends another one a link with his own token must not get him into his account unseen."""

    @pytest.fixture
    def own_phone(self, phone: Client, xiaolu: Member, dayong: Member, token: Token) -> Client:
        enter(phone, token("dayong_w"))
        return phone

    def test_he_is_asked_and_stays_who_he_was(self, own_phone: Client, token: Token, dayong: Member) -> None:
        page = own_phone.get("/sso/", {"token": token()}).content.decode()

        assert "王大勇 is signed in on this device." in page
        dayong.refresh_from_db()
        assert signed_in(own_phone) == dayong.user_id

    def test_when_he_agrees_the_other_one_is_signed_in(self, own_phone: Client, token: Token, xiaolu: Member) -> None:
        page = own_phone.get("/sso/", {"token": token(), "next": "/history/"})
        form = {
            "token": page.context["token"], "next": page.context["next"],
            "csrfmiddlewaretoken": own_phone.cookies["csrftoken"].value,
        }  # fmt: skip

        assert own_phone.post("/sso/switch/", form)["Location"] == "/history/"
        xiaolu.refresh_from_db()
        assert signed_in(own_phone) == xiaolu.user_id

    def test_another_site_cannot_agree_for_him(self, own_phone: Client, token: Token) -> None:
        assert own_phone.post("/sso/switch/", {"token": token()}).status_code == 403

    def test_a_fresh_token_of_his_own_lets_him_in_at_once(self, own_phone: Client, token: Token) -> None:
        assert enter(own_phone, token("dayong_w"), "/coupons/") == "/coupons/"


def test_a_login_made_here_is_found_by_a_code_later(phone: Client, xiaolu: Member, token: Token) -> None:
    enter(Client(), token())
    visitor = Client(headers={"accept-language": "en"})
    visitor.post("/account/login/code/", {"email": "xiaolu@example.com"})

    visitor.post("/account/login/code/confirm/", {"code": code_in(mail.outbox[0])})

    xiaolu.refresh_from_db()
    assert signed_in(visitor) == xiaolu.user_id
    assert User.objects.count() == 1


def test_a_second_address_of_his_leads_to_the_same_login(phone: Client, xiaolu: Member, token: Token) -> None:
    enter(Client(), token())
    IdentityFactory(member=xiaolu, email="deer@example.com")
    for address in ("xiaolu@example.com", "deer@example.com"):
        visitor = Client()
        visitor.post("/account/login/code/", {"email": address})
        visitor.post("/account/login/code/confirm/", {"code": code_in(mail.outbox[-1])})

        xiaolu.refresh_from_db()
        assert signed_in(visitor) == xiaolu.user_id


def test_a_login_made_by_a_code_is_used_here(phone: Client, xiaolu: Member, token: Token) -> None:
    visitor = Client()
    visitor.post("/account/login/code/", {"email": "xiaolu@example.com"})
    visitor.post("/account/login/code/confirm/", {"code": code_in(mail.outbox[0])})

    enter(phone, token())

    assert signed_in(phone) == signed_in(visitor)


def test_thirty_tries_a_minute_are_enough(key: ShopKey) -> None:
    answers = [Client().get("/sso/", {"token": "x"}).status_code for _ in range(31)]

    assert answers == [403] * 30 + [429]


def test_a_link_checker_spends_no_token(phone: Client, xiaolu: Member, token: Token) -> None:
    once = token()

    assert phone.head(f"/sso/?token={once}").status_code == 405
    assert enter(phone, once) == "/"


def test_staff_who_are_signed_in_are_no_buyer_to_be_asked(phone: Client, xiaolu: Member, token: Token) -> None:
    phone.force_login(StaffFactory(), backend="django.contrib.auth.backends.ModelBackend")

    assert enter(phone, token()) == "/"
