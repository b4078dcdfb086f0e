"""Sixteen sessions at one budget and at one member's cap, each with its own connection and real commits.

The race is made to happen: whoever has looked at the counters waits until all sixteen stand still, be it at this gate
or at a lock. The controls run the same races with one thing changed, the lock that guards the counters, and show what
it is for: sixteen times a hundred points out of a budget of 450.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier, Event, Lock

import pytest
from django.db import connection, connections
from django.db.models import Sum

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty import rule_usage
from loyalty.acts import Act, reward_act, reward_acts
from loyalty.audit import audit
from loyalty.earning.facts import ActFacts
from loyalty.earning.usage import Usage, UsageKey
from loyalty.models import Entry, RuleUsage
from tests.factories import ChannelFactory, IdentityFactory, MemberFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = 16
PATIENCE = 30  # Seconds until a test gives up; none waits that long when all is well.
ACCOUNT_LOCK = "ORDER BY a.member_id FOR NO KEY UPDATE;"


@dataclass
class Gate:
    """Where sessions wait that have looked at the counters and not yet taken from them."""

    open: Event = field(default_factory=Event)
    here: int = 0
    counting: Lock = field(default_factory=Lock)

    def wait(self) -> None:
        with self.counting:
            self.here += 1
        assert self.open.wait(PATIENCE)

    def open_when_all_stand_still(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.here + _waiting_for_a_lock() < SESSIONS:
            assert time.monotonic() < deadline, f"{self.here} at the gate, {_waiting_for_a_lock()} at a lock"
        self.open.set()


def _waiting_for_a_lock() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The gate stands between looking at the counters and taking from them."""
    closed, look = Gate(), rule_usage.load_usage

    def look_and_wait(keys: Iterable[UsageKey]) -> Usage:
        usage = look(keys)
        closed.wait()
        return usage

    monkeypatch.setattr("loyalty.order_worth.load_usage", look_and_wait)
    monkeypatch.setattr("loyalty.acts.load_usage", look_and_wait)
    yield closed
    closed.open.set()


def at_once(act: Callable[[int], str], meanwhile: Callable[[], None] = lambda: None) -> Counter[str]:
    """Let sixteen sessions act at the same moment; count their answers."""
    start = Barrier(SESSIONS + 1)

    def session(number: int) -> str:
        try:
            start.wait(PATIENCE)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(SESSIONS) as pool:
        sessions = [pool.submit(session, number) for number in range(SESSIONS)]
        start.wait(PATIENCE)
        meanwhile()
        return Counter(done.result(2 * PATIENCE) for done in sessions)


@pytest.fixture
def shops(transactional_db: None) -> list[Channel]:
    """Sixteen shops: imports into one take turns anyway, those into several do not."""
    return list(ChannelFactory.create_batch(SESSIONS))


@pytest.fixture
def buyers(shops: list[Channel]) -> list[Member]:
    """Sixteen members, each of whom buys in every shop."""
    members = list(MemberFactory.create_batch(SESSIONS))
    for member in members:
        for shop in shops:
            IdentityFactory(channel=shop, member=member, external_id=f"buyer-{member.pk}")
    return members


def order(buyer: Member, number: str, at: datetime, paid: int = 100) -> OrderRecord:
    return OrderRecord(
        number, 2, status=OrderStatus.COMPLETED, buyer=BuyerRecord(f"buyer-{buyer.pk}"), paid=Decimal(paid),
        placed_at=at, paid_at=at, completed_at=at,
    )  # fmt: skip


def given() -> int:
    return Entry.objects.aggregate(sum=Sum("points"))["sum"] or 0


