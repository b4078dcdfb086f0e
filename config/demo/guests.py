"""The buyers whom a visitor of the demo may sign in as."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from config.demo.cast import CAST, Persona, Role
from config.demo.loading import CHANNEL_CODE
from crm.api import log_action
from crm.claims import login_for
from crm.models import Identity, Member, User
from loyalty import api as loyalty


class NotAGuest(Exception):
    """Nobody whom a visitor may sign in as: not a buyer of the demo shop, or a login that is more than a buyer's."""


@dataclass(frozen=True, slots=True)
class Guest:
    """One of the cast as he stands now."""

    role: Role
    name: str
    nick: str
    email: str
    account: loyalty.AccountSummary


def guests(at: datetime) -> list[Guest]:
    """Return the cast with their points, as far as they are in the database."""
    members = _members()
    return [
        Guest(persona.role, persona.name, persona.nick, persona.email, loyalty.summary(members[persona.nick].pk, at))
        for persona in CAST
        if persona.nick in members
    ]


@transaction.atomic
def login_of(role: str, *, at: datetime) -> User:
    """Return the login of one of the cast, made and tied to the member where he never signed in before.

    Raises NotAGuest for anybody else, and for a buyer whose login was closed or may enter the admin.
    """
    persona = next((persona for persona in CAST if persona.role == role), None)
    member = _members().get(persona.nick) if persona else None
    if persona is None or member is None:
        raise NotAGuest
    login = member.user or _first_login(persona, member, at)
    if login is None or login.is_staff or login.is_superuser or not login.is_active:
        raise NotAGuest
    return login


def _first_login(persona: Persona, member: Member, at: datetime) -> User | None:
    """Make the login that a code sent to the buyer's address would have made, and tie it."""
    login = login_for(persona.email)
    if login is None or Member.objects.filter(user=login).exclude(pk=member.pk).exists():
        return None
    Member.objects.filter(pk=member.pk, user=None).update(user=login)
    log_action("member.claim", actor_id=login.pk, at=at, member_id=member.pk, email=persona.email)
    return login


def _members() -> dict[str, Member]:
    """Return those of the cast who have bought at the demo shop, by the name they have there. One query."""
    identities = Identity.objects.filter(
        channel__code=CHANNEL_CODE, external_id__in=[persona.nick for persona in CAST]
    ).select_related("member__user")
    return {identity.external_id: identity.member for identity in identities}
