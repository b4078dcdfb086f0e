"""A member's address book. An address is never edited: a correction is a new row in the place of the old one, so that a
redemption keeps the address that its parcel was sent to."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from django.apps import apps
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from redemption.models import Address
from redemption.refusals import Refused

MOST = 20  # Addresses in a book.


# SQL text: the addresses that the member ``m`` keeps, as one value, which ``book_from`` reads.
ADDRESS_BOOK = f"""
(SELECT json_agg(json_build_array(kept.id, kept.recipient, kept.phone, kept.region, kept.street))::text
   FROM (SELECT a.id, a.recipient, a.phone, a.region, a.street
           FROM redemption_address AS a
          WHERE a.member_id = m.id AND a.removed_at IS NULL
          ORDER BY a.preferred DESC, a.id DESC
          LIMIT {MOST}) AS kept)
"""


class BookFull(Refused):
    code = "book_full"
    text = _("There are twenty addresses already. Please remove one that you no longer need.")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a parcel goes; ``region`` is province, city and district, with a space between each."""

    recipient: str
    phone: str
    region: str
    street: str
    postcode: str = ""


def addresses_of(member_id: int) -> list[Address]:
    """Return the addresses that a member keeps, the preferred one first. One query."""
    return list(Address.objects.filter(member=member_id, removed_at=None)[:MOST])


def book_from(value: str | None) -> list[Address]:
    """Read what ``ADDRESS_BOOK`` found: addresses as far as a page shows them, not to be saved."""
    return [
        Address(pk=pk, recipient=recipient, phone=phone, region=region, street=street)
        for pk, recipient, phone, region, street in json.loads(value or "[]")
    ]


def own_address(member_id: int, address_id: int) -> Address | None:
    """Return an address if the member keeps it."""
    return Address.objects.filter(member=member_id, pk=address_id, removed_at=None).first()


def keep_address(
    member_id: int, destination: Destination, *, preferred: bool, at: datetime, instead_of: int | None = None
) -> Address:
    """Put an address into the book, in the place of another one where that is said; return it.

    The first one of a book is preferred. One that is there already is not written twice. Raises BookFull.
    """
    with transaction.atomic():
        kept = _opened_book(member_id)
        old = next((address for address in kept if address.pk == instead_of), None)
        preferred = preferred or (old.preferred if old else not kept)
        same = next((address for address in kept if _destination(address) == destination), None)
        if same is None and old is None and len(kept) >= MOST:
            raise BookFull
        if old is not None and old != same:
            Address.objects.filter(pk=old.pk).update(removed_at=at, preferred=False)
        if preferred:
            Address.objects.filter(member=member_id, preferred=True).update(preferred=False)
        if same is None:
            return Address.objects.create(member_id=member_id, preferred=preferred, added_at=at, **asdict(destination))
        if preferred:
            Address.objects.filter(pk=same.pk).update(preferred=True)
        return same


def remove_address(member_id: int, address_id: int, *, at: datetime) -> None:
    """Take an address out of the book; what was sent there keeps it. The next one becomes the preferred one."""
    with transaction.atomic():
        kept = _opened_book(member_id)
        gone = next((address for address in kept if address.pk == address_id), None)
        if gone is None:
            return
        Address.objects.filter(pk=gone.pk).update(removed_at=at, preferred=False)
        rest = [address for address in kept if address != gone]
        if gone.preferred and rest:
            Address.objects.filter(pk=rest[0].pk).update(preferred=True)


def _opened_book(member_id: int) -> list[Address]:
    """Lock the member, so that of two pages at once the second sees what the first wrote; return his addresses."""
    apps.get_model("crm", "Member").objects.select_for_update(no_key=True).get(pk=member_id)
    return addresses_of(member_id)


def _destination(address: Address) -> Destination:
    return Destination(address.recipient, address.phone, address.region, address.street, address.postcode)
