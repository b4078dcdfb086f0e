"""Staff sign in: where they go on, and that who guesses passwords is locked out and nobody else."""

from collections.abc import Callable

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse, reverse_lazy

from crm.signin import visitor_address
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db

GUESSER, OWNER = "203.0.113.5", "203.0.113.6"


@pytest.fixture
def sign_in(settings: object, client: Client) -> Callable[[str, str], int]:
    """Sign in as the owner from an address behind a proxy of ours; gives the status of the answer."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1  # type: ignore[attr-defined]
    settings.AXES_FAILURE_LIMIT = 3  # type: ignore[attr-defined]
    owner = StaffFactory(username="owner", is_superuser=True)
    owner.set_password("green tea")
    owner.save()

    def post(password: str, address: str) -> int:
        form = {"username": "owner", "password": password}
        # What the visitor claims stands first, what our proxy saw stands last.
        return client.post(reverse("admin:login"), form, HTTP_X_FORWARDED_FOR=f"198.51.100.1, {address}").status_code

    return post


def test_guessing_locks_out_the_guesser_and_not_the_owner(sign_in: Callable[[str, str], int]) -> None:
    assert [sign_in("guess", GUESSER) for _ in range(3)] == [200, 200, 429]
    assert sign_in("green tea", GUESSER) == 429
    assert sign_in("green tea", OWNER) == 302


@pytest.mark.parametrize("asked", ["", reverse_lazy("admin:crm_member_changelist")])
def test_who_signs_in_goes_on_in_the_admin(asked: str, client: Client) -> None:
    goal = str(asked) or reverse("admin:index")
    page = client.get(reverse("admin:login"), {"next": goal} if asked else None)
    assert f'<input type="hidden" name="next" value="{goal}" form="login-form">' in page.content.decode()
    owner = StaffFactory(username="owner")
    owner.set_password("green tea")
    owner.save()
    form = {"username": "owner", "password": "green tea", "next": goal}
    assert client.post(reverse("admin:login"), form)["Location"] == goal


def test_a_request_that_came_over_no_network_has_no_address() -> None:
    assert visitor_address(HttpRequest()) is None
