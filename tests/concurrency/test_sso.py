"""Sixteen requests with one token at once: who copies a token out of a page must not get in beside its buyer.

All sixteen have read the token and found it good before any of them goes on. The control is a look that comes before
the write instead of the row that can be written once: it lets all of them in.
"""

from collections.abc import Callable
from datetime import datetime

import jwt
import pytest
from django.db import connection

from crm.choices import SsoAlgorithm
from crm.models import Channel, Identity, Member, SpentToken, User
from crm.sso import exchange
from crm.sso.exchange import take_shop_token
from crm.sso.judging import Purpose, TokenRefused
from crm.sso.keys import make_key
from crm.sso.logins import login_of_member
from tests.concurrency.test_budgets import SESSIONS, Gate, at_once

pytestmark = pytest.mark.django_db(transaction=True)

NewToken = Callable[[str, str], str]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The gate stands between reading a token and spending it."""
    closed, spend = Gate(), exchange._spend

    def wait_and_spend(read: exchange._Read, at: datetime) -> exchange.Guest:
        closed.wait()
        return spend(read, at)

    monkeypatch.setattr(exchange, "_spend", wait_and_spend)
    return closed


@pytest.fixture
def new_token(transactional_db: None, shop: Channel, at: datetime) -> NewToken:
    """``new_token(buyer, nonce)``, signed with a key that makes members of new buyers."""
    key, secret = make_key(
        channel_id=shop.pk, name="Shop", algorithm=SsoAlgorithm.HS256, makes_members=True, actor_id=None, at=at
    )
    now = int(at.timestamp())

    def new_token(buyer: str, nonce: str) -> str:
        claims = {"sub": buyer, "aud": "pointkeeper:tea:sign-in", "iat": now, "exp": now + 60, "jti": nonce}
        return jwt.encode(claims, secret, headers={"kid": key.key_id})

    return new_token


def come(token: str, at: datetime) -> str:
    try:
        take_shop_token(token, Purpose.SIGN_IN, at)
    except TokenRefused as refusal:
        return refusal.fault.value
    return "in"


def test_of_sixteen_requests_with_one_token_one_gets_in(
    gate: Gate, new_token: NewToken, xiaolu: Member, at: datetime
) -> None:
    token = new_token("小鹿爱喝茶", "only once")

    answers = at_once(lambda _session: come(token, at), meanwhile=gate.open_when_all_stand_still)

    assert answers == {"in": 1, "replayed": SESSIONS - 1}


def test_control_a_look_before_the_write_lets_all_of_them_in(
    gate: Gate, new_token: NewToken, xiaolu: Member, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = exchange._read

    def read_and_look(token: str, purpose: Purpose, at: datetime) -> exchange._Read:
        found = read(token, purpose, at)
        exchange._refuse_spent(found)
        return found

    monkeypatch.setattr(exchange, "_read", read_and_look)
    monkeypatch.setattr(exchange, "_SPEND", "INSERT INTO crm_spenttoken (key_id, nonce, stale_at) VALUES (%s, %s, %s)")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_spenttoken DROP CONSTRAINT crm_spenttoken_once")
    token = new_token("小鹿爱喝茶", "only once")

    answers = at_once(lambda _session: come(token, at), meanwhile=gate.open_when_all_stand_still)

    assert answers == {"in": SESSIONS}
    assert come(token, at) == "replayed"  # Later, one by one, the look is enough.


def test_sixteen_first_visits_of_a_new_buyer_make_one_member(gate: Gate, new_token: NewToken, at: datetime) -> None:
    tokens = [new_token("a new buyer", f"nonce-{number:02}") for number in range(SESSIONS)]

    answers = at_once(lambda session: come(tokens[session], at), meanwhile=gate.open_when_all_stand_still)

    assert answers == {"in": SESSIONS}
    assert (Member.objects.count(), Identity.objects.count()) == (1, 1)
    assert SpentToken.objects.count() == SESSIONS


def test_sixteen_first_visits_make_one_login(transactional_db: None, xiaolu: Member, at: datetime) -> None:
    answers = at_once(lambda _session: str(login_of_member(xiaolu.pk, at).pk))

    assert list(answers.values()) == [SESSIONS]
    xiaolu.refresh_from_db()
    assert xiaolu.user_id == User.objects.get().pk
