"""Short words for what the tests of the points floor post and look at."""

from datetime import datetime
from typing import Any

from crm.models import Member
from loyalty.choices import EntryKind
from loyalty.journal import post
from loyalty.models import Account, Entry, Lot
from loyalty.posting import Outcome, Posting, Verb, accrual, maturation, reversal


def earned(member: Member, points: int, *, key: str, at: datetime, expires_at: datetime | None = None) -> Posting:
    """Points that can be spent at once."""
    return accrual(member.pk, points, key=key, effective_at=at, available_at=at, expires_at=expires_at)


def waiting(member: Member, points: int, *, key: str, at: datetime) -> Posting:
    """Points that wait for their order to succeed."""
    return accrual(member.pk, points, key=key, effective_at=at, pending=True)


def ripe(member: Member, about_key: str, *, at: datetime, expires_at: datetime | None = None, **rest: Any) -> Posting:
    """The order succeeded: what waits under ``about_key`` becomes available."""
    key = rest.pop("key", f"{about_key}:maturation")
    return maturation(
        member.pk, key=key, about_key=about_key, effective_at=at, available_at=at, expires_at=expires_at, **rest
    )


def spent(member: Member, points: int, *, key: str, at: datetime, **rest: Any) -> Posting:
    """Points go into a coupon."""
    return Posting(Verb.DRAW, EntryKind.BURN, member.pk, key, at, points, **rest)


def returned(member: Member, points: int, *, key: str, about_key: str = "", at: datetime) -> Posting:
    """Points of the accrual ``about_key`` are taken back."""
    return reversal(member.pk, points, key=key, effective_at=at, about_key=about_key)


def write(*postings: Posting, at: datetime) -> list[Outcome]:
    """Post a batch."""
    return post(postings, at=at)


def balance(member: Member) -> int:
    return Account.objects.get(pk=member.pk).balance


def pending(member: Member) -> int:
    return Account.objects.get(pk=member.pk).pending


def left(member: Member) -> dict[str, int]:
    """What every lot of a member still holds, by the key of the entry that made it."""
    lots = Lot.objects.filter(account_id=member.pk).order_by("id").values_list("entry__key", "remaining")
    return dict(lots)


def drawn(key: str) -> dict[str, int]:
    """What the entry ``key`` drew from which lot."""
    uses = Entry.objects.get(key=key).uses.order_by("id").values_list("lot__entry__key", "points")
    return dict(uses)
