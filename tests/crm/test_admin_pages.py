"""Every admin page opens, and only for those who may see it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from crm.models import Channel, Member, User
from tests.factories import OrderFactory, OrderLineFactory, StaffFactory

pytestmark = pytest.mark.django_db

LISTS = (
    ("crm", "member"), ("crm", "order"), ("crm", "refund"), ("crm", "product"), ("crm", "channel"),
    ("crm", "tier"), ("crm", "tag"), ("crm", "shopkey"), ("crm", "mail"), ("crm", "tierscheme"),
    ("crm", "importjob"), ("crm", "importprofile"), ("crm", "staffaction"), ("crm", "user"), ("auth", "group"),
    ("loyalty", "account"), ("loyalty", "entry"), ("loyalty", "lot"), ("loyalty", "lotuse"), ("loyalty", "ruleset"),
    ("redemption", "coupon"), ("redemption", "couponplan"), ("redemption", "embed"),
)  # fmt: skip


@pytest.fixture
def owner(client: Client) -> User:
    """The shop's owner, signed in: a superuser."""
    user = StaffFactory(is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.parametrize(("app", "model"), LISTS)
def test_the_owner_opens_every_list(app: str, model: str, owner: User, client: Client, xiaolu: Member) -> None:
    assert client.get(reverse(f"admin:{app}_{model}_changelist")).status_code == 200


@pytest.mark.parametrize(("app", "model"), LISTS)
def test_staff_without_permissions_open_no_list(app: str, model: str, client: Client) -> None:
    client.force_login(StaffFactory())
    assert client.get(reverse(f"admin:{app}_{model}_changelist")).status_code == 403


@pytest.mark.parametrize(("app", "model"), LISTS)
def test_the_permission_to_view_opens_the_list(app: str, model: str, client: Client) -> None:
    user = StaffFactory()
    user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=f"view_{model}"))
    client.force_login(user)
    assert client.get(reverse(f"admin:{app}_{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", ["channel", "importprofile", "user", "importjob", "member", "tag", "tier", "shopkey"])
def test_the_owner_opens_the_pages_for_adding(model: str, owner: User, client: Client, shop: Channel) -> None:
    assert client.get(reverse(f"admin:crm_{model}_add")).status_code == 200


def test_an_order_shows_its_lines(owner: User, client: Client, shop: Channel, xiaolu: Member) -> None:
    order = OrderFactory(channel=shop, member=xiaolu, raw={"收货地址": "某市某路1号"})
    OrderLineFactory(order=order, title="Green tea 250 g")
    page = client.get(reverse("admin:crm_order_change", args=[order.pk])).content.decode()
    assert "Green tea 250 g" in page
    assert "某市某路1号" in page


def test_the_other_columns_of_an_order_need_the_permission_for_personal_data(
    client: Client, shop: Channel, xiaolu: Member, grant: Callable[..., User]
) -> None:
    client.force_login(grant("crm.view_order"))
    order = OrderFactory(channel=shop, member=xiaolu, raw={"收货地址": "某市某路1号"})
    page = client.get(reverse("admin:crm_order_change", args=[order.pk])).content.decode()
    assert "某市某路1号" not in page
