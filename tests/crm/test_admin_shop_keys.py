"""Shop keys in the admin."""

from datetime import datetime

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.urls import reverse

from crm.choices import SsoAlgorithm
from crm.models import Channel, ShopKey, StaffAction
from crm.sso.exchange import take_shop_token
from crm.sso.judging import Purpose
from crm.sso.keys import make_key
from tests.factories import IdentityFactory
from tests.staff import Grant

ADD = "/admin/crm/shopkey/add/"


@pytest.fixture
def keeper(client: Client, grant: Grant) -> Client:
    client.force_login(grant("crm.view_shopkey", "crm.add_shopkey", "crm.revoke_shopkey"))
    return client


def form(shop: Channel, **changes: object) -> dict[str, object]:
    return {"channel": shop.pk, "name": "Web shop", "algorithm": "HS256", "public_key": ""} | changes


def test_the_secret_is_shown_once_and_works(keeper: Client, shop: Channel, at: datetime) -> None:
    made = keeper.post(ADD, form(shop))

    secret = made.context["secret"]
    key = ShopKey.objects.get()
    assert secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert "pointkeeper:tea:embed" in made.content.decode()
    page = keeper.get(reverse("admin:crm_shopkey_change", args=[key.pk])).content.decode()
    assert key.key_id in page
    assert secret not in page
    assert key.secret not in page
    buyer = IdentityFactory(channel=shop, external_id="nick")
    now = int(at.timestamp())
    claims = {"sub": "nick", "aud": "pointkeeper:tea:sign-in", "iat": now, "exp": now + 60, "jti": "12345678"}
    token = jwt.encode(claims, secret, headers={"kid": key.key_id})
    assert take_shop_token(token, Purpose.SIGN_IN, at).member_id == buyer.member_id


def test_a_public_key_is_kept_as_it_was_pasted(keeper: Client, shop: Channel) -> None:
    pem = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )

    made = keeper.post(ADD, form(shop, algorithm="EdDSA", public_key=f"\n{pem.decode()}\r\n"))

    assert made.context["secret"] == ""
    assert ShopKey.objects.get().public_key == pem.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"algorithm": "EdDSA"}, "public_key"),
        ({"algorithm": "EdDSA", "public_key": "x"}, "public_key"),
        ({"public_key": "x"}, "public_key"),
        ({"algorithm": "RS256"}, "algorithm"),
        ({"name": ""}, "name"),
        ({"channel": ""}, "channel"),
    ],
)
def test_what_makes_no_key_is_said_at_its_field(
    changes: dict[str, object], field: str, keeper: Client, shop: Channel
) -> None:
    answer = keeper.post(ADD, form(shop, **changes))

    assert field in answer.context["form"].errors
    assert not ShopKey.objects.exists()


def test_a_name_is_used_once_in_a_shop_until_its_key_is_revoked(keeper: Client, shop: Channel) -> None:
    keeper.post(ADD, form(shop))
    assert "name" in keeper.post(ADD, form(shop)).context["form"].errors

    keeper.post(f"/admin/crm/shopkey/{ShopKey.objects.get().pk}/revoke/", {"reason": "Leaked"})
    keeper.post(ADD, form(shop))

    assert ShopKey.objects.count() == 2


def test_revoking_asks_why_and_is_logged(keeper: Client, shop: Channel, at: datetime) -> None:
    key, _secret = make_key(channel_id=shop.pk, name="Old", algorithm=SsoAlgorithm.HS256, actor_id=None, at=at)
    address = f"/admin/crm/shopkey/{key.pk}/revoke/"

    assert keeper.get(address).status_code == 200
    assert keeper.post(address, {"reason": ""}).context["form"].errors
    keeper.post(address, {"reason": "Leaked"})

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert StaffAction.objects.get(action="shopkey.revoke").reason == "Leaked"
    assert keeper.post(address, {"reason": "Again"}).status_code == 302


def test_who_may_only_look_makes_and_revokes_nothing(client: Client, grant: Grant, shop: Channel, at: datetime) -> None:
    key, _secret = make_key(channel_id=shop.pk, name="Old", algorithm=SsoAlgorithm.HS256, actor_id=None, at=at)
    client.force_login(grant("crm.view_shopkey"))

    assert client.get("/admin/crm/shopkey/").status_code == 200
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, form(shop)).status_code == 403
    assert client.post(f"/admin/crm/shopkey/{key.pk}/revoke/", {"reason": "x"}).status_code == 403
    assert client.post(f"/admin/crm/shopkey/{key.pk}/change/", {"name": "Other"}).status_code == 403
    key.refresh_from_db()
    assert (key.name, key.revoked_at) == ("Old", None)
