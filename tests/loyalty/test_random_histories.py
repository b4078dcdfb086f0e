"""Random histories of two members, against a ledger that is plainly right."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from loyalty.audit import audit
from loyalty.choices import EntryKind
from loyalty.journal import expire_due, post
from loyalty.models import Account, Lot
from loyalty.movements import adjust
from loyalty.posting import InsufficientPoints, NothingOpen, Outcome, Posting, Verb
from tests.cast import NOON
from tests.factories import MemberFactory
from tests.loyalty.fingerprints import fingerprints_agree
from tests.loyalty.postings import earned, returned, ripe, spent, waiting
from tests.loyalty.simple_ledger import Closed, Done, Short, SimpleLedger

DAY = timedelta(days=1)
points = st.integers(1, 20)  # Little, so that most spending goes through and draws on several lots.
days = st.sampled_from([1, 1, 2, None])  # Until new points expire; None for never.


@dataclass(frozen=True)
class Act:
    """One posting to be: which verb, which of the members, and of the earlier accruals, the youngest first, which one
    it is about. Whoever is astray names another member's accrual, or one that does not exist."""

    verb: str
    who: int
    points: int
    about: int
    days: int | None
    astray: bool


acts = st.builds(
    Act,
    verb=st.sampled_from(
        ["earned", "earned", "waiting", "ripe", "ripe", "spent", "spent", "held", "returned", "returned at large"]
    ),
    who=st.integers(0, 1),
    points=points,
    about=st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 8]),
    days=days,
    astray=st.sampled_from([False] * 19 + [True]),
)


