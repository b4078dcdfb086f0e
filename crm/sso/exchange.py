"""A shop's token becomes a member: the key is found, the signature checked, the claims judged, the nonce spent."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import jwt
from django.db import connection, transaction
from django.db.models import Exists, Q
from jwt.types import Options

from crm.choices import SsoFault
from crm.models import Identity, Member, ShopKey, SpentToken
from crm.newcomers import Newcomer, make_newcomers
from crm.sso.judging import LONGEST_TOKEN, Assertion, Purpose, TokenRefused, audience, judge, storable
from crm.sso.keys import note_fault, note_use
from crm.sso.sealing import Lost, unseal

_log = logging.getLogger(__name__)
# Claims are judged by us, at the instant of the caller; the library is asked for the signature only.
_SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom a shop vouched for: the member, and the shop and key that did."""

    member_id: int
    channel_id: int
    key_pk: int


@dataclass(frozen=True, slots=True)
class _Read:
    key: ShopKey
    assertion: Assertion


def take_shop_token(token: str, purpose: Purpose, at: datetime) -> Guest:
    """Take a token, once. Raises TokenRefused; nothing is spent or made then.

    The member is the one who has the token's subject as his name on the key's channel. Where nobody has, the key says
    whether a new member is made; members are never merged, whatever else is known of them.
    """
    with _told(token, at):
        read = _read(token, purpose, at)
        with transaction.atomic():
            guest = _spend(read, at)
    note_use(read.key, at)
    return guest


def look_at_shop_token(token: str, purpose: Purpose, at: datetime) -> int | None:
    """Return the member that a token stands for without spending it; None for somebody new. Raises TokenRefused."""
    with _told(token, at):
        read = _read(token, purpose, at)
        _refuse_spent(read)
    return _member(read)


def still_vouched_for(guest: Guest) -> bool:
    """Say whether what a token once opened may stay open: its key is in force, and the member's login not closed."""
    usable = Q(user=None) | Q(user__is_active=True, user__is_staff=False)
    members = Member.objects.filter(usable, pk=guest.member_id, erased_at=None)
    key = ShopKey.objects.filter(pk=guest.key_pk, channel=guest.channel_id, revoked_at=None)
    return key.filter(Exists(members)).exists()


def forget_spent(at: datetime) -> int:
    """Delete the nonces of tokens that are too old to be taken anyway; returns how many."""
    deleted, _models = SpentToken.objects.filter(stale_at__lte=at).delete()
    return deleted


def _read(token: str, purpose: Purpose, at: datetime) -> _Read:
    key = _key_of(token)
    if key.revoked_at is not None:
        raise TokenRefused(SsoFault.REVOKED_KEY)
    try:
        material = unseal(key.secret) if key.secret else key.public_key
        claims = jwt.decode(token, material, algorithms=[key.algorithm], options=_SIGNATURE_ONLY)
    except Lost as error:
        raise TokenRefused(SsoFault.LOST_SECRET) from error
    except jwt.InvalidAlgorithmError as error:
        raise TokenRefused(SsoFault.WRONG_ALGORITHM) from error
    except jwt.InvalidSignatureError as error:
        raise TokenRefused(SsoFault.BAD_SIGNATURE) from error
    except jwt.PyJWTError as error:
        raise TokenRefused(SsoFault.UNREADABLE) from error
    return _Read(key, judge(claims, audience=audience(key.channel.code, purpose), at=at))


def _key_of(token: str) -> ShopKey:
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused(SsoFault.UNREADABLE)
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        raise TokenRefused(SsoFault.UNREADABLE) from error
    known = isinstance(key_id, str) and storable(key_id)
    key = ShopKey.objects.select_related("channel").filter(key_id=key_id).first() if known else None
    if key is None:
        raise TokenRefused(SsoFault.UNKNOWN_KEY)
    return key


_SPEND = """
INSERT INTO crm_spenttoken (key_id, nonce, stale_at) VALUES (%s, %s, %s) ON CONFLICT (key_id, nonce) DO NOTHING
"""


def _spend(read: _Read, at: datetime) -> Guest:
    """Of two requests with one token the second waits here until the first has committed, and then finds no room."""
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, [read.key.pk, read.assertion.nonce, read.assertion.stale_at])
        if cursor.rowcount == 0:
            raise TokenRefused(SsoFault.REPLAYED, "jti")
    member_id = _member(read)
    if member_id is None and read.key.makes_members:
        newcomer = Newcomer(read.key.channel_id, read.assertion.subject, email="", phone="", joined_at=at)
        make_newcomers([newcomer])
        member_id = _member(read)
    if member_id is None:
        raise TokenRefused(SsoFault.UNKNOWN_BUYER, "sub")
    return Guest(member_id, read.key.channel_id, read.key.pk)


def _member(read: _Read) -> int | None:
    named = Identity.objects.filter(channel=read.key.channel_id, external_id=read.assertion.subject)
    return named.values_list("member_id", flat=True).first()


def _refuse_spent(read: _Read) -> None:
    if SpentToken.objects.filter(key=read.key, nonce=read.assertion.nonce).exists():
        raise TokenRefused(SsoFault.REPLAYED, "jti")


@contextmanager
def _told(token: str, at: datetime) -> Iterator[None]:
    """Leave a trace of a refusal: a line in the log, and the reason on the page of the key, if the token names one."""
    try:
        yield
    except TokenRefused as refusal:
        _log.warning("sign-on refused: %s %s", refusal.fault, refusal.claim)
        if refusal.fault not in (SsoFault.UNREADABLE, SsoFault.UNKNOWN_KEY):
            note_fault(_key_of(token), refusal.fault, refusal.claim, at)
        raise