class TestABudget:
    """Of the rule there are 450 points, for everybody, ever. Nobody has had any yet, but the counter is there."""

    @pytest.fixture(autouse=True)
    def budget(self, transactional_db: None, at: datetime) -> None:
        publish_rules(SPEND | {"caps": {"budget": 450}}, since=at - timedelta(days=1))
        RuleUsage.objects.create(rule="spend")

    @pytest.fixture
    def buy(self, shops: list[Channel], buyers: list[Member], at: datetime) -> Callable[[int], str]:
        """What one session does: it imports an order over 100 yuan into its own shop, of its own buyer."""

        def buy(session: int) -> str:
            report = record(shops[session], [order(buyers[session], "1", at)], at=at)
            return str(report.effects["points_accrued"])

        return buy

    def test_it_is_given_out_to_the_last_point_and_no_further(self, buy: Callable[[int], str], gate: Gate) -> None:
        answers = at_once(buy, meanwhile=gate.open_when_all_stand_still)

        assert answers == {"100": 4, "50": 1, "0": 11}
        assert given() == RuleUsage.objects.get().points == 450
        assert audit().ok

    def test_control_without_the_lock_everybody_finds_it_full(
        self, buy: Callable[[int], str], gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unlocked = rule_usage._OF_ALL.replace("FOR NO KEY UPDATE OF u", "")
        assert unlocked != rule_usage._OF_ALL
        monkeypatch.setattr(rule_usage, "_OF_ALL", unlocked)

        answers = at_once(buy, meanwhile=gate.open_when_all_stand_still)

        assert answers == {"100": 16}
        assert given() == 1600

    def test_the_first_to_come_makes_the_counter_and_the_others_wait_for_it(
        self, buy: Callable[[int], str], gate: Gate
    ) -> None:
        RuleUsage.objects.all().delete()

        at_once(buy, meanwhile=gate.open_when_all_stand_still)

        assert given() == RuleUsage.objects.get().points == 450


class TestAMembersCap:
    """A campaign's code is worth 10 points, and a member gets 35 from it at most."""

    @pytest.fixture(autouse=True)
    def campaign(self, transactional_db: None, at: datetime) -> None:
        publish_rules(
            rule("campaign", {"word": "SPRING", "points": 10}, caps={"per_member": 35}), since=at - timedelta(days=1)
        )

    def enter(self, member: Member, at: datetime, key: str) -> str:
        outcome = reward_act(ActFacts("campaign", at, code="spring"), member.pk, key=key, at=at)
        return str(outcome.points) if outcome else "nothing"

    def test_he_gets_just_that(self, xiaolu: Member, at: datetime, gate: Gate) -> None:
        answers = at_once(
            lambda session: self.enter(xiaolu, at, f"code:{session}"), meanwhile=gate.open_when_all_stand_still
        )

        assert answers == {"10": 3, "5": 1, "nothing": 12}
        assert given() == RuleUsage.objects.get(member=xiaolu).points == 35

    def test_control_without_the_lock_on_his_account_he_gets_it_sixteen_times(
        self, xiaolu: Member, at: datetime, gate: Gate
    ) -> None:
        RuleUsage.objects.create(rule="campaign", member=xiaolu)
        self.take_away_the_lock(xiaolu, at)

        answers = at_once(
            lambda session: self.enter(xiaolu, at, f"code:{session}"), meanwhile=gate.open_when_all_stand_still
        )

        assert answers == {"10": 16}
        assert given() == 160

    def take_away_the_lock(self, member: Member, at: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT loyalty_lock(ARRAY[%s::bigint], ARRAY[%s::bigint])", [member.pk, member.pk])
            cursor.execute("SELECT pg_get_functiondef('loyalty_lock'::regproc)")
            [function] = cursor.fetchone()
            assert function.count(ACCOUNT_LOCK) == 1, "the journal has changed: set this race up anew"
            cursor.execute(function.replace(ACCOUNT_LOCK, ";"))

    def test_one_act_told_by_sixteen_sessions_is_rewarded_once(self, xiaolu: Member, at: datetime) -> None:
        answers = at_once(lambda _session: self.enter(xiaolu, at, "code:one"))

        assert answers == {"10": 16}
        assert given() == RuleUsage.objects.get(member=xiaolu).points == 10


def test_shops_with_the_same_buyers_and_the_same_budgets_never_wait_in_a_circle(
    shops: list[Channel], buyers: list[Member], at: datetime
) -> None:
    publish_rules(
        SPEND | {"caps": {"budget": 12_345, "per_member": 900, "per_rule_day": 9_000}},
        rule("steps", {"steps": [["10", 7]]}, caps={"budget": 600, "per_member_day": 30}),
        since=at - timedelta(days=1),
    )  # fmt: skip

    def import_three_files(session: int) -> str:
        for file in range(3):
            # Every session has the buyers in another sequence.
            turned = buyers[session:] + buyers[:session]
            batch = [
                order(buyer, f"{file}-{buyer.pk}", at, paid=50 + file) for buyer in turned[:: 1 - 2 * (session % 2)]
            ]
            record(shops[session], batch, at=at)
        return "done"

    assert at_once(import_three_files) == {"done": SESSIONS}
    used = {
        (row.rule, row.member is None, row.day is None): row.points
        for row in RuleUsage.objects.select_related("member")
    }
    assert used["spend", True, True] == 9_000  # The day's limit is the tightest.
    assert used["steps", True, True] == 16 * 30
    assert given() == 9_000 + 16 * 30
    assert audit().ok


def test_batches_of_the_same_members_never_wait_in_a_circle_and_give_out_a_budget_to_the_last_point(
    transactional_db: None, at: datetime
) -> None:
    publish_rules(
        rule("campaign", {"word": "SPRING", "points": 10}, caps={"budget": 1_005, "per_member": 80}),
        since=at - timedelta(days=1),
    )
    members = MemberFactory.create_batch(SESSIONS)

    def reward_everybody(session: int) -> str:
        turned = members[session:] + members[:session]
        acts = [
            Act(member.pk, f"code:{session}:{member.pk}", ActFacts("campaign", at, code="spring"))
            for member in turned[:: 1 - 2 * (session % 2)]
        ]
        return str(sum(outcome.points for outcome in reward_acts(acts, at=at) if outcome))

    answers = at_once(reward_everybody)

    assert answers == {"160": 6, "45": 1, "0": 9}
    assert given() == RuleUsage.objects.get(member=None).points == 1_005
    assert audit().ok
