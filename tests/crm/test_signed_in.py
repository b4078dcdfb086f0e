"""The login that comes with its session is taken where Django would take it, and nowhere else."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.test import Client, override_settings
from pytest_django import DjangoAssertNumQueries

from crm.models import Member, Session, User
from crm.sessions import LOGIN, SessionStore
from tests.factories import UserFactory

MODEL = "django.contrib.auth.backends.ModelBackend"
ALLAUTH = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def user(xiaolu: Member, at: datetime) -> User:
    user = UserFactory(username="xiaolu")
    xiaolu.user = user
    xiaolu.save()
    return user


def signed_in(user: User, backend: str = ALLAUTH) -> Client:
    client = Client()
    client.force_login(user, backend=backend)
    return client


def is_in(client: Client) -> bool:
    return client.get("/history/").status_code == 200


@pytest.mark.parametrize("backend", [MODEL, ALLAUTH])
def test_it_costs_no_query_of_its_own(
    user: User, backend: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(user, backend)
    client.get("/history/")  # What all pages share is remembered from here on.

    # The session with the login, the member, and his entries.
    with django_assert_num_queries(3):
        answer = client.get("/history/")

    assert answer.wsgi_request.user == user
    assert answer.wsgi_request.user.username == "xiaolu"


def test_the_whole_login_is_read() -> None:
    assert [field.attname for field in User._meta.concrete_fields] == list(LOGIN)


def test_whoever_is_shut_out_is_out_at_once(user: User) -> None:
    client = signed_in(user)
    assert is_in(client)

    User.objects.filter(pk=user.pk).update(is_active=False)

    assert not is_in(client)


def test_a_session_that_was_ended_is_ended_at_once(user: User) -> None:
    client = signed_in(user)
    assert is_in(client)

    Session.objects.filter(user=user).delete()

    assert not is_in(client)


def test_a_session_ends_with_its_time(user: User, at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        client = signed_in(user)
        assert is_in(client)
    with time_machine.travel(at + timedelta(seconds=settings.SESSION_COOKIE_AGE), tick=False):
        assert not is_in(client)


def test_another_password_ends_the_sessions_of_before(user: User) -> None:
    client = signed_in(user)

    user.set_password("another one")
    user.save()

    assert not is_in(client)


def test_a_session_belongs_to_whom_its_signed_content_says(user: User) -> None:
    client = signed_in(user)

    Session.objects.filter(user=user).update(user=UserFactory(username="somebody-else"))

    assert client.get("/history/").wsgi_request.user == user


def test_a_way_of_signing_in_that_is_gone_opens_nothing(user: User) -> None:
    client = signed_in(user)
    session = SessionStore(client.cookies["sessionid"].value)
    session[BACKEND_SESSION_KEY] = "shop.backends.Former"
    session.save()

    assert not is_in(client)


def test_a_session_under_a_former_key_stays_good(user: User) -> None:
    client = signed_in(user)

    with override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert is_in(client)


def test_a_key_that_no_session_has_is_nobody(user: User) -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 32

    assert not is_in(client)
