"""A NUL in an address or a field is refused, and so is a ticked row that is none; they never reach the database."""

import pytest
from django.contrib.admin import site
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from config.clean_addresses import NoNulMiddleware
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


@pytest.mark.parametrize("ticked", ["abc", "1,2", "\0"])
@pytest.mark.parametrize(
    ("page", "action"), [("crm_member", "add_tags"), ("crm_product", "change_policy"), ("crm_mail", "drop")]
)
def test_a_ticked_row_that_is_no_number_is_refused(page: str, action: str, ticked: str, client: Client) -> None:
    response = client.post(
        reverse(f"admin:{page}_changelist"), {"action": action, ACTION_CHECKBOX_NAME: ["1", ticked], "index": "0"}
    )

    assert response.status_code == 400


class TestFailures:
    """What a page failed on is looked at only then."""

    @staticmethod
    def asked(exception: Exception, **fields: str) -> None:
        middleware = NoNulMiddleware(lambda request: HttpResponse())
        middleware.process_exception(RequestFactory().post("/", fields), exception)

    @pytest.mark.parametrize("exception", [ValueError("no text has NUL"), DataError("no text has NUL")])
    def test_a_nul_in_a_field_is_the_sender_s_fault(self, exception: Exception) -> None:
        with pytest.raises(BadRequest):
            self.asked(exception, code="tea\0pot")

    def test_other_failures_stay_what_they_are(self) -> None:
        self.asked(ValueError("a bug"), code="teapot")
        self.asked(KeyError("a bug"), code="tea\0pot")