class Histories(RuleBasedStateMachine):
    """Every step is done by the journal and by the simple ledger, and both must tell the same."""

    def __init__(self) -> None:
        super().__init__()
        self._undo = transaction.atomic()
        self._undo.__enter__()
        self.now = NOON
        self.simple = SimpleLedger()
        self.written: list[tuple[Posting, Done]] = []
        self.keys = 0

    @initialize()
    def two_members(self) -> None:
        self.members = [MemberFactory(), MemberFactory()]

    def teardown(self) -> None:
        try:
            report = audit()
            assert report.ok, report.mismatches
            assert fingerprints_agree()
        finally:
            transaction.set_rollback(True)
            self._undo.__exit__(None, None, None)

    def posting(self, act: Act) -> Posting:
        self.keys += 1
        key, member = f"key:{self.keys}", self.members[act.who]
        # Accruals of this very batch count too.
        owners = {key: lot.account_id for key, lot in self.simple.lots.items()}
        owners |= {p.key: p.account_id for p in self.batch if p.verb is Verb.ACCRUE}
        known = [key for key, owner in owners.items() if (owner == member.pk) is not act.astray]
        about = known[-1 - act.about] if act.about < len(known) else "no such key"
        expires_at = None if act.days is None else self.now + act.days * DAY
        match act.verb:
            case "earned":
                return earned(member, act.points, key=key, at=self.now, expires_at=expires_at)
            case "waiting":
                return waiting(member, act.points, key=key, at=self.now)
            case "ripe":
                return ripe(member, about, key=key, at=self.now, expires_at=expires_at)
            case "spent":
                return spent(member, 2 * act.points, key=key, at=self.now)
            case "held":
                return Posting(Verb.DRAW, EntryKind.HOLD, member.pk, key, self.now, 2 * act.points)
            case "returned":
                return returned(member, act.points, key=key, about_key=about, at=self.now)
            case _:
                return returned(member, act.points, key=key, at=self.now)

    @rule(acts=st.lists(acts, min_size=1, max_size=5))
    def a_batch(self, acts: list[Act]) -> None:
        self.batch: list[Posting] = []
        for act in acts:
            self.batch.append(self.posting(act))
        before = deepcopy(self.simple)
        try:
            expected = self.simple.post(self.batch, self.now)
        except Short as short:
            self.simple = before
            self.is_refused(self.batch, short)
            return
        outcomes = post(self.batch, at=self.now)
        assert [said(outcome) for outcome in outcomes] == expected
        pairs = zip(self.batch, outcomes, strict=True)
        self.written += [(posting, said(outcome)) for posting, outcome in pairs if outcome.entry_id]

    def is_refused(self, batch: list[Posting], short: Short) -> None:
        with pytest.raises(InsufficientPoints) as refusal, transaction.atomic():
            post(batch, at=self.now)
        told = refusal.value
        assert short.accounts[told.member_id] == (told.available, told.missing)

    @rule(who=st.integers(0, 1), points=st.integers(-20, 40).filter(bool), days=days)
    def an_adjustment(self, who: int, points: int, days: int | None) -> None:
        self.keys += 1
        member, key = self.members[who], f"key:{self.keys}"
        expires_at = None if days is None else self.now + days * DAY
        self.batch = []
        like = (
            earned(member, points, key=key, at=self.now, expires_at=expires_at)
            if points > 0
            else spent(member, -points, key=key, at=self.now)
        )
        before = deepcopy(self.simple)
        try:
            [expected] = self.simple.post([like], self.now)
        except Short:
            self.simple = before
            with pytest.raises(InsufficientPoints), transaction.atomic():
                adjust(member.pk, points, key=key, at=self.now, reason="x", actor_id=None, expires_at=expires_at)
        else:
            outcome = adjust(member.pk, points, key=key, at=self.now, reason="x", actor_id=None, expires_at=expires_at)
            assert said(outcome) == expected

    @rule(
        how=st.sampled_from(["capture", "release", "undo"]),
        which=st.sampled_from([0, 0, 1, 2, 4]),
        points=st.just(0) | st.integers(1, 9),
        days=days,
    )
    def something_drawn_is_settled(self, how: str, which: int, points: int, days: int | None) -> None:
        if which >= len(self.simple.draws):
            return
        self.keys += 1
        drawn = list(self.simple.draws)[-1 - which]
        until = None if days is None else self.now + days * DAY
        posting = self.settlement(how, drawn, points, until)
        before = deepcopy(self.simple)
        try:
            if how == "capture":
                expected = self.simple.capture(drawn, points)
            elif how == "release":
                expected = self.simple.release(drawn, points, self.now, until)
            else:
                expected = self.simple.undo(drawn, points, self.now, until)
        except Closed:
            self.simple = before
            with pytest.raises(NothingOpen), transaction.atomic():
                post([posting], at=self.now)
        else:
            [outcome] = post([posting], at=self.now)
            assert said(outcome) == expected
            self.written.append((posting, expected))

    def settlement(self, how: str, drawn: str, points: int, until: datetime | None) -> Posting:
        verb, kind = {
            "capture": (Verb.SETTLE, EntryKind.CAPTURE),
            "release": (Verb.RESTORE, EntryKind.RELEASE),
            "undo": (Verb.RESTORE, EntryKind.REVERSAL),
        }[how]
        return Posting(
            verb, kind, self.simple.draws[drawn].account_id, f"key:{self.keys}", self.now, points,
            about_key=drawn, expires_at=until,
        )  # fmt: skip

    @rule(data=st.data())
    def a_retry(self, data: Any) -> None:
        if self.written:
            posting, expected = data.draw(st.sampled_from(self.written))
            [outcome] = post([posting], at=self.now)
            assert outcome.repeated
            assert said(outcome) == expected

    @rule(days=st.integers(0, 2), accounts_per_chunk=st.sampled_from([0, 1, 1000]))
    def time_passes(self, days: int, accounts_per_chunk: int) -> None:
        """And at the end of it the lapsed lots expire, or not yet."""
        self.now += days * DAY
        if not accounts_per_chunk:
            return
        expected = self.simple.expire(self.now)
        assert expire_due(self.now, accounts_per_chunk=accounts_per_chunk).points == expected

    @invariant()
    def both_tell_the_same(self) -> None:
        accounts = {account.pk: account for account in Account.objects.all()}
        ids = [member.pk for member in getattr(self, "members", [])]
        for member_id in ids:
            account = accounts.get(member_id) or Account(member_id=member_id)
            assert account.balance == self.simple.balance(member_id)
            assert account.pending == self.simple.pending(member_id)
            assert account.held == self.simple.held(member_id)
        mine = Lot.objects.filter(account_id__in=ids)
        lots = mine.values_list("entry__key", "account_id", "remaining", "pending", "expires_at")
        assert {key: tuple(rest) for key, *rest in lots} == {
            key: (lot.account_id, lot.remaining, lot.pending, lot.expires_at) for key, lot in self.simple.lots.items()
        }


def said(outcome: Outcome) -> Done:
    return outcome.points, outcome.pending, outcome.balance_after


@pytest.mark.django_db
def test_whatever_happens_the_journal_comes_to_what_the_simple_ledger_says() -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=50,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
