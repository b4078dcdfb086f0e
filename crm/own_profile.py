"""What a buyer tells of himself, on his own page: he fills in what is empty and changes nothing that stands there.

Changing is the shop's business: a birthday that could be set anew would be a birthday every month.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from crm.feeds.cells import read_phone
from crm.member_profile import profile_complete
from crm.models import Member
from crm.stafflog import log_action

_FIELDS = ("name", "phone", "birthday")


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """A member's own details. ``complete`` when the shop has nothing more to ask."""

    name: str
    email: str
    phone: str
    birthday: date | None
    complete: bool


def own_profile(member_id: int) -> OwnProfile:
    """What stands in a member's profile. One query."""
    return _profile(Member.objects.get(pk=member_id))


def complete_profile(
    member_id: int, *, name: str = "", phone: str = "", birthday: date | None = None, at: datetime, actor_id: int | None
) -> OwnProfile:
    """Fill in what is empty, log which fields that were, and return what stands there now.

    What is filled in already stays, whatever is given for it, also when two pages are sent at once. ``phone`` is as
    ``whole_phone`` returns it.
    """
    given = {"name": name, "phone": phone, "birthday": birthday}
    with transaction.atomic():
        member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
        filled = [field for field in _FIELDS if given[field] and not getattr(member, field)]
        for field in filled:
            setattr(member, field, given[field])
        if filled:
            member.save(update_fields=filled)
            log_action("member.own_profile", actor_id=actor_id, at=at, member_id=member_id, fields=filled)
    return _profile(member)


def whole_phone(typed: str) -> str:
    """A phone number as orders have it, digits only with a country code; "" when it is none."""
    return read_phone(typed)


def members_born_on(days: Collection[tuple[int, int]], *, after: int, most: int) -> list[tuple[int, date]]:
    """The next ``most`` members after the id ``after`` whose birthday is on one of these days (month, day), with it."""
    wanted = Q()
    for month, day in days:
        wanted |= Q(birthday__month=month, birthday__day=day)
    found = Member.objects.filter(wanted, pk__gt=after).order_by("pk").values_list("pk", "birthday")[:most]
    return [(pk, birthday) for pk, birthday in found if birthday is not None]


def _profile(member: Member) -> OwnProfile:
    return OwnProfile(member.name, member.email, member.phone, member.birthday, profile_complete(member))
