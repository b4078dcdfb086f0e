"""Whoever alters a sealed row is found and the row is named, also the owner of the database with the triggers off."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.utils import DatabaseError

from crm.models import Member
from loyalty.audit import audit
from loyalty.audit.blocks import TEXTS
from loyalty.audit.scope import fetch
from loyalty.close import close_due_days
from loyalty.models import DayClose, Entry, EntrySeal
from loyalty.movements import burn
from tests.factories import OrderFactory, StaffFactory
from tests.loyalty.postings import earned, write
from tests.loyalty.tampering import APPEND_ONLY, JOURNAL_ONLY, execute, refusal_of, tamper

DAY = timedelta(days=1)
MARCH_10, MARCH_11, MARCH_12 = "day 2026-03-10", "day 2026-03-11", "day 2026-03-12"


def three_days(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """林小鹿 earns 100 and spends 40 the day after; 王大勇 earns 20 on the third day. All three are closed."""
    write(earned(xiaolu, 100, key="in", at=at), at=at)
    burn(xiaolu.pk, 40, key="out", at=at + DAY)
    write(earned(dayong, 20, key="his", at=at + 2 * DAY), at=at + 2 * DAY)
    assert close_due_days(at + 3 * DAY) == 3


@pytest.fixture
def sealed(xiaolu: Member, dayong: Member, at: datetime) -> None:
    three_days(xiaolu, dayong, at)


def found(check: str) -> list[tuple[int, str]]:
    """What one check of the audit has to say: accounts and rows."""
    return [(m.account_id, m.row) for m in audit().mismatches if m.check == check]


def checks() -> set[str]:
    return {mismatch.check for mismatch in audit().mismatches}


def entry(key: str) -> Entry:
    return Entry.objects.get(key=key)


@pytest.mark.django_db
@pytest.mark.usefixtures("sealed")
class TestEntries:
    def test_what_was_not_touched_passes(self) -> None:
        report = audit()

        assert report.ok
        assert (report.closes, report.digest) == (3, DayClose.objects.get(number=3).digest.hex())

    # For each column another value that the constraints of the table let through.
    OTHERWISE: dict[str, tuple[str, Callable[[], Any] | None]] = {
        "account_id": ("account_id + 1", None),
        "kind": ("'expiry'", None),
        "points": ("-41", None),
        "pending": ("1", None),
        "held": ("1", None),
        "balance_after": ("61", None),
        "key": ("'out:2'", None),
        "digest": ("sha256('forged')", None),
        "effective_at": ("effective_at + interval '1 microsecond'", None),
        "recorded_at": ("recorded_at - interval '1 microsecond'", None),
        "order_id": ("%s", OrderFactory),
        "about_id": ("1", None),
        "reference": ("'a'", None),
        "reason": ("'b'", None),
        "actor_id": ("%s", StaffFactory),
        "trace": ("""'{"a": 1}'""", None),
    }

    @pytest.mark.parametrize("column", OTHERWISE)
    def test_an_entry_altered_in_any_column_is_named(self, column: str) -> None:
        target = entry("out")
        value, make = self.OTHERWISE[column]
        statement = f"UPDATE loyalty_entry SET {column} = {value} WHERE key = 'out'"
        tamper(Entry, statement, *([make().pk] if make else []))

        assert [row for _, row in found("entry_is_as_sealed")] == [f"entry {target.pk}"]

    def test_no_column_is_left_out(self) -> None:
        """A new column of the journal belongs into ``loyalty_entry_text``, and into the test above."""
        assert {field.column for field in Entry._meta.concrete_fields} - {"id"} == set(self.OTHERWISE)

    def test_text_that_moves_from_one_column_to_the_next_is_another_entry(self) -> None:
        tamper(Entry, "UPDATE loyalty_entry SET reference = 'a|0|', reason = '' WHERE key = 'out'")
        one = audit().mismatches[0].actual
        tamper(Entry, "UPDATE loyalty_entry SET reference = 'a', reason = '0|' WHERE key = 'out'")

        assert audit().mismatches[0].actual != one

    def test_an_entry_that_was_deleted_is_named(self) -> None:
        gone = entry("out")
        tamper(Entry, "DELETE FROM loyalty_entry WHERE key = 'out'")

        assert found("sealed_entry_exists") == [(0, f"entry {gone.pk}")]

    def test_with_a_small_window_it_is_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Long ledgers are read window by window; the digests must not depend on where one ends."""
        monkeypatch.setattr("loyalty.audit.seals.IDS_PER_WINDOW", 4096)
        monkeypatch.setattr("loyalty.audit.fingerprints.IDS_PER_WINDOW", 1)
        monkeypatch.setattr("loyalty.audit.sums.IDS_PER_WINDOW", 1)
        assert audit().ok

        tamper(Entry, "UPDATE loyalty_entry SET reason = 'b' WHERE key = 'out'")
        assert found("entry_is_as_sealed") == [(entry("out").account_id, f"entry {entry('out').pk}")]

    def test_the_seal_depends_on_no_setting_of_the_session(self) -> None:
        execute("SET LOCAL timezone = 'America/New_York'")
        execute("SET LOCAL datestyle = 'ISO, DMY'")
        execute("SET LOCAL intervalstyle = 'sql_standard'")
        execute("SET LOCAL bytea_output = 'escape'")
        execute("SET LOCAL extra_float_digits = -5")

        assert audit().ok

    def test_anybody_can_work_a_seal_out_again_with_other_tools(self, at: datetime) -> None:
        """The text of decision 0006, hashed here by Python."""
        burned = entry("out")
        moment = int((burned.recorded_at - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000).to_bytes(
            8, "big"
        )
        head = f"{burned.pk}|{burned.account_id}|burn|-40|0|0|60|3|out|{(bytes(burned.digest) + moment + moment).hex()}"
        text = f"{head}|0|0|0|0||0||{{}}"

        assert bytes(EntrySeal.objects.get(pk=burned.pk).digest) == hashlib.sha256(text.encode()).digest()[:16]

    def test_anybody_can_work_the_digest_over_a_day_s_entries_out_again(self) -> None:
        """One block of 4096 ids; the digest of the day is over the digests of its blocks."""
        (text,) = fetch("SELECT loyalty_entry_text(e) FROM loyalty_entry AS e WHERE key = 'in'")[0]
        block = hashlib.sha256(text.encode()).digest()

        assert bytes(DayClose.objects.get(number=1).entries_digest) == hashlib.sha256(block).digest()

    def test_days_closed_before_there_was_a_digest_over_their_entries_are_proved_by_their_seals(self) -> None:
        tamper(DayClose, "UPDATE loyalty_dayclose SET entries_digest = '' WHERE number = 3")
        tamper(DayClose, "UPDATE loyalty_dayclose AS c SET digest = loyalty_close_digest(c) WHERE number = 3")
        assert audit().ok

        tamper(Entry, "UPDATE loyalty_entry SET reason = 'b' WHERE key = 'his'")
        assert found("entry_is_as_sealed") == [(entry("his").account_id, f"entry {entry('his').pk}")]

    def test_a_day_of_more_entries_than_are_read_at_a_time_is_hashed_alike(self, xiaolu: Member, at: datetime) -> None:
        moment = at + 4 * DAY
        write(*(earned(xiaolu, 1, key=f"n:{n}", at=moment) for n in range(2 * TEXTS + 1)), at=moment)
        close_due_days(at + 6 * DAY)
        assert audit().ok

        tamper(Entry, "UPDATE loyalty_entry SET reason = 'b' WHERE key = %s", f"n:{TEXTS}")
        assert found("entry_is_as_sealed") == [(xiaolu.pk, f"entry {entry(f'n:{TEXTS}').pk}")]

    def test_days_whose_entries_lie_among_those_of_another_are_told_apart(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        """Two slow imports took ids before and after an entry of the day before theirs."""
        for key, day in (("first", 5), ("between", 4), ("last", 5)):
            write(earned(xiaolu, 5, key=key, at=at + day * DAY), at=at + day * DAY)
        close_due_days(at + 6 * DAY)
        days = {seal.entry_id: seal.close_id for seal in EntrySeal.objects.all()}
        assert [days[entry(key).pk] for key in ("first", "between", "last")] == [6, 5, 6]
        assert audit().ok

        tamper(Entry, "UPDATE loyalty_entry SET reason = 'b' WHERE key = 'between'")
        assert checks() == {"entry_is_as_sealed"}
        assert found("entry_is_as_sealed") == [(xiaolu.pk, f"entry {entry('between').pk}")]


@pytest.mark.django_db
@pytest.mark.usefixtures("sealed")
class TestSeals:
    def test_an_altered_seal_is_named_while_its_entry_still_makes_the_day_s_digest(self) -> None:
        target = entry("out")
        tamper(EntrySeal, "UPDATE loyalty_entryseal SET digest = '\\x00' WHERE entry_id = %s", target.pk)

        assert found("seal_is_as_chained") == [(target.account_id, f"seal of entry {target.pk}")]
        assert checks() == {"seal_is_as_chained"}

    def test_an_entry_altered_together_with_its_seal_is_told_by_its_day(self) -> None:
        tamper(Entry, "UPDATE loyalty_entry SET reason = 'forged' WHERE key = 'out'")
        tamper(
            EntrySeal,
            "UPDATE loyalty_entryseal AS s SET digest = loyalty_entry_digest(e) "
            "FROM loyalty_entry AS e WHERE e.id = s.entry_id AND e.key = 'out'",
        )

        assert found("day_is_as_sealed") == [(0, MARCH_11)]

    def test_an_entry_deleted_together_with_its_seal_is_told_by_its_day(self) -> None:
        tamper(EntrySeal, "DELETE FROM loyalty_entryseal WHERE entry_id = %s", entry("out").pk)
        tamper(Entry, "DELETE FROM loyalty_entry WHERE key = 'out'")

        assert found("day_is_as_sealed") == [(0, MARCH_11)]
        assert (0, f"{MARCH_11}: burned") in found("figures_are_the_entries")

    def test_a_seal_that_was_moved_to_another_day_is_told_by_both_days(self) -> None:
        tamper(EntrySeal, "UPDATE loyalty_entryseal SET close_id = 3 WHERE entry_id = %s", entry("out").pk)

        assert found("day_is_as_sealed") == [(0, MARCH_11), (0, MARCH_12)]


@pytest.mark.django_db
@pytest.mark.usefixtures("sealed")
class TestDays:
    @pytest.mark.parametrize(
        "change",
        [
            "liability = 1", "breakage = 0.5", "cost_per_point = 1", "debt = 5", "late_entries = 1",
            "sealed_to = 999999", "closed_at = closed_at + interval '1 second'", "burned = 30, expired = 10",
        ],
    )  # fmt: skip
    def test_an_altered_figure_is_named(self, change: str) -> None:
        tamper(DayClose, f"UPDATE loyalty_dayclose SET {change} WHERE number = 2")

        assert found("close_is_as_written") == [(0, MARCH_11)]

    def test_figures_moved_from_one_kind_to_another_differ_from_the_entries_too(self) -> None:
        tamper(DayClose, "UPDATE loyalty_dayclose SET burned = 30, expired = 10 WHERE number = 2")

        assert found("figures_are_the_entries") == [(0, f"{MARCH_11}: burned"), (0, f"{MARCH_11}: expired")]

    def test_a_row_forged_with_its_digest_no_longer_fits_the_day_after(self) -> None:
        tamper(DayClose, "UPDATE loyalty_dayclose SET liability = 1 WHERE number = 2")
        tamper(DayClose, "UPDATE loyalty_dayclose AS c SET digest = loyalty_close_digest(c) WHERE number = 2")

        assert found("days_are_chained") == [(0, MARCH_12)]

    def test_a_deleted_day_leaves_a_gap_and_seals_without_a_day(self) -> None:
        tamper(DayClose, "DELETE FROM loyalty_dayclose WHERE number = 2")

        assert found("days_are_chained") == [(0, MARCH_12)]
        assert found("seal_has_its_day") == [(0, "close 2")]

    def test_the_last_day_forged_with_its_digest_is_found_by_a_digest_that_was_noted(self) -> None:
        """Nothing inside the database can prove its own end; a copy of one digest outside can."""
        noted = audit().digest
        tamper(DayClose, "UPDATE loyalty_dayclose SET liability = 1 WHERE number = 3")
        tamper(DayClose, "UPDATE loyalty_dayclose AS c SET digest = loyalty_close_digest(c) WHERE number = 3")

        assert audit().ok
        assert [m.check for m in audit(digest=noted).mismatches] == ["digest_is_known"]

    def test_a_digest_stays_known_when_days_come_after_it(self, xiaolu: Member, at: datetime) -> None:
        noted = audit().digest
        close_due_days(at + 6 * DAY)

        assert audit(digest=noted).ok
        assert not audit(digest="no digest").ok

    @pytest.mark.parametrize("table", ["loyalty_dayclose", "loyalty_entryseal"])
    def test_the_database_refuses_to_change_or_delete_what_is_closed(self, table: str) -> None:
        """The guards are the triggers ``append_only`` and ``journal_only``."""
        for statement in (f"UPDATE {table} SET digest = ''", f"DELETE FROM {table}"):
            with pytest.raises(DatabaseError) as refused:
                execute(statement)
            assert refusal_of(refused.value) in {APPEND_ONLY, JOURNAL_ONLY}

    def test_nobody_seals_an_entry_by_hand(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 5, key="new", at=at + 3 * DAY), at=at + 3 * DAY)

        with pytest.raises(DatabaseError) as refused:
            execute("INSERT INTO loyalty_entryseal (entry_id, close_id, digest) VALUES (%s, 3, '')", entry("new").pk)

        assert refusal_of(refused.value) == JOURNAL_ONLY


@pytest.mark.django_db(transaction=True)
class TestAfterwards:
    """These stories commit: what can still be late is told from what was slipped in by the transactions that ended."""

    def test_an_entry_slipped_in_between_sealed_ones_is_named(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        execute("SELECT nextval(pg_get_serial_sequence('loyalty_entry', 'id'))")  # An id that stays free.
        three_days(xiaolu, dayong, at)
        close_due_days(at + 6 * DAY)
        free = entry("in").pk - 1
        tamper(
            Entry,
            "INSERT INTO loyalty_entry (id, account_id, kind, points, pending, held, balance_after, key, digest, "
            "effective_at, recorded_at, reference, reason, trace) "
            "SELECT %s, account_id, kind, points, pending, held, balance_after, 'slipped in', digest, effective_at, "
            "recorded_at, reference, reason, trace FROM loyalty_entry WHERE key = 'in'",
            free,
        )

        assert found("entry_has_its_seal") == [(xiaolu.pk, f"entry {free}")]

    def test_an_entry_that_stands_in_for_one_that_was_deleted_is_named_with_it(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        """There are as many entries as there are seals, and they come to the same."""
        write(earned(xiaolu, 100, key="in", at=at), at=at)
        execute("SELECT nextval(pg_get_serial_sequence('loyalty_entry', 'id'))")  # An id that stays free.
        for key in ("deleted", "last"):
            write(earned(dayong, 20, key=key, at=at), at=at)
        close_due_days(at + 6 * DAY)
        gone = entry("deleted").pk
        tamper(Entry, "UPDATE loyalty_entry SET id = id - 1 WHERE key = 'deleted'")

        assert found("sealed_entry_exists") == [(0, f"entry {gone}")]
        assert found("entry_has_its_seal") == [(dayong.pk, f"entry {gone - 1}")]
        assert (0, f"{MARCH_10}: accrued") in found("figures_are_the_entries")

    def test_an_entry_that_lost_its_seal_is_named(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        three_days(xiaolu, dayong, at)
        close_due_days(at + 6 * DAY)
        target = entry("out")
        tamper(EntrySeal, "DELETE FROM loyalty_entryseal WHERE entry_id = %s", target.pk)

        assert found("entry_has_its_seal") == [(xiaolu.pk, f"entry {target.pk}")]
        assert found("day_is_as_sealed") == [(0, MARCH_11)]

    def test_an_entry_that_is_only_late_is_none_of_that(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        three_days(xiaolu, dayong, at)
        close_due_days(at + 6 * DAY)
        write(earned(xiaolu, 5, key="late", at=at), at=at)

        assert audit().ok
        assert connection.in_atomic_block is False
