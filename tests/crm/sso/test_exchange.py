"""A shop's token becomes a member, once."""

import base64
import json
import logging
from datetime import datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import override_settings
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from crm.choices import SsoAlgorithm, SsoFault
from crm.models import Channel, Identity, Member, ShopKey, SpentToken, StaffAction
from crm.sso.exchange import forget_spent, look_at_shop_token, take_shop_token
from crm.sso.judging import Purpose, TokenRefused, audience
from crm.sso.keys import NotAPublicKey, make_key, read_public_key, revoke_key
from tests.crm.sso.conftest import Token
from tests.factories import ChannelFactory, IdentityFactory, StaffFactory


def refusal(token: str, at: datetime, purpose: Purpose = Purpose.SIGN_IN) -> SsoFault:
    with pytest.raises(TokenRefused) as refused:
        take_shop_token(token, purpose, at)
    return refused.value.fault


def test_the_member_is_the_one_of_that_name_on_the_keys_channel(xiaolu: Member, token: Token, at: datetime) -> None:
    IdentityFactory(external_id="小鹿爱喝茶")  # Somebody else, on another channel.

    guest = take_shop_token(token("小鹿爱喝茶"), Purpose.SIGN_IN, at)

    assert guest.member_id == xiaolu.pk


def test_a_token_is_taken_once(xiaolu: Member, key: ShopKey, token: Token, at: datetime) -> None:
    once = token()
    take_shop_token(once, Purpose.SIGN_IN, at)

    assert refusal(once, at) is SsoFault.REPLAYED
    key.refresh_from_db()
    assert (key.last_used_at, key.last_fault, key.last_claim) == (at, "replayed", "jti")


def test_another_token_with_the_same_nonce_is_the_same_token(xiaolu: Member, token: Token, at: datetime) -> None:
    take_shop_token(token(jti="the-same-nonce"), Purpose.SIGN_IN, at)

    assert refusal(token(jti="the-same-nonce", purpose=Purpose.EMBED), at, Purpose.EMBED) is SsoFault.REPLAYED


def test_two_shops_may_use_the_same_nonce(xiaolu: Member, token: Token, at: datetime) -> None:
    other = ChannelFactory(code="coffee")
    IdentityFactory(channel=other, external_id="nick")
    key, secret = make_key(channel_id=other.pk, name="x", algorithm=SsoAlgorithm.HS256, actor_id=None, at=at)
    take_shop_token(token(jti="the-same-nonce"), Purpose.SIGN_IN, at)
    now = int(at.timestamp())
    claims = {"sub": "nick", "aud": "pointkeeper:coffee:sign-in", "iat": now, "exp": now + 60, "jti": "the-same-nonce"}

    theirs = jwt.encode(claims, secret, headers={"kid": key.key_id})

    assert take_shop_token(theirs, Purpose.SIGN_IN, at).channel_id == other.pk


def test_a_buyer_whom_nobody_knows_is_refused_and_his_token_stays_good(
    token: Token, shop: Channel, at: datetime
) -> None:
    once = token("a new buyer")
    assert refusal(once, at) is SsoFault.UNKNOWN_BUYER
    assert not Member.objects.exists()

    late = IdentityFactory(channel=shop, external_id="a new buyer")

    assert take_shop_token(once, Purpose.SIGN_IN, at).member_id == late.member_id


def test_a_key_that_may_makes_a_member_of_a_new_buyer_once(
    key: ShopKey, token: Token, shop: Channel, at: datetime
) -> None:
    ShopKey.objects.filter(pk=key.pk).update(makes_members=True)

    first = take_shop_token(token("a new buyer"), Purpose.SIGN_IN, at)
    second = take_shop_token(token("a new buyer"), Purpose.SIGN_IN, at)

    assert first.member_id == second.member_id
    assert Identity.objects.get().channel == shop
    assert Member.objects.get().joined_at == at


