"""The keys that shops sign with: made, shown once, revoked for good."""

import secrets
from datetime import datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.choices import SsoAlgorithm, SsoFault
from crm.models import ShopKey
from crm.sso.sealing import seal
from crm.stafflog import log_action

# How exactly the last use is known: a row is not written anew for every buyer of a busy hour.
_NOTED_EVERY = timedelta(minutes=1)


class NotAPublicKey(ValueError):
    """What was given is no Ed25519 public key; its only argument says what to do."""


def make_key(
    *,
    channel_id: int,
    name: str,
    algorithm: SsoAlgorithm,
    public_key: str = "",
    makes_members: bool = False,
    actor_id: int | None,
    at: datetime,
) -> tuple[ShopKey, str]:
    """Make a key and log it. Returns the key and its secret in the clear, which is "" for EdDSA and is never to be had
    again. Raises NotAPublicKey."""
    secret = secrets.token_urlsafe(32) if algorithm is SsoAlgorithm.HS256 else ""
    with transaction.atomic():
        key = ShopKey.objects.create(
            channel_id=channel_id,
            name=name,
            key_id=f"sk_{secrets.token_hex(8)}",
            algorithm=algorithm,
            secret=seal(secret) if secret else "",
            public_key="" if secret else read_public_key(public_key),
            makes_members=makes_members,
            made_at=at,
            made_by_id=actor_id,
        )
        log_action("shopkey.make", actor_id=actor_id, at=at, key=key.key_id, name=name, channel=channel_id)
    return key, secret


def revoke_key(key_id: int, *, actor_id: int, reason: str, at: datetime) -> bool:
    """Revoke a key: from now on no token of it is taken, and what it opened in embeds is closed. Returns False when
    somebody else was quicker. There is no way back; a new key is made instead."""
    with transaction.atomic():
        revoked = ShopKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=at, revoked_by_id=actor_id)
        if revoked:
            log_action("shopkey.revoke", actor_id=actor_id, at=at, reason=reason, key=key_id)
    return revoked == 1


def read_public_key(text: str) -> str:
    """Return an Ed25519 public key in the one form that is stored, PEM. Raises NotAPublicKey."""
    if "PRIVATE KEY" in text:
        raise NotAPublicKey(
            _("This is a private key. It must never leave the shop's server: throw it away, make a new pair, and paste "
              "the public key.")
        )  # fmt: skip
    try:
        key = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotAPublicKey(
            _("This is no public key in PEM form. It begins with -----BEGIN PUBLIC KEY-----.")
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotAPublicKey(_("This key is of another kind. Make one with: openssl genpkey -algorithm ed25519"))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def note_use(key: ShopKey, at: datetime) -> None:
    """Remember that a key was used, to the minute."""
    stale = Q(last_used_at=None) | Q(last_used_at__lt=at - _NOTED_EVERY)
    ShopKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)


def note_fault(key: ShopKey, fault: SsoFault, claim: str, at: datetime) -> None:
    """Remember why the last token of a key was refused, so that its page can tell the developer."""
    stale = Q(last_refused_at=None) | Q(last_refused_at__lt=at - _NOTED_EVERY) | ~Q(last_fault=fault)
    ShopKey.objects.filter(stale, pk=key.pk).update(last_refused_at=at, last_fault=fault, last_claim=claim)
