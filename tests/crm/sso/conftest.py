"""A shop with a key, and tokens as its server writes them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import jwt
import pytest

from crm.choices import SsoAlgorithm
from crm.models import Channel, ShopKey
from crm.sso.judging import Purpose, audience
from crm.sso.keys import make_key

Token = Callable[..., str]
NOBODY = object()  # In place of a claim's value: leave the claim out.


@pytest.fixture
def key_and_secret(shop: Channel, at: datetime) -> tuple[ShopKey, str]:
    return make_key(channel_id=shop.pk, name="Web shop", algorithm=SsoAlgorithm.HS256, actor_id=None, at=at)


@pytest.fixture
def key(key_and_secret: tuple[ShopKey, str]) -> ShopKey:
    return key_and_secret[0]


@pytest.fixture
def secret(key_and_secret: tuple[ShopKey, str]) -> str:
    return key_and_secret[1]


@pytest.fixture
def token(key: ShopKey, secret: str, shop: Channel, at: datetime) -> Token:
    """``token("小鹿爱喝茶", exp=…)``: a good token of the shop but for what is said."""
    made = 0

    def token(subject: object = "小鹿爱喝茶", *, purpose: Purpose = Purpose.SIGN_IN, **changes: Any) -> str:
        nonlocal made
        made += 1
        now = int(at.timestamp())
        claims: dict[str, object] = {
            "sub": subject,
            "aud": audience(shop.code, purpose),
            "iat": now,
            "exp": now + 120,
            "jti": f"nonce-{made:04}",
        }
        claims |= {name: value for name, value in changes.items() if name in {*claims, "nbf"}}
        claims = {name: value for name, value in claims.items() if value is not NOBODY}
        headers = {"kid": changes.get("kid", key.key_id)}
        return jwt.encode(claims, changes.get("secret", secret), changes.get("algorithm", "HS256"), headers=headers)

    return token
