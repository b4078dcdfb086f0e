"""Embeds on a seller's own site, and tokens as that site's server writes them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import jwt
import pytest
from django.test import Client

from crm.choices import SsoAlgorithm
from crm.models import Channel, ShopKey
from crm.sso.keys import make_key
from redemption.models import Embed
from tests.cast import NOON

SITE = "https://www.tea.example"
OWN = {"origin": "http://testserver", "accept-language": "en"}

MakeEmbed = Callable[..., Embed]
Token = Callable[..., str]


@pytest.fixture
def make_embed(shop: Channel) -> MakeEmbed:
    """``make_embed("card", colour=…)``: an embed of the tea shop."""

    def make(template: str, **changes: Any) -> Embed:
        plain = {"name": template, "template": template, "channel": shop, "origins": SITE, "changed_at": NOON}
        return Embed.objects.create(**plain | changes)

    return make


@pytest.fixture
def key_and_secret(shop: Channel, at: datetime) -> tuple[ShopKey, str]:
    return make_key(channel_id=shop.pk, name="Web shop", algorithm=SsoAlgorithm.HS256, actor_id=None, at=at)


@pytest.fixture
def token(key_and_secret: tuple[ShopKey, str], at: datetime) -> Token:
    """``token("小鹿爱喝茶")``: what the shop's page hands to an embed."""
    key, secret = key_and_secret
    made = 0

    def token(buyer: str = "小鹿爱喝茶", **changes: Any) -> str:
        nonlocal made
        made += 1
        now = int(at.timestamp())
        claims = {
            "sub": buyer, "aud": "pointkeeper:tea:embed", "iat": now, "exp": now + 60, "jti": f"nonce-{made:04}",
        }  # fmt: skip
        return jwt.encode(claims | changes, secret, headers={"kid": key.key_id})

    return token


@pytest.fixture
def visitor(clock: None) -> Client:
    """The browser of a visitor of the seller's site, as the frame's script uses it."""
    return Client(headers=OWN, enforce_csrf_checks=True)


@pytest.fixture
def session(visitor: Client, token: Token) -> Callable[[Embed], dict[str, str]]:
    """``session(embed)``: the headers of a frame in which 林小鹿 is signed in."""

    def session(embed: Embed, buyer: str = "小鹿爱喝茶") -> dict[str, str]:
        answer = visitor.post(f"/embed/{embed.public_key}/session/", {"token": token(buyer)})
        return {"authorization": f"Bearer {answer.json()['session']}"}

    return session
