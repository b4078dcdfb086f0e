"""Lots lapse at their instant, and the night takes what is left of them. After each test the books must add up."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.choices import EntryKind
from loyalty.journal import expire_due
from loyalty.models import Account, Entry, Lot
from loyalty.movements import burn
from tests.cast import NOON
from tests.factories import MemberFactory
from tests.loyalty.postings import (
    balance,
    earned,
    waiting,
    write,
)

pytestmark = pytest.mark.usefixtures("books_add_up")

APRIL = NOON + timedelta(days=30)
MAY = NOON + timedelta(days=60)
NEXT_YEAR = NOON + timedelta(days=365)


class TestExpiry:
    def test_what_is_left_of_a_lapsed_lot_leaves_the_account_as_one_entry(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="in", at=at, expires_at=APRIL), at=at)
        burn(xiaolu.pk, 30, key="coupon", at=at)

        expired = expire_due(MAY)

        assert (expired.lots, expired.points) == (1, 70)
        entry = Entry.objects.get(kind=EntryKind.EXPIRY)
        assert (entry.points, entry.balance_after, entry.effective_at, entry.recorded_at) == (-70, 0, APRIL, MAY)
        assert entry.key == f"lot:{Lot.objects.get().pk}:expiry:20260409T0400"
        assert entry.about.key == "in"  # type: ignore[union-attr]

    def test_a_lot_lapses_at_its_instant_and_not_a_moment_before(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="in", at=at, expires_at=APRIL), at=at)

        assert expire_due(APRIL - timedelta(microseconds=1)).lots == 0
        assert expire_due(APRIL).lots == 1

    def test_running_again_takes_nothing_more(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="in", at=at, expires_at=APRIL), at=at)
        expire_due(MAY)

        assert (expire_due(MAY).lots, balance(xiaolu)) == (0, 0)

    def test_pending_spent_and_never_expiring_lots_stay(self, xiaolu: Member, at: datetime) -> None:
        write(
            earned(xiaolu, 10, key="spent", at=at, expires_at=APRIL),
            earned(xiaolu, 10, key="never", at=at),
            waiting(xiaolu, 10, key="waiting", at=at),
            at=at,
        )
        burn(xiaolu.pk, 10, key="coupon", at=at)

        assert expire_due(NEXT_YEAR).lots == 0

    def test_lots_of_one_account_lapse_in_the_order_of_their_validity(self, xiaolu: Member, at: datetime) -> None:
        write(
            earned(xiaolu, 10, key="may", at=at, expires_at=MAY),
            earned(xiaolu, 20, key="april", at=at, expires_at=APRIL),
            earned(xiaolu, 5, key="never", at=at),
            at=at,
        )

        expire_due(MAY)

        expiries = Entry.objects.filter(kind=EntryKind.EXPIRY).order_by("id")
        assert [(entry.points, entry.balance_after) for entry in expiries] == [(-20, 15), (-10, 5)]

    def test_small_chunks_take_the_same_as_one_large_one(self, shop: object, at: datetime) -> None:
        members = [MemberFactory() for _ in range(7)]
        write(*(earned(m, 10, key=f"in:{m.pk}", at=at, expires_at=APRIL) for m in members), at=at)

        expired = expire_due(APRIL, accounts_per_chunk=2)

        assert (expired.lots, expired.points) == (7, 70)
        assert set(Account.objects.values_list("balance", flat=True)) == {0}

    def test_an_expiry_stopped_half_way_goes_on_where_it_ended(self, shop: object, at: datetime) -> None:
        members = [MemberFactory() for _ in range(3)]
        write(*(earned(m, 10, key=f"in:{m.pk}", at=at, expires_at=APRIL) for m in members[:2]), at=at)
        expire_due(APRIL, accounts_per_chunk=1)
        write(earned(members[2], 10, key="late", at=at, expires_at=APRIL), at=at)

        assert expire_due(APRIL, accounts_per_chunk=1).lots == 1
