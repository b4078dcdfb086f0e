"""By what a person could be recognised who goes by two names: phones, mail addresses, postal addresses."""

from collections.abc import Collection
from dataclasses import dataclass, field

from crm.models import Identity, Member, Order

# How platforms head the column of the postal address; it is kept with the order's other columns.
_ADDRESS_COLUMNS = ("收货地址", "详细地址", "Shipping Address1", "Shipping Address 1")
_MASK = "*"
_LATEST_ORDERS = 200


@dataclass(frozen=True, slots=True)
class Contacts:
    """What is known in full; what a platform has masked proves nothing and is left out."""

    phones: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)


def contacts_of(member_ids: Collection[int]) -> dict[int, Contacts]:
    """What the shop and the platforms know of these members. Three queries."""
    found: dict[int, Contacts] = {member_id: Contacts() for member_id in member_ids}
    people = [
        *Member.objects.filter(pk__in=found).values_list("pk", "phone", "email"),
        *Identity.objects.filter(member__in=found).values_list("member_id", "phone", "email"),
    ]
    for member_id, phone, email in people:
        _add(found[member_id].phones, phone)
        _add(found[member_id].emails, email.lower())
    orders = Order.objects.filter(member__in=found, raw__has_any_keys=_ADDRESS_COLUMNS).order_by("-pk")
    for member_id, raw in orders.values_list("member_id", "raw")[:_LATEST_ORDERS]:
        if member_id is not None:
            for column in _ADDRESS_COLUMNS:
                _add(found[member_id].addresses, "".join(str(raw.get(column, "")).split()).casefold())
    return found


def _add(known: set[str], value: str) -> None:
    if value and _MASK not in value:
        known.add(value)