def test_members_are_never_merged_whatever_name_a_token_brings(
    xiaolu: Member, key: ShopKey, token: Token, at: datetime
) -> None:
    ShopKey.objects.filter(pk=key.pk).update(makes_members=True)

    for name in ("xiaolu@example.com", "13800000001", "林小鹿"):
        assert take_shop_token(token(name), Purpose.SIGN_IN, at).member_id != xiaolu.pk


def altered(token: str, **changes: object) -> str:
    """The token with other claims under the same signature."""
    header, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | changes
    return f"{header}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


class TestForgeries:
    def test_an_altered_token_is_refused(self, xiaolu: Member, token: Token, at: datetime) -> None:
        assert refusal(altered(token(), sub="dayong_w"), at) is SsoFault.BAD_SIGNATURE

    def test_another_secret_is_refused(self, xiaolu: Member, token: Token, at: datetime) -> None:
        assert refusal(token(secret="x" * 43), at) is SsoFault.BAD_SIGNATURE

    def test_a_token_without_a_signature_is_refused(self, xiaolu: Member, token: Token, at: datetime) -> None:
        assert refusal(token(secret=None, algorithm="none"), at) is SsoFault.WRONG_ALGORITHM

    def test_the_algorithm_is_the_keys_and_not_the_tokens(self, xiaolu: Member, token: Token, at: datetime) -> None:
        assert refusal(token(algorithm="HS512", secret="x" * 64), at) is SsoFault.WRONG_ALGORITHM

    def test_a_public_key_is_no_secret_to_sign_with(
        self, xiaolu: Member, token: Token, shop: Channel, at: datetime
    ) -> None:
        key = eddsa_key(Ed25519PrivateKey.generate(), shop, at)
        header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": key.key_id}).encode()).decode().rstrip("=")

        # PyJWT itself would refuse to sign with a PEM text; an attacker would not.
        forged = sign_by_hand(f"{header}.{token().split('.')[1]}", key.public_key)

        assert refusal(forged, at) is SsoFault.WRONG_ALGORITHM

    @pytest.mark.parametrize("kid", ["sk_0000000000000000", "", None, "a\0b", "\ud800"])
    def test_an_unknown_key_is_refused(self, kid: str | None, xiaolu: Member, token: Token, at: datetime) -> None:
        header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": kid}).encode()).decode().rstrip("=")
        _own, body, signature = token().split(".")

        assert refusal(f"{header}.{body}.{signature}", at) in (SsoFault.UNKNOWN_KEY, SsoFault.UNREADABLE)

    @pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "no token", "x" * 5000, "é.é.é", "\0", "e30.e30.e30"])
    def test_nonsense_is_refused(self, text: str, key: ShopKey, at: datetime) -> None:
        assert refusal(text, at) in (SsoFault.UNREADABLE, SsoFault.UNKNOWN_KEY)

    def test_a_revoked_key_opens_nothing(self, xiaolu: Member, key: ShopKey, token: Token, at: datetime) -> None:
        assert revoke_key(key.pk, actor_id=StaffFactory().pk, reason="Leaked", at=at)

        assert refusal(token(), at) is SsoFault.REVOKED_KEY
        assert not revoke_key(key.pk, actor_id=StaffFactory().pk, reason="Again", at=at)

    def test_a_token_for_embeds_opens_no_session(self, xiaolu: Member, token: Token, at: datetime) -> None:
        assert refusal(token(purpose=Purpose.EMBED), at) is SsoFault.WRONG_AUDIENCE
        assert refusal(token(purpose=Purpose.SIGN_IN), at, Purpose.EMBED) is SsoFault.WRONG_AUDIENCE

    def test_a_refusal_spends_nothing_and_leaves_a_trace(
        self, xiaolu: Member, key: ShopKey, token: Token, at: datetime, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            refusal(token(exp=0), at)

        assert not SpentToken.objects.exists()
        key.refresh_from_db()
        assert (key.last_refused_at, key.last_fault, key.last_claim) == (at, "wrong_life", "exp")
        assert "sign-on refused: wrong_life exp" in caplog.text


def sign_by_hand(signed: str, secret: str) -> str:
    import hashlib
    import hmac

    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def eddsa_key(pair: Ed25519PrivateKey, shop: Channel, at: datetime) -> ShopKey:
    public = pair.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key, secret = make_key(
        channel_id=shop.pk, name="Pair", algorithm=SsoAlgorithm.EDDSA, public_key=public.decode(), actor_id=None, at=at
    )
    assert secret == ""
    return key


def test_a_key_pair_signs_without_a_secret_of_ours(xiaolu: Member, shop: Channel, at: datetime) -> None:
    pair = Ed25519PrivateKey.generate()
    key = eddsa_key(pair, shop, at)
    now = int(at.timestamp())
    claims = {
        "sub": "小鹿爱喝茶", "aud": audience("tea", Purpose.EMBED), "iat": now, "exp": now + 60, "jti": "nonce-01",
    }  # fmt: skip

    token = jwt.encode(claims, pair, "EdDSA", headers={"kid": key.key_id})

    assert take_shop_token(token, Purpose.EMBED, at).member_id == xiaolu.pk


class TestKeys:
    def test_the_secret_is_not_in_the_database(self, key: ShopKey, secret: str) -> None:
        assert secret not in key.secret
        assert len(secret) == 43

    def test_with_another_secret_key_it_is_lost_unless_the_old_one_is_kept(
        self, xiaolu: Member, token: Token, at: datetime, settings: pytest.FixtureRequest
    ) -> None:
        old: str = settings.SECRET_KEY  # type: ignore[attr-defined]
        with override_settings(SECRET_KEY="another one"):
            assert refusal(token(), at) is SsoFault.LOST_SECRET
        with override_settings(SECRET_KEY="another one", SECRET_KEY_FALLBACKS=[old]):
            assert take_shop_token(token(), Purpose.SIGN_IN, at).member_id == xiaolu.pk

    def test_making_and_revoking_are_in_the_staff_log(self, key: ShopKey, at: datetime) -> None:
        clerk = StaffFactory()
        revoke_key(key.pk, actor_id=clerk.pk, reason="Leaked", at=at)

        made, revoked = StaffAction.objects.order_by("pk")
        assert (made.action, made.details["key"]) == ("shopkey.make", key.key_id)
        assert (revoked.action, revoked.reason, revoked.actor) == ("shopkey.revoke", "Leaked", clerk)

    @pytest.mark.parametrize(
        "text", ["", "ssh-ed25519 AAAA", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"]
    )
    def test_what_is_no_public_key_is_refused(self, text: str) -> None:
        with pytest.raises(NotAPublicKey):
            read_public_key(text)

    def test_a_private_key_is_sent_back_with_a_warning(self) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with translation.override("en"), pytest.raises(NotAPublicKey, match="must never leave"):
            read_public_key(pem.decode())


def test_a_look_at_a_token_spends_nothing(xiaolu: Member, token: Token, at: datetime) -> None:
    once = token()

    assert look_at_shop_token(once, Purpose.SIGN_IN, at) == xiaolu.pk
    assert look_at_shop_token(token("somebody new"), Purpose.SIGN_IN, at) is None
    take_shop_token(once, Purpose.SIGN_IN, at)
    with pytest.raises(TokenRefused) as refused:
        look_at_shop_token(once, Purpose.SIGN_IN, at)
    assert refused.value.fault is SsoFault.REPLAYED


def test_spent_tokens_are_forgotten_when_nobody_would_take_them_any_more(
    xiaolu: Member, token: Token, at: datetime
) -> None:
    once = token()
    take_shop_token(once, Purpose.SIGN_IN, at)
    end = at + timedelta(seconds=180)

    assert forget_spent(end - timedelta(seconds=1)) == 0
    assert forget_spent(end) == 1
    assert refusal(once, end) is SsoFault.EXPIRED


def test_a_token_costs_few_queries(
    xiaolu: Member, token: Token, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    once = token()

    with django_assert_num_queries(6):  # The key, a savepoint, the nonce, the name, its end, the key's last use.
        take_shop_token(once, Purpose.SIGN_IN, at)
