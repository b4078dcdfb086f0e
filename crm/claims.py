"""Whose login is whose: a proven mail address and the one member that the seller's data knows by it.

An address that several members share (a family, an office) proves none of them. Such a login stays without a member
until staff of the shop tie it by hand; nothing here ever merges members or moves a login from one to another.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models.functions import Lower

from crm.models import Identity, Member, User
from crm.sso.logins import shop_login_name
from crm.stafflog import log_action


class ClaimState(StrEnum):
    """What a login's proven address leads to."""

    TIED = "tied"  # The login has its member.
    FREE = "free"  # Exactly one member has the address, and no login yet.
    SHARED = "shared"  # Several members have the address.
    TAKEN = "taken"  # The member with the address already has another login.
    UNKNOWN = "unknown"  # The seller's data does not hold the address.


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer for one login. ``member_id`` is set when the state is TIED or FREE; ``email`` is what was proven."""

    state: ClaimState
    email: str = ""
    member_id: int | None = None


@dataclass(frozen=True, slots=True)
class Buyer:
    """The member behind a login."""

    member_id: int
    name: str
    joined_at: datetime


def buyer_of(user_id: int) -> Buyer | None:
    """Return the member that a login is tied to. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, joined_at FROM crm_member WHERE user_id = %s", [user_id])
        row = cursor.fetchone()
    return Buyer(*row) if row else None


def login_for(email: str) -> User | None:
    """Return the buyer's login to which a sign-in code for this address belongs; None when the address is not known.

    The first request for an address that the seller's data holds makes the login. Its name is derived from the address,
    so that two first requests at once make one. A member who came through his shop before has a login already, and
    gets that one. Staff sign in with a password, never by a code: a staff account with the same address is not looked
    at.
    """
    address = email.strip().lower()
    name = _login_name(address)
    login = User.objects.filter(username=name).first()
    if login is None or not Member.objects.filter(user=login).exists():
        login = _login_by_data(address, name) or login
    usable = login is not None and login.is_active and not login.is_staff
    return login if usable else None


def mail_opens(address: str, user_id: int, member_id: int) -> bool:
    """Say whether a code to this address, which is in lower case, would open this login of this member. Makes no
    login."""
    login = User.objects.filter(username=_login_name(address)).values_list("pk", flat=True).first()
    if login is not None:
        return login == user_id
    through_shop = User.objects.filter(pk=user_id, username=shop_login_name(member_id))
    return _members_with(address) == [(member_id, user_id)] and through_shop.exists()


def _login_name(address: str) -> str:
    return f"buyer-{hashlib.sha256(address.encode()).hexdigest()[:32]}"


def _login_by_data(address: str, name: str) -> User | None:
    members = _members_with(address)
    if not members:
        return None
    with transaction.atomic():
        login = _login_through_shop(members)
        if login is None:
            login, _created = User.objects.get_or_create(
                username=name, defaults={"email": address, "password": make_password(None)}
            )
        # Not yet proven: typing the code does that.
        first = not EmailAddress.objects.filter(user=login).exists()
        EmailAddress.objects.get_or_create(user=login, email=address, defaults={"primary": first})
    return login


def _login_through_shop(members: list[tuple[int, int | None]]) -> User | None:
    match members:
        case [(member_id, int(user_id))]:
            return User.objects.filter(pk=user_id, username=shop_login_name(member_id)).first()
        case _:
            return None


def find_claim(user_id: int) -> Claim:
    """Return what the login's proven address leads to. Writes nothing."""
    email = EmailAddress.objects.filter(user_id=user_id, verified=True).values_list("email", flat=True).first() or ""
    if tied := buyer_of(user_id):
        return Claim(ClaimState.TIED, email, tied.member_id)
    members = _members_with(email.lower()) if email else []
    match members:
        case []:
            return Claim(ClaimState.UNKNOWN, email)
        case [(member_id, None)]:
            return Claim(ClaimState.FREE, email, member_id)
        case [_]:
            return Claim(ClaimState.TAKEN, email)
        case _:
            return Claim(ClaimState.SHARED, email)


@transaction.atomic
def claim_member(user_id: int, at: datetime) -> Claim:
    """Tie the login to the one member that has its proven address and no login yet; log it; return what is now true."""
    claim = find_claim(user_id)
    if claim.state is not ClaimState.FREE or claim.member_id is None:
        return claim
    if not Member.objects.filter(pk=claim.member_id, user=None).update(user_id=user_id):
        return find_claim(user_id)  # Somebody was quicker.
    log_action(
        "member.claim",
        actor_id=user_id,
        at=at,
        member_id=claim.member_id,
        email=claim.email,
    )
    return Claim(ClaimState.TIED, claim.email, claim.member_id)


def _members_with(address: str) -> list[tuple[int, int | None]]:
    """Return (member, its login) for at most two members that have the address, which is complete and in lower case."""
    own = (
        Member.objects.alias(address=Lower("email"))
        .filter(address=address)
        .exclude(email="")
        .order_by()
        .values_list("pk", "user_id")
    )
    on_platforms = (
        Identity.objects.filter(email=address).exclude(email="").order_by().values_list("member_id", "member__user_id")
    )
    return list(own.union(on_platforms)[:2])
