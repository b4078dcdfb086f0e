"""No row of the seals or of the closed days can be taken out of the middle unnoticed."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.audit import audit
from loyalty.close import close_due_days
from loyalty.models import DayClose, Entry, EntrySeal
from loyalty.movements import burn
from tests.loyalty.postings import earned, write
from tests.loyalty.tampering import tamper

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def sealed(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """Three closed days with two entries each."""
    for number in range(3):
        moment = at + number * DAY
        write(
            earned(xiaolu, 100, key=f"in:{number}", at=moment),
            earned(dayong, 9, key=f"his:{number}", at=moment),
            at=moment,
        )
    assert close_due_days(at + 3 * DAY) == 3


def found() -> list[tuple[str, str]]:
    return [(mismatch.check, mismatch.row) for mismatch in audit().mismatches]


def entry(key: str) -> Entry:
    return Entry.objects.get(key=key)


def unseal(*keys: str) -> None:
    tamper(EntrySeal, "DELETE FROM loyalty_entryseal WHERE entry_id = ANY (%s)", [entry(key).pk for key in keys])


def forget_day(number: int) -> None:
    tamper(DayClose, "DELETE FROM loyalty_dayclose WHERE number = %s", number)


@pytest.mark.parametrize("key", ["in:0", "his:1", "in:2"])
def test_a_missing_seal_is_named_by_its_entry_and_its_day(key: str) -> None:
    unseal(key)

    assert ("entry_has_its_seal", f"entry {entry(key).pk}") in found()
    assert [row for check, row in found() if check == "day_is_as_sealed"] == [f"day 2026-03-1{key[-1]}"]


def test_all_seals_of_a_day_missing_name_all_its_entries() -> None:
    unseal("in:1", "his:1")

    named = {row for check, row in found() if check == "entry_has_its_seal"}
    assert named == {f"entry {entry('in:1').pk}", f"entry {entry('his:1').pk}"}


def test_seals_missing_in_two_days_are_told_by_both() -> None:
    unseal("in:0", "his:1")

    assert [row for check, row in found() if check == "day_is_as_sealed"] == ["day 2026-03-10", "day 2026-03-11"]


def test_a_missing_seal_stays_found_after_the_night_has_sealed_the_entry_anew(xiaolu: Member, at: datetime) -> None:
    unseal("in:2")
    burn(xiaolu.pk, 10, key="out", at=at + 3 * DAY)
    close_due_days(at + 4 * DAY)

    assert ("day_is_as_sealed", "day 2026-03-12") in found()


def test_the_first_day_missing_is_told_by_the_second_and_by_its_own_seals() -> None:
    forget_day(1)

    assert ("days_are_chained", "day 2026-03-11") in found()
    assert ("seal_has_its_day", "close 1") in found()


def test_a_day_missing_with_its_seals_and_entries_is_told_by_the_next() -> None:
    unseal("in:1", "his:1")
    tamper(Entry, "DELETE FROM loyalty_entry WHERE key IN ('in:1', 'his:1')")
    forget_day(2)

    assert ("days_are_chained", "day 2026-03-12") in found()


def test_all_days_missing_are_told_by_the_seals() -> None:
    for number in (1, 2, 3):
        forget_day(number)

    assert found() == [("seal_has_its_day", f"close {number}") for number in (1, 2, 3)]


def test_the_last_day_missing_is_told_by_its_seals() -> None:
    forget_day(3)

    assert found() == [("seal_has_its_day", "close 3")]


def test_the_last_day_missing_with_its_seals_is_found_by_a_digest_that_was_noted() -> None:
    """Nothing inside the database can prove its own end; a copy of one digest outside can."""
    noted = audit().digest
    unseal("in:2", "his:2")
    forget_day(3)

    assert audit().ok
    assert [mismatch.check for mismatch in audit(digest=noted).mismatches] == ["digest_is_known"]
