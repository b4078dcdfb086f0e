"""Saving and revoking embeds, and looking at one as a member would: each leaves its line in the staff log."""

from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.core.signing import BadSignature, Signer
from django.db import transaction

from crm.api import log_action
from redemption.models import Embed

_SALT = "redemption.embed.preview"
PREVIEW_LIFE = timedelta(hours=1)


def save_embed(embed: Embed, *, actor_id: int, at: datetime) -> None:
    """Save a new or changed embed and log it."""
    action = "embed.change" if embed.pk else "embed.make"
    embed.changed_at = at
    with transaction.atomic():
        embed.save()
        log_action(action, actor_id=actor_id, at=at, embed=embed.public_key, name=embed.name)


def revoke_embed(embed_id: int, *, actor_id: int, reason: str, at: datetime) -> bool:
    """Revoke an embed, for good and wherever it was pasted; False when somebody else was quicker."""
    with transaction.atomic():
        revoked = Embed.objects.filter(pk=embed_id, revoked_at=None).update(revoked_at=at, revoked_by_id=actor_id)
        if revoked:
            log_action("embed.revoke", actor_id=actor_id, at=at, reason=reason, embed=embed_id)
    return revoked == 1


def look_as(member: str, channel_id: int | None, *, actor_id: int, at: datetime) -> str | None:
    """Return a pass to look at embeds as a member, an hour for this person only; None when there is no such member.

    ``member`` is his name on the platform, or # and his number. That somebody looks is logged with the member.
    """
    member_id = _find(member.strip(), channel_id)
    if member_id is None:
        return None
    log_action("embed.preview", actor_id=actor_id, at=at, member_id=member_id)
    return Signer(salt=_SALT).sign_object([member_id, actor_id, int(at.timestamp())])


def looked_at(signed: str, *, actor_id: int, at: datetime) -> int | None:
    """Return the member of a pass, if it is this person's and not too old."""
    try:
        member_id, actor, began = Signer(salt=_SALT).unsign_object(signed)
    except BadSignature:
        return None
    good = actor == actor_id and at - datetime.fromtimestamp(began, tz=UTC) < PREVIEW_LIFE
    return int(member_id) if good else None


def _find(text: str, channel_id: int | None) -> int | None:
    if text.startswith("#") and text[1:].isascii() and text[1:].isdecimal() and len(text) < 19:
        members = apps.get_model("crm", "Member").objects.filter(pk=int(text[1:]))
        return members.values_list("pk", flat=True).first()
    named = apps.get_model("crm", "Identity").objects.filter(external_id=text)
    if channel_id is not None:
        named = named.filter(channel=channel_id)
    return named.values_list("member", flat=True).first()
