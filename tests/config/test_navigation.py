"""The menu of the admin: on every page one entry is marked, the nearest one."""

from typing import Any

import pytest
from django.test import Client

from config.unfold import NAVIGATION

pytestmark = pytest.mark.django_db

LINKS = [str(item["link"]) for group in NAVIGATION for item in group["items"]]


def marked(client: Client, path: str) -> list[str]:
    groups: Any = client.get(path, follow=True).context["sidebar_navigation"]
    return [str(item["link"]) for group in groups for item in group["items"] if item["active"]]


@pytest.mark.parametrize("path", LINKS)
def test_each_page_of_the_menu_marks_its_own_entry_and_no_other(path: str, admin_client: Client) -> None:
    assert marked(admin_client, path) == [path]


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/admin/crm/tierscheme/adviser/", "/admin/crm/tierscheme/"),
        ("/admin/crm/tierscheme/moving/?list=unclaimed", "/admin/crm/tierscheme/moving/"),
        ("/admin/crm/platformtool/import/", "/admin/crm/platformtool/"),
        ("/admin/crm/nodiscount/import/", "/admin/crm/nodiscount/"),
    ],
)
def test_a_page_below_an_entry_marks_that_entry(path: str, entry: str, admin_client: Client) -> None:
    assert marked(admin_client, path) == [entry]
