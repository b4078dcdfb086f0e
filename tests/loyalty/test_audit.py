"""The audit finds what was tampered with, and names the account and the row."""

import json
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from crm.models import Member
from loyalty.audit import audit
from loyalty.audit import report as audit_report
from loyalty.models import Account, Entry, Hold, Lot, LotUse
from loyalty.movements import burn, hold
from tests.loyalty.postings import earned, returned, waiting, write
from tests.loyalty.tampering import tamper


@pytest.fixture(autouse=True)
def ledger(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """林小鹿 has 60 of 100 points left and 30 pending; 王大勇 owes ten."""
    write(
        earned(xiaolu, 100, key="in", at=at, expires_at=at + timedelta(days=365)),
        waiting(xiaolu, 30, key="later", at=at),
        earned(dayong, 10, key="his", at=at),
        at=at,
    )
    burn(xiaolu.pk, 40, key="out", at=at)
    write(returned(dayong, 20, key="back", at=at), at=at)


def found(check: str) -> list[tuple[int, str, int | str, int | str]]:
    """What one check of the audit has to say."""
    report = audit()
    assert not report.ok
    return [(m.account_id, m.row, m.expected, m.actual) for m in report.mismatches if m.check == check]


def entry(key: str) -> Entry:
    return Entry.objects.get(key=key)


def lot(key: str) -> Lot:
    return Lot.objects.get(entry__key=key)


def test_books_that_add_up_pass_with_their_figures() -> None:
    report = audit()

    assert report.ok
    assert (report.accounts, report.entries, report.lots) == (2, 5, 3)
    assert (report.balance, report.pending, report.debt) == (60 - 10, 30, 10)
    assert (report.mismatch_count, report.mismatches) == (0, ())


def test_a_raised_balance_is_found(xiaolu: Member) -> None:
    tamper(Account, "UPDATE loyalty_account SET balance = 1060 WHERE member_id = %s", xiaolu.pk)

    assert found("balance_is_sum_of_entries") == [(xiaolu.pk, f"account {xiaolu.pk}", 60, 1060)]
    assert found("lots_are_the_balance") == [(xiaolu.pk, f"account {xiaolu.pk}", 1060, 60)]


def test_a_changed_pending_sum_is_found(xiaolu: Member) -> None:
    tamper(Account, "UPDATE loyalty_account SET pending = 29 WHERE member_id = %s", xiaolu.pk)

    assert found("pending_is_sum_of_entries") == [(xiaolu.pk, f"account {xiaolu.pk}", 30, 29)]
    assert found("pending_lots_are_the_pending") == [(xiaolu.pk, f"account {xiaolu.pk}", 29, 30)]


def test_held_points_without_an_entry_are_found(dayong: Member) -> None:
    tamper(Account, "UPDATE loyalty_account SET held = 5 WHERE member_id = %s", dayong.pk)

    assert found("held_is_sum_of_entries") == [(dayong.pk, f"account {dayong.pk}", 0, 5)]


def test_a_lot_that_was_refilled_is_found(xiaolu: Member) -> None:
    tamper(Lot, "UPDATE loyalty_lot SET remaining = 100 WHERE id = %s", lot("in").pk)

    assert found("lot_lacks_what_was_drawn") == [(xiaolu.pk, f"lot {lot('in').pk}", 60, 100)]
    assert found("lots_are_the_balance") == [(xiaolu.pk, f"account {xiaolu.pk}", 60, 100)]


def test_a_debt_beside_points_in_a_lot_is_found(dayong: Member) -> None:
    tamper(Lot, "UPDATE loyalty_lot SET remaining = 3 WHERE id = %s", lot("his").pk)

    assert found("lots_are_the_balance") == [(dayong.pk, f"account {dayong.pk}", 0, 3)]


def test_pending_points_made_available_behind_the_journal_s_back_are_found(xiaolu: Member) -> None:
    tamper(Lot, "UPDATE loyalty_lot SET pending = FALSE WHERE id = %s", lot("later").pk)

    assert found("lots_are_the_balance") == [(xiaolu.pk, f"account {xiaolu.pk}", 60, 90)]
    assert found("pending_lots_are_the_pending") == [(xiaolu.pk, f"account {xiaolu.pk}", 30, 0)]


def test_a_burn_that_drew_on_no_lot_is_found(xiaolu: Member) -> None:
    tamper(LotUse, "DELETE FROM loyalty_lotuse WHERE entry_id = %s", entry("out").pk)

    assert found("entry_drew_what_it_took") == [(xiaolu.pk, f"entry {entry('out').pk}", 40, 0)]
    assert found("lot_lacks_what_was_drawn") == [(xiaolu.pk, f"lot {lot('in').pk}", 100, 60)]


def test_a_reversal_that_drew_more_than_it_took_is_found(dayong: Member) -> None:
    tamper(LotUse, "UPDATE loyalty_lotuse SET points = 25 WHERE entry_id = %s", entry("back").pk)

    assert found("entry_drew_what_it_took") == [(dayong.pk, f"entry {entry('back').pk}", 20, 25)]


def test_an_entry_with_other_points_is_found_by_the_chain_and_by_its_account(xiaolu: Member) -> None:
    tamper(Entry, "UPDATE loyalty_entry SET points = -41 WHERE key = 'out'")

    assert found("balance_runs_on") == [(xiaolu.pk, f"entry {entry('out').pk}", 59, 60)]
    assert found("balance_is_sum_of_entries") == [(xiaolu.pk, f"account {xiaolu.pk}", 59, 60)]


def test_an_entry_that_vanished_is_found_by_the_ones_after_it(xiaolu: Member) -> None:
    orphan = lot("in")
    tamper(Entry, "DELETE FROM loyalty_entry WHERE key = 'in'")

    assert (xiaolu.pk, f"entry {entry('out').pk}", -40, 60) in found("balance_runs_on")
    assert found("lot_is_of_its_entry") == [(xiaolu.pk, f"lot {orphan.pk}", xiaolu.pk, 0)]


@pytest.mark.parametrize("nowhere", [-5, 10**15])
def test_a_lot_that_hangs_on_an_entry_from_nowhere_is_found(xiaolu: Member, nowhere: int) -> None:
    target = lot("in")
    tamper(Lot, "UPDATE loyalty_lot SET entry_id = %s WHERE id = %s", nowhere, target.pk)

    assert found("lot_is_of_its_entry") == [(xiaolu.pk, f"lot {target.pk}", xiaolu.pk, 0)]
    assert found("new_points_have_their_lot") == [(xiaolu.pk, f"entry {entry('in').pk}", 100, 0)]


@pytest.mark.parametrize("nowhere", [-5, 10**15])
def test_a_use_that_hangs_on_an_entry_from_nowhere_is_found(xiaolu: Member, nowhere: int) -> None:
    use = LotUse.objects.get(entry__key="out")
    tamper(LotUse, "UPDATE loyalty_lotuse SET entry_id = %s WHERE id = %s", nowhere, use.pk)

    assert found("entry_drew_on_own_lots") == [(xiaolu.pk, f"lot use {use.pk}", 0, xiaolu.pk)]


def test_a_lot_of_another_size_than_its_accrual_is_found(xiaolu: Member) -> None:
    tamper(Lot, "UPDATE loyalty_lot SET points = 150 WHERE id = %s", lot("in").pk)

    assert found("new_points_have_their_lot") == [(xiaolu.pk, f"entry {entry('in').pk}", 100, 150)]


def test_a_lot_that_hangs_on_a_burn_is_found(xiaolu: Member) -> None:
    tamper(
        Lot,
        "INSERT INTO loyalty_lot (account_id, entry_id, points, remaining, pending) VALUES (%s, %s, 5, 0, FALSE)",
        xiaolu.pk,
        entry("out").pk,
    )

    assert found("new_points_have_their_lot") == [(xiaolu.pk, f"entry {entry('out').pk}", 0, 5)]


def test_entries_of_an_account_that_does_not_exist_are_found(xiaolu: Member) -> None:
    """No foreign key ties an entry to its account, so the audit must."""
    tamper(Account, "DELETE FROM loyalty_account WHERE member_id = %s", xiaolu.pk)

    assert found("balance_is_sum_of_entries") == [(xiaolu.pk, f"account {xiaolu.pk}", 60, 0)]


def test_points_drawn_from_another_member_s_lot_are_found(xiaolu: Member, dayong: Member) -> None:
    use = LotUse.objects.get(entry__key="out")
    tamper(LotUse, "UPDATE loyalty_lotuse SET lot_id = %s WHERE id = %s", lot("his").pk, use.pk)

    assert found("entry_drew_on_own_lots") == [(xiaolu.pk, f"lot use {use.pk}", xiaolu.pk, dayong.pk)]


def test_a_hold_of_another_size_than_its_entry_is_found(xiaolu: Member, at: datetime) -> None:
    hold(xiaolu.pk, 10, key="aside", at=at, deadline=None)
    target = Hold.objects.get()
    tamper(Hold, "UPDATE loyalty_hold SET points = 11")

    assert found("hold_is_of_its_entry") == [(xiaolu.pk, f"hold {target.pk}", 10, 11)]
    assert found("holds_are_the_held") == [(xiaolu.pk, f"account {xiaolu.pk}", 10, 11)]


def test_a_hold_that_vanished_is_named_by_its_entry(xiaolu: Member, at: datetime) -> None:
    hold(xiaolu.pk, 10, key="aside", at=at, deadline=None)
    tamper(Hold, "DELETE FROM loyalty_hold")

    assert found("hold_is_of_its_entry") == [(xiaolu.pk, f"entry {entry('aside').pk}", 10, 0)]


def test_more_mismatches_than_can_be_named_are_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_report, "NAMED_ROWS", 1)
    tamper(Account, "UPDATE loyalty_account SET balance = balance + 1, held = held + 1")

    report = audit()

    assert len(report.mismatches) == 1
    # Balances, held sums against entries and against holds, of both; lots only of her who is not in debt.
    assert report.mismatch_count == 2 + 2 + 2 + 1


class TestCommand:
    def test_a_clean_ledger_prints_its_figures_and_exits_with_zero(self) -> None:
        out = StringIO()

        call_command("audit_ledger", stdout=out)

        printed = json.loads(out.getvalue())
        assert printed["ok"] is True
        assert (printed["accounts"], printed["balance"], printed["mismatches"]) == (2, 50, [])

    def test_a_mismatch_exits_with_one_and_names_account_and_row(self, xiaolu: Member) -> None:
        tamper(Account, "UPDATE loyalty_account SET balance = 61 WHERE member_id = %s", xiaolu.pk)
        out = StringIO()

        with pytest.raises(SystemExit) as stopped:
            call_command("audit_ledger", stdout=out)

        assert stopped.value.code == 1
        printed = json.loads(out.getvalue())
        assert printed["ok"] is False
        assert printed["mismatches"][0] == {
            "check": "balance_is_sum_of_entries",
            "account_id": xiaolu.pk,
            "row": f"account {xiaolu.pk}",
            "expected": 60,
            "actual": 61,
        }
