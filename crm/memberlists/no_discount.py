"""Putting members on the list of those who always pay the list price (无折扣会员), and taking them off, by hand."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from crm.models import Member, NoDiscount
from crm.stafflog import log_action


def put_on_list(member_ids: Collection[int], *, reason: str, at: datetime, actor_id: int | None) -> int:
    """From now on these members pay the list price. Returns how many of them were not on the list.

    Raises ``ValueError`` without a reason.
    """
    _demand(reason)
    with transaction.atomic():
        _lock(member_ids)
        on_it = set(_on_list(member_ids))
        new = sorted(set(member_ids) - on_it)
        NoDiscount.objects.bulk_create(
            NoDiscount(member_id=member_id, since=at, reason=reason, added_by_id=actor_id) for member_id in new
        )
        _log("no_discount.add", new, reason, at, actor_id)
    return len(new)


def take_off_list(member_ids: Collection[int], *, reason: str, at: datetime, actor_id: int | None) -> int:
    """From now on these members may have discounts again. Returns how many of them were on the list.

    What they had to pay before can still be told. Raises ``ValueError`` without a reason.
    """
    _demand(reason)
    with transaction.atomic():
        _lock(member_ids)
        on_it = _on_list(member_ids)
        NoDiscount.objects.filter(member__in=on_it, until=None).update(until=at, until_reason=reason)
        _log("no_discount.remove", on_it, reason, at, actor_id)
    return len(on_it)


def _demand(reason: str) -> None:
    if not reason.strip():
        raise ValueError("who pays the list price is a decision that needs a reason")


def _lock(member_ids: Collection[int]) -> None:
    list(Member.objects.select_for_update(no_key=True).filter(pk__in=member_ids).order_by("pk").values_list("pk"))


def _on_list(member_ids: Collection[int]) -> list[int]:
    rows = NoDiscount.objects.filter(member__in=member_ids, until=None).order_by("member")
    return list(rows.values_list("member", flat=True))


def _log(action: str, member_ids: list[int], reason: str, at: datetime, actor_id: int | None) -> None:
    if len(member_ids) == 1:
        log_action(action, actor_id=actor_id, at=at, reason=reason, member_id=member_ids[0])
    elif member_ids:
        log_action(action, actor_id=actor_id, at=at, reason=reason, members=len(member_ids))
