"""An audit looks row by row only where a fingerprint says that something is wrong: and none of them is blind."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from crm.models import Member
from loyalty.audit import audit
from loyalty.audit.fingerprints import Fingerprints
from loyalty.journal import expire_due
from loyalty.models import Account, Entry, Hold, Lot, LotUse
from loyalty.movements import adjust, burn, capture, hold, release
from tests.loyalty.fingerprints import fingerprints_agree
from tests.loyalty.postings import earned, returned, ripe, waiting, write
from tests.loyalty.tampering import execute, tamper

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def ledger(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """Lines of every kind but the opening one. 林小鹿 and 王大勇 each spend ten on the same day; he ends in debt."""
    write(
        earned(xiaolu, 100, key="in", at=at, expires_at=at + DAY),
        earned(dayong, 100, key="his", at=at),
        waiting(xiaolu, 30, key="later", at=at),
        waiting(xiaolu, 30, key="still", at=at),
        at=at,
    )
    write(ripe(xiaolu, "later", at=at, expires_at=at + 400 * DAY), at=at)
    burn(xiaolu.pk, 10, key="out", at=at)
    burn(dayong.pk, 10, key="his out", at=at)
    adjust(xiaolu.pk, 7, key="gift", at=at, reason="sorry", actor_id=None)
    for key in ("aside", "paid", "given"):
        hold(xiaolu.pk, 5, key=key, at=at, deadline=None)
    capture(xiaolu.pk, "paid", key="paid:captured", at=at)
    release(xiaolu.pk, "given", key="given:released", at=at, revive_until=None)
    expire_due(at + 2 * DAY)
    write(returned(dayong, 95, key="back", about_key="his", at=at + 2 * DAY), at=at + 2 * DAY)


def found() -> set[str]:
    return {mismatch.check for mismatch in audit().mismatches}


def test_a_sound_ledger_is_not_asked_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*arguments: Any) -> Iterator[Any]:
        raise AssertionError("asked row by row")

    monkeypatch.setattr("loyalty.audit.run.row_by_row", asked)

    assert audit().ok
    tamper(Account, "UPDATE loyalty_account SET balance = balance + 1")
    with pytest.raises(AssertionError, match="asked row by row"):
        audit()


def test_every_audit_draws_a_key_of_its_own() -> None:
    """Who knew it could look for rows whose hashes make up for each other."""
    assert len({piece.values["key"] for piece in (*Fingerprints().pieces(), *Fingerprints().pieces())}) == 2


def test_entries_of_nobody_s_that_cancel_out_are_found(xiaolu: Member, at: datetime) -> None:
    """All sums over them are nothing, as those of an account that is not there."""
    nobody = xiaolu.pk + 1000
    write(earned(xiaolu, 10, key="a", at=at + 3 * DAY), at=at + 3 * DAY)
    burn(xiaolu.pk, 10, key="b", at=at + 3 * DAY)
    before = Entry.objects.get(key="a").balance_after - 10
    tamper(
        Entry,
        "UPDATE loyalty_entry SET account_id = %s, balance_after = balance_after - %s WHERE key IN ('a', 'b')",
        nobody,
        before,
    )

    assert ("balance_is_sum_of_entries", nobody) in {(m.check, m.account_id) for m in audit().mismatches}


def test_a_balance_that_does_not_run_on_is_found() -> None:
    """Of lines that move no points neither this nor the exact query knows the balance; the seals do."""
    for pk in Entry.objects.exclude(points=0).values_list("pk", flat=True):
        tamper(Entry, "UPDATE loyalty_entry SET balance_after = balance_after + 1 WHERE id = %s", pk)
        assert not fingerprints_agree()
        tamper(Entry, "UPDATE loyalty_entry SET balance_after = balance_after - 1 WHERE id = %s", pk)
    assert fingerprints_agree()


def test_two_members_who_drew_on_each_other_s_lots_are_found(xiaolu: Member, dayong: Member) -> None:
    """Entries and lots lack what they should: only the owners tell."""
    hers, his = LotUse.objects.get(entry__key="out"), LotUse.objects.get(entry__key="his out")
    tamper(
        LotUse, "UPDATE loyalty_lotuse SET lot_id = %s - lot_id WHERE id IN (%s, %s)",
        hers.lot_id + his.lot_id, hers.pk, his.pk,
    )  # fmt: skip

    assert found() == {"entry_drew_on_own_lots"}


def test_two_entries_that_drew_each_other_s_points_are_found(xiaolu: Member, at: datetime) -> None:
    adjust(xiaolu.pk, 50, key="more", at=at + 3 * DAY, reason="sorry", actor_id=None)
    burn(xiaolu.pk, 1, key="one", at=at + 3 * DAY)
    burn(xiaolu.pk, 2, key="two", at=at + 3 * DAY)
    one, two = (Entry.objects.get(key=key).pk for key in ("one", "two"))
    tamper(LotUse, "UPDATE loyalty_lotuse SET entry_id = %s - entry_id WHERE entry_id IN (%s, %s)", one + two, one, two)

    assert found() == {"entry_drew_what_it_took"}


def test_a_use_whose_entry_is_gone_is_found() -> None:
    gone = Entry.objects.get(key="his out").pk
    tamper(LotUse, "UPDATE loyalty_lotuse SET entry_id = %s WHERE entry_id = %s", gone + 10**6, gone)

    assert "entry_drew_on_own_lots" in found()


def test_a_use_whose_lot_is_gone_is_found() -> None:
    tamper(Lot, "DELETE FROM loyalty_lot WHERE entry_id = (SELECT id FROM loyalty_entry WHERE key = 'his')")

    assert {"entry_drew_on_own_lots", "new_points_have_their_lot"} <= found()


@pytest.mark.parametrize("column", ["account_id", "entry_id"])
def test_a_number_that_postgresql_would_fold_to_the_same_hash_is_another_one(column: str) -> None:
    """``hashint8`` takes a long number for the one that its two halves make up."""
    folded = f"(1::bigint << 32) + ({column} # 1)"
    execute(f"SELECT 1 / (hashint8({column}) = hashint8({folded}))::integer FROM loyalty_lot")
    tamper(Lot, f"UPDATE loyalty_lot SET {column} = {folded} WHERE id = (SELECT max(id) FROM loyalty_lot)")

    assert "lot_is_of_its_entry" in found()


# Each is a sum, an owner, a partner or a size of one table.
@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Account, "balance = balance + 1"),
        (Account, "pending = pending + 1"),
        (Account, "held = held + 1"),
        (Entry, "points = points + 1"),
        (Entry, "pending = pending + 1"),
        (Entry, "held = held + 1"),
        (Entry, "account_id = account_id + 1000"),
        (Lot, "remaining = remaining - 1"),
        (Lot, "points = points + 1"),
        (Lot, "account_id = account_id + 1000"),
        (Lot, "entry_id = entry_id + 1000"),
        (LotUse, "points = points + 1000"),
        (LotUse, "lot_id = lot_id + 1000"),
        (LotUse, "entry_id = entry_id + 1000"),
        (Hold, "points = points + 1"),
        (Hold, "account_id = account_id + 1000"),
        (Hold, "entry_id = entry_id + 1000"),
    ],
)
def test_whichever_row_of_whichever_table_is_altered_the_fingerprints_differ(model: Any, change: str) -> None:
    assert fingerprints_agree()
    table, key = model._meta.db_table, model._meta.pk.column
    altered = 0
    for pk in list(model.objects.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            # Where a constraint refuses, there is nothing to be found.
            with suppress(IntegrityError):
                tamper(model, f"UPDATE {table} SET {change} WHERE {key} = %s", pk)
                assert not fingerprints_agree(), pk
                altered += 1
            transaction.set_rollback(True)
    assert altered
