"""The audit as people and machines call it: as of a day, only what is recent, with progress."""

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from crm.models import Member
from loyalty.asof import Sums, balance_at, balances_at, ledger_as_of
from loyalty.audit import audit
from loyalty.close import close_due_days
from loyalty.models import Account, DayClose, Entry
from loyalty.movements import burn, hold
from tests.loyalty.postings import earned, returned, waiting, write
from tests.loyalty.tampering import tamper

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def ledger(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """10 March: 林小鹿 earns 100 and waits for 30. 11 March: she spends 40 and sets 10 aside, 王大勇 falls into debt.
    Both days are closed. 12 March, noon: she earns five more."""
    write(earned(xiaolu, 100, key="in", at=at), waiting(xiaolu, 30, key="later", at=at), at=at)
    write(earned(dayong, 20, key="his", at=at), at=at)
    burn(xiaolu.pk, 40, key="out", at=at + DAY)
    hold(xiaolu.pk, 10, key="hold", at=at + DAY, deadline=None)
    burn(dayong.pk, 20, key="tea", at=at + DAY)
    write(returned(dayong, 20, key="back", about_key="his", at=at + DAY), at=at + DAY)
    close_due_days(at + 2 * DAY)
    write(earned(xiaolu, 5, key="new", at=at + 2 * DAY), at=at + 2 * DAY)


def called(*arguments: str, code: int = 0) -> dict[str, Any]:
    """What the command prints, and that it exits as it should."""
    out = StringIO()
    if code:
        with pytest.raises(SystemExit) as stopped:
            call_command("audit_ledger", *arguments, stdout=out)
        assert stopped.value.code == code
    else:
        call_command("audit_ledger", *arguments, stdout=out)
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


class TestAsOf:
    def test_a_balance_is_what_had_been_recorded_by_then(self, xiaolu: Member, at: datetime) -> None:
        moment = timedelta(microseconds=1)

        assert balance_at(xiaolu.pk, at - moment) == Sums(0, 0, 0)
        assert balance_at(xiaolu.pk, at) == Sums(balance=100, pending=30, held=0)
        assert balance_at(xiaolu.pk, at + DAY - moment) == Sums(balance=100, pending=30, held=0)
        assert balance_at(xiaolu.pk, at + DAY) == Sums(balance=50, pending=30, held=10)
        assert balance_at(xiaolu.pk, at + 9 * DAY) == Sums(balance=55, pending=30, held=10)

    def test_many_balances_are_one_query(
        self, xiaolu: Member, dayong: Member, at: datetime, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(1):
            assert balances_at([xiaolu.pk, dayong.pk], at + DAY) == {
                xiaolu.pk: Sums(50, 30, 10), dayong.pk: Sums(-20, 0, 0),
            }  # fmt: skip

    def test_the_ledger_of_a_day_agrees_with_its_close(self) -> None:
        printed = called("--as-of", "2026-03-11")

        assert printed["ok"] is True
        assert (printed["accounts"], printed["entries"], printed["unsealed"]) == (2, 7, 0)
        assert (printed["balance"], printed["pending"], printed["held"], printed["debt"]) == (30, 30, 10, 20)
        assert printed["close"] == {
            "day": "2026-03-11", "closing": 30, "sealed": 30, "pending_closing": 30, "pending_sealed": 30,
            "held_closing": 10, "held_sealed": 10,
        }  # fmt: skip

    def test_an_instant_is_read_in_the_programme_s_time_zone(self) -> None:
        assert called("--as-of", "2026-03-12T11:59:59")["balance"] == 30
        assert called("--as-of", "2026-03-12T12:00:00")["balance"] == 35
        assert called("--as-of", "2026-03-12T03:59:59+00:00")["balance"] == 30

    def test_what_no_day_has_sealed_by_then_is_counted(self) -> None:
        assert called("--as-of", "2026-03-12")["unsealed"] == 1

    def test_before_the_first_close_there_is_nothing_to_compare_with(self, at: datetime) -> None:
        assert ledger_as_of(at).close is None
        assert ledger_as_of(at).ok

    def test_members_can_be_asked_for(self, xiaolu: Member) -> None:
        printed = called("--as-of", "2026-03-10", "--member", str(xiaolu.pk))

        assert printed["members"] == [{"id": xiaolu.pk, "balance": 100, "pending": 30, "held": 0}]

    def test_a_close_that_its_entries_no_longer_make_exits_with_one(self) -> None:
        tamper(Entry, "UPDATE loyalty_entry SET points = 101 WHERE key = 'in'")

        printed = called("--as-of", "2026-03-11", code=1)

        assert (printed["close"]["closing"], printed["close"]["sealed"]) == (30, 31)

    @pytest.mark.parametrize("text", ["yesterday", "2026-02-30", ""])
    def test_what_is_no_day_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(CommandError, match="neither a day such as 2026-07-08"):
            called("--as-of", text)

    @pytest.mark.parametrize(
        "arguments",
        [("--as-of", "2026-03-10", "--since", "7"), ("--member", "1"), ("--as-of", "2026-03-10", "--digest", "aa")],
    )
    def test_options_that_do_not_go_together_are_refused(self, arguments: tuple[str, ...]) -> None:
        with pytest.raises(CommandError):
            called(*arguments)


class TestSince:
    def test_only_accounts_that_were_touched_lately_are_looked_at(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        tamper(Account, "UPDATE loyalty_account SET balance = balance + 1, held = held + 1")

        report = audit(since=at + 2 * DAY)

        assert {mismatch.account_id for mismatch in report.mismatches} == {xiaolu.pk}
        assert {mismatch.account_id for mismatch in audit().mismatches} == {xiaolu.pk, dayong.pk}

    def test_all_that_hangs_on_such_an_account_is_proved(self, xiaolu: Member, at: datetime) -> None:
        assert audit(since=at + 2 * DAY).ok

        tamper(Entry, "UPDATE loyalty_entry SET points = -41 WHERE key = 'out'")

        found = {mismatch.check for mismatch in audit(since=at + 2 * DAY).mismatches}
        assert {"balance_is_sum_of_entries", "balance_runs_on", "entry_drew_what_it_took"} <= found

    def test_days_that_ended_since_then_are_proved_entry_by_entry(self, at: datetime) -> None:
        tamper(Entry, "UPDATE loyalty_entry SET reason = 'forged' WHERE key IN ('in', 'out')")

        recent = [mismatch.row for mismatch in audit(since=at + DAY).mismatches]
        everything = [mismatch.row for mismatch in audit().mismatches]

        assert recent == [f"entry {Entry.objects.get(key='out').pk}"]
        assert len(everything) == 2

    def test_the_chain_over_the_days_always_is(self, at: datetime) -> None:
        tamper(DayClose, "UPDATE loyalty_dayclose SET liability = 1 WHERE number = 1")

        assert [mismatch.check for mismatch in audit(since=at + 3 * DAY).mismatches] == ["close_is_as_written"]

    def test_the_command_takes_it_in_days(self, dayong: Member, at: datetime) -> None:
        tamper(Account, "UPDATE loyalty_account SET held = 1 WHERE member_id = %s", dayong.pk)

        with time_machine.travel(at + 2 * DAY + timedelta(hours=1), tick=False):
            assert called("--since", "1")["ok"] is True
            assert called("--since", "2", code=1)["ok"] is False


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_people_at_a_terminal_see_what_it_does(self) -> None:
        out, terminal = StringIO(), Terminal()

        call_command("audit_ledger", stdout=out, stderr=terminal)

        assert "accounts: 0%" in terminal.getvalue()
        assert "seals: 0%" in terminal.getvalue()
        assert json.loads(out.getvalue())["ok"] is True

    def test_elsewhere_nothing_is_printed_but_the_result(self) -> None:
        elsewhere = StringIO()

        call_command("audit_ledger", stdout=StringIO(), stderr=elsewhere)

        assert elsewhere.getvalue() == ""


def test_a_noted_digest_is_looked_for() -> None:
    digest = called()["digest"]

    assert called("--digest", digest)["ok"] is True
    assert called("--digest", "00" * 32, code=1)["mismatches"][0]["check"] == "digest_is_known"
