"""The audit proves when lots end: what renewed them, step by step, and that nothing else did."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.audit import audit
from loyalty.choices import RenewalReason
from loyalty.models import Lot, LotRenewal
from loyalty.posting import Renewal
from loyalty.renewals import renew
from tests.loyalty.postings import earned, write
from tests.loyalty.tampering import tamper

DAY = timedelta(days=1)
FORGED = "2030-01-01T00:00:00+00"


@pytest.fixture(autouse=True)
def ledger(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """林小鹿's points of an order were renewed twice, the others never; 王大勇's have no end any more."""
    write(
        earned(xiaolu, 100, key="order", at=at, expires_at=at + 30 * DAY),
        earned(xiaolu, 20, key="gift", at=at, expires_at=at + 30 * DAY),
        earned(dayong, 10, key="his", at=at, expires_at=at + 30 * DAY),
        at=at,
    )
    for days in (60, 90):
        renewed(xiaolu, "order", at + days * DAY, at=at)
    renewed(dayong, "his", None, at=at)


def renewed(member: Member, about: str, until: datetime | None, *, at: datetime) -> None:
    renewal = Renewal(member.pk, f"{about}:{until}", until, at, RenewalReason.PARTIAL_RETURN, 0, about_key=about)
    assert renew([renewal], at=at).lots == 1


def lot(key: str) -> Lot:
    return Lot.objects.get(entry__key=key)


def renewals(key: str) -> list[LotRenewal]:
    """The renewals of a lot, the first one first."""
    return list(LotRenewal.objects.filter(lot=lot(key)).order_by("id"))


def found() -> list[tuple[str, int, str, int | str, int | str]]:
    return [(m.check, m.account_id, m.row, m.expected, m.actual) for m in audit().mismatches]


def day(instant: datetime) -> str:
    """An instant as the audit tells it; noon in Shanghai is four o'clock in UTC."""
    return f"{instant:%Y-%m-%d}T04:00:00.000000Z"


def test_renewals_that_follow_each_other_pass(at: datetime) -> None:
    assert lot("order").expires_at == at + 90 * DAY
    assert audit().ok


def test_a_lot_with_another_end_than_its_last_renewal_is_named(xiaolu: Member, at: datetime) -> None:
    tamper(Lot, "UPDATE loyalty_lot SET expires_at = expires_at - interval '1 day' WHERE id = %s", lot("order").pk)

    assert found() == [
        ("lot_ends_as_renewed", xiaolu.pk, f"lot {lot('order').pk}", day(at + 90 * DAY), day(at + 89 * DAY))
    ]


def test_a_lot_that_lost_its_end_or_got_one_is_named(xiaolu: Member, dayong: Member, at: datetime) -> None:
    tamper(Lot, "UPDATE loyalty_lot SET expires_at = NULL WHERE id = %s", lot("order").pk)
    tamper(Lot, "UPDATE loyalty_lot SET expires_at = %s WHERE id = %s", at, lot("his").pk)

    assert found() == [
        ("lot_ends_as_renewed", xiaolu.pk, f"lot {lot('order').pk}", day(at + 90 * DAY), "never"),
        ("lot_ends_as_renewed", dayong.pk, f"lot {lot('his').pk}", "never", day(at)),
    ]


def test_a_renewal_that_vanished_from_the_middle_is_told_by_the_next(xiaolu: Member, at: datetime) -> None:
    first, second = renewals("order")
    renewed(xiaolu, "order", at + 120 * DAY, at=at)
    last = renewals("order")[-1]
    tamper(LotRenewal, "DELETE FROM loyalty_lotrenewal WHERE id = %s", second.pk)

    assert found() == [
        ("renewals_follow_each_other", xiaolu.pk, f"renewal {last.pk}", day(at + 60 * DAY), day(at + 90 * DAY))
    ]
    assert first.after == at + 60 * DAY


def test_the_last_renewal_that_vanished_is_told_by_its_lot(xiaolu: Member, at: datetime) -> None:
    tamper(LotRenewal, "DELETE FROM loyalty_lotrenewal WHERE id = %s", renewals("order")[-1].pk)

    assert found() == [
        ("lot_ends_as_renewed", xiaolu.pk, f"lot {lot('order').pk}", day(at + 60 * DAY), day(at + 90 * DAY))
    ]


@pytest.mark.parametrize(
    ("which", "column", "told"),
    [
        (0, "after", lambda first, second: ("renewals_follow_each_other", f"renewal {second.pk}")),
        (1, "before", lambda first, second: ("renewals_follow_each_other", f"renewal {second.pk}")),
        (1, "after", lambda first, second: ("lot_ends_as_renewed", f"lot {second.lot_id}")),
    ],
)
def test_an_altered_renewal_is_told(
    which: int, column: str, told: Callable[[LotRenewal, LotRenewal], tuple[str, str]]
) -> None:
    both = renewals("order")
    tamper(LotRenewal, f"UPDATE loyalty_lotrenewal SET {column} = %s WHERE id = %s", FORGED, both[which].pk)

    assert [(check, row) for check, _, row, *_ in found()] == [told(*both)]


def test_a_renewal_of_a_lot_that_does_not_exist_is_named() -> None:
    [renewal] = renewals("his")
    tamper(LotRenewal, "UPDATE loyalty_lotrenewal SET lot_id = 4711 WHERE id = %s", renewal.pk)

    assert found() == [("renewal_has_its_lot", 0, f"renewal {renewal.pk}", "lot 4711", "")]


class TestSince:
    """The quick audit looks at lots whose account or whose validity was touched lately."""

    def test_an_old_forgery_is_beyond_it(self, at: datetime) -> None:
        tamper(Lot, "UPDATE loyalty_lot SET expires_at = NULL WHERE id = %s", lot("order").pk)

        assert audit(since=at + DAY).ok
        assert not audit(since=at).ok

    def test_a_lot_that_was_renewed_without_an_entry_is_within_it(self, xiaolu: Member, at: datetime) -> None:
        renewed(xiaolu, "order", at + 120 * DAY, at=at + 2 * DAY)
        tamper(Lot, "UPDATE loyalty_lot SET expires_at = NULL WHERE id = %s", lot("order").pk)

        assert [mismatch.check for mismatch in audit(since=at + DAY).mismatches] == ["lot_ends_as_renewed"]
