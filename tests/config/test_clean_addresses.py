"""A NUL in an address is refused; it never reaches the database."""

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse

from crm.models import Member
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db

LISTS = sorted(
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in site._registry
)


@pytest.fixture(autouse=True)
def owner(client: Client) -> None:
    """The shop's owner, signed in, with a browser that shows error pages as pages."""
    client.force_login(StaffFactory(is_superuser=True))
    client.raise_request_exception = False


@pytest.mark.parametrize("query", ["q=%00", "q=tea%00pot", "id=%00", "name__startswith=%00", "%00=1", "o=%00", "p=%00"])
@pytest.mark.parametrize("page", LISTS)
def test_a_list_is_not_searched_or_filtered_for_it(page: str, query: str, client: Client) -> None:
    assert client.get(f"{page}?{query}").status_code == 400


@pytest.mark.parametrize("page", ["/", "/admin/", "/demo/", "/admin/crm/member/%00/change/", "/%00/"])
def test_no_page_takes_it(page: str, client: Client) -> None:
    address = page if "%00" in page else f"{page}?next=%00"
    assert client.get(address).status_code == 400


def test_a_percent_sign_before_two_noughts_that_was_typed_is_none(client: Client, xiaolu: Member) -> None:
    assert client.get(reverse("admin:crm_member_changelist"), {"q": "%00"}).status_code == 200


def test_the_page_says_what_happened_in_the_words_of_the_shop(client: Client) -> None:
    response = client.get("/admin/crm/member/?q=%00", headers={"accept-language": "en"})
    assert "The request was not understood" in response.content.decode()
