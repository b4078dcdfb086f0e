"""Whatever was recorded may be called again, ten times over and in any sequence that respects cause (laws 4 and 5).

Random histories of members and buyers are recorded call by call: batches, movements by name, order reports, renewals
and nights. The guards are the look-ups of the keys in ``loyalty_prepare`` and ``loyalty_draw_one``; the
counter-tests are at the end.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.db.utils import IntegrityError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crm import api as crm
from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member, Order
from crm.orders import record
from loyalty import api
from loyalty.accrual import on_orders
from loyalty.choices import RenewalReason, ValidityKind
from loyalty.journal import post
from loyalty.policies import publish_policy
from loyalty.posting import Renewal
from loyalty.renewals import renew
from loyalty.validity import BUILT_IN, Policy
from tests.factories import ChannelFactory, IdentityFactory, MemberFactory
from tests.loyalty import test_random_histories as histories
from tests.loyalty.postings import earned, returned, ripe, spent, waiting
from tests.loyalty.recording import Call, Recorder, digest, of_anything, of_batch, of_movement
from tests.loyalty.tampering import altered, execute

DAY = timedelta(days=1)
REPLAYS = 10
POLICIES = [
    BUILT_IN,
    Policy(kind=ValidityKind.PER_LOT_DAYS, days=3, grace_days=2, success_after_days=2),
    Policy(kind=ValidityKind.ACCOUNT_RENEWAL, months=1, success_after_days=1),
    Policy(kind=ValidityKind.NEVER),
]
MOVEMENTS = ["burn", "hold", "capture", "release", "undo", "open_balance"]

# What the histories call by these names. The functions are found here, so that they can be listened to.
buyers = SimpleNamespace(
    record=record, renew=renew, burn=api.burn, hold=api.hold, capture=api.capture, release=api.release, undo=api.undo,
    open_balance=api.open_balance, run_nightly=api.run_nightly, expire_due=api.expire_due,
)  # fmt: skip


def of_renewal(function: object, arguments: tuple, named: dict, answer: object) -> Call | None:
    """A renewal that renewed something."""
    return of_anything(renew, arguments, named, answer) if answer.lots else None  # type: ignore[attr-defined]


def retell(at: datetime) -> None:
    """Tell the points floor of every order anew, as it stands, as if all of them had just changed."""
    names = (
        "id", "channel__code", "external_no", "member_id", "status", "paid", "refunded", "placed_at", "paid_at",
        "shipped_at", "completed_at", "closed_at",
    )  # fmt: skip
    orders = [crm.OrderChange(*row) for row in Order.objects.order_by("id").values_list(*names)]
    on_orders(crm.OrderChanges(orders=tuple(replace(o, status=OrderStatus(o.status)) for o in orders)), at)


class History(histories.Histories):
    """A random history of two members, to which two buyers with their orders are added, and nights.

    It is told step by step here and not by Hypothesis, whose state machines try few kinds of steps at a time.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.two_members()
        self.shop: Channel = ChannelFactory()
        self.buyers = [MemberFactory(), MemberFactory()]
        for number, buyer in enumerate(self.buyers):
            IdentityFactory(channel=self.shop, member=buyer, external_id=f"buyer-{number}")
        if policy is not BUILT_IN:
            publish_policy(policy, effective_from=self.now - 9 * DAY, at=self.now, actor_id=None, reason="Opening")
        self.recorder = Recorder()
        self.moved: list[str] = []

    def listening(self) -> ExitStack:
        """Record what is called from here on, until the stack is closed."""
        stack = ExitStack()
        movements = dict.fromkeys(MOVEMENTS, of_movement)
        stack.enter_context(self.recorder.listening(histories, post=of_batch, adjust=of_movement))
        stack.enter_context(
            self.recorder.listening(
                buyers,
                record=of_anything,
                run_nightly=of_anything,
                expire_due=of_anything,
                renew=of_renewal,
                **movements,
            )
        )
        return stack

    def everybody_begins_with_points(self) -> None:
        """Enough that most spending goes through. The buyers' last for the whole story, unless they are renewed."""
        for buyer in self.buyers:
            self.keys += 1
            until = self.now + 60 * DAY
            buyers.open_balance(
                buyer.pk, 200, key=f"key:{self.keys}", at=self.now, expires_at=until, reason="Before", actor_id=None
            )
        gifts = [histories.Act("earned", number, 20, 0, days, astray=False) for number in (0, 1) for days in (None, 5)]
        self.a_batch(gifts)

    def an_order_is_reported(
        self, *, who: int, number: int, status: OrderStatus, paid: int, back: int, days: int
    ) -> None:
        moment = self.now - days * DAY
        report = OrderRecord(
            f"{who}:{number}", 2, status=status, buyer=BuyerRecord(f"buyer-{who}", f"Buyer {who}"),
            paid=Decimal(10 * paid), refunded=Decimal(10 * min(back, paid)) if back else None, placed_at=moment,
            paid_at=None if status is OrderStatus.PLACED else moment, updated_at=self.now,
            shipped_at=moment if status is OrderStatus.SHIPPED else None,
            completed_at=moment if status is OrderStatus.COMPLETED else None,
        )  # fmt: skip
        buyers.record(self.shop, [report], at=self.now)

    def goods_come_back_without_an_order(self, who: int, tens: int) -> None:
        self.keys += 1
        refund = RefundRecord(f"R{self.keys}", RefundStatus.SUCCESS, Decimal(10 * tens), self.now)
        buyer = BuyerRecord(f"buyer-{who}", f"Buyer {who}")
        buyers.record(self.shop, [OrderRecord(refund.external_no, 2, buyer=buyer, unlinked_refund=refund)], at=self.now)

    def a_buyer_moves_points(self, who: int, how: str, points: int, which: int, days: int) -> None:
        self.keys += 1
        key, at, member = f"key:{self.keys}", self.now, self.buyers[who].pk
        mine = [key for key in self.moved if key.startswith(f"{who}:")]
        if how in {"capture", "release", "undo"} and which >= len(mine):
            return
        with suppress(api.JournalError):
            match how:
                case "burn" | "hold":
                    rest = {"deadline": at + days * DAY} if how == "hold" else {}
                    getattr(buyers, how)(member, points, key=f"{who}:{key}", at=at, **rest)
                    self.moved.append(f"{who}:{key}")
                case "open_balance":
                    buyers.open_balance(
                        member, points, key=key, at=at, expires_at=at + (1 + days) * DAY, reason="x", actor_id=None
                    )
                case "capture":
                    buyers.capture(member, mine[-1 - which], key=key, at=at, points=points // 3)
                case _:
                    until = at + days * DAY if days else None
                    about = mine[-1 - which]
                    getattr(buyers, how)(member, about, key=key, at=at, points=points // 3, revive_until=until)

    def points_are_renewed(self, who: int, days: int) -> None:
        """Those that the buyer began with."""
        self.keys += 1
        renewal = Renewal(
            self.buyers[who].pk, f"key:{self.keys}", self.now + days * DAY, self.now, RenewalReason.PARTIAL_RETURN, 0,
            about_key=f"key:{1 + who}",
        )  # fmt: skip
        buyers.renew([renewal], at=self.now)

    def time_passes(self, days: int, accounts_per_chunk: int) -> None:
        """As for the members alone, though what expires is the buyers' too."""
        self.now += days * DAY
        if accounts_per_chunk:
            self.simple.expire(self.now)
            buyers.expire_due(self.now, accounts_per_chunk=accounts_per_chunk)

    def a_night(self, late: int, chunk: int) -> None:
        """It comes on time, or some days late."""
        due = self.now - late * DAY
        self.simple.expire(due)
        buyers.run_nightly(due, at=self.now, accounts_per_chunk=chunk)


def step(name: str, **arguments: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


who = st.integers(0, 1)
orders = step(
    "an_order_is_reported", who=who, number=st.integers(0, 3), status=st.sampled_from(OrderStatus),
    paid=st.integers(1, 9), back=st.sampled_from([0, 0, 0, 1, 4]), days=st.integers(0, 4),
)  # fmt: skip
buyers_moves = step(
    "a_buyer_moves_points", who=who, how=st.sampled_from([*MOVEMENTS, "hold"]),
    points=st.integers(1, 30), which=st.sampled_from([0, 0, 1, 2]), days=st.integers(0, 3),
)  # fmt: skip
settlements = step(
    "something_drawn_is_settled", how=st.sampled_from(["capture", "release", "undo"]), which=st.sampled_from([0, 0, 1]),
    points=st.just(0) | st.integers(1, 9), days=histories.days,
)  # fmt: skip
steps = st.one_of(
    step("a_batch", acts=st.lists(histories.acts, min_size=1, max_size=5)),
    step("a_batch", acts=st.lists(histories.acts, min_size=1, max_size=5)),
    step("an_adjustment", who=who, points=st.integers(-20, 40).filter(bool), days=histories.days),
    settlements,
    orders,
    orders,
    buyers_moves,
    buyers_moves,
    step("goods_come_back_without_an_order", who=who, tens=st.integers(1, 3)),
    step("points_are_renewed", who=who, days=st.integers(50, 90)),
    step("time_passes", days=st.integers(0, 1), accounts_per_chunk=st.sampled_from([0, 1, 1000])),
    step("a_night", late=st.integers(0, 3), chunk=st.sampled_from([1, 1000])),
)


def tell(history: History, told: list[tuple[str, dict]]) -> None:
    """Live through a history, and through a last night, after which nothing is due any more: a night that is repeated
    has nothing of its own to do then."""
    with history.listening():
        history.everybody_begins_with_points()
        for name, arguments in told:
            getattr(history, name)(**arguments)
        history.now += DAY
        buyers.run_nightly(history.now, at=history.now)


@pytest.mark.django_db
@given(policy=st.sampled_from(POLICIES), told=st.lists(steps, min_size=45, max_size=60), seed=st.integers(0, 999))
@settings(
    max_examples=8, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_ten_replays_of_a_random_history_leave_the_ledger_as_it_was(
    policy: Policy, told: list[tuple[str, dict]], seed: int
) -> None:
    history = History(policy)
    try:
        tell(history, told)
        before = digest()
        for number in range(REPLAYS):
            for call in history.recorder.shuffled(Random(seed + number)):
                call.again()
            assert digest() == before
        retell(history.now)
        assert digest() == before
    finally:
        history.teardown()


@pytest.fixture
def calls(xiaolu: Member, at: datetime) -> list[Call]:
    """A short story of 林小鹿 in which each verb occurs."""
    recorder = Recorder()
    batch = SimpleNamespace(post=post)
    movements = dict.fromkeys(MOVEMENTS, of_movement)
    with recorder.listening(batch, post=of_batch), recorder.listening(buyers, **movements):
        batch.post([earned(xiaolu, 100, key="in", at=at), waiting(xiaolu, 50, key="later", at=at)], at=at)
        batch.post([ripe(xiaolu, "later", at=at)], at=at)
        batch.post([spent(xiaolu, 10, key="out", at=at)], at=at)
        batch.post([returned(xiaolu, 20, key="back", about_key="in", at=at)], at=at)
        buyers.hold(xiaolu.pk, 30, key="hold", at=at, deadline=None)
        buyers.capture(xiaolu.pk, "hold", key="capture", at=at, points=10)
        buyers.release(xiaolu.pk, "hold", key="release", at=at, points=5, revive_until=None)
        buyers.undo(xiaolu.pk, "out", key="undo", at=at, revive_until=None)
    return recorder.calls


def changed_by(call: Call, before: str) -> str:
    """What a repeated call does: nothing, a refusal, or a change of the ledger."""
    try:
        with transaction.atomic():
            call.again()
    except IntegrityError:
        return "refused"
    except api.NothingOpen:
        return "nothing open"
    return "nothing" if digest() == before else "changed"


class TestGuard:
    """Every call of a short story, repeated at its end, with the guards taken away one after the other."""

    @staticmethod
    @contextmanager
    def no_look_up() -> Iterator[None]:
        """Nobody looks a key up: neither for a batch nor, a way of its own, for a single burn or hold."""
        of_batches = "LEFT JOIN loyalty_entry AS e ON e.key = p.key"
        with (
            altered("loyalty_prepare", of_batches, "LEFT JOIN loyalty_entry AS e ON FALSE"),
            altered("loyalty_draw_one", "WHERE e.key = posting.key", "WHERE FALSE"),
        ):
            yield

    def test_with_the_look_up_of_keys_nothing_happens(self, calls: list[Call]) -> None:
        assert {changed_by(call, digest()) for call in calls} == {"nothing"}

    def test_without_it_the_unique_key_refuses_what_would_be_written(self, calls: list[Call]) -> None:
        with self.no_look_up():
            answers = [changed_by(call, digest()) for call in calls]

        # The maturation finds nothing that waits, and the coupon was undone whole.
        assert answers == ["refused", "nothing", *["refused"] * 5, "nothing open"]

    def test_without_both_repeated_calls_change_the_ledger(self, calls: list[Call]) -> None:
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        execute("ALTER TABLE loyalty_entry DROP CONSTRAINT loyalty_entry_key")

        with self.no_look_up():
            answers = [changed_by(call, digest()) for call in calls]

        assert answers.count("changed") == 6


def test_a_repeated_renewal_of_an_account_does_not_reach_what_came_after_it(xiaolu: Member, at: datetime) -> None:
    """The guard is a condition of ``loyalty_renew``: only lots that were available by the renewal's instant."""
    post([earned(xiaolu, 10, key="before", at=at, expires_at=at + 30 * DAY)], at=at)
    renewal = Renewal(xiaolu.pk, "purchase:1", at + 90 * DAY, at, RenewalReason.PURCHASE, 0)
    assert renew([renewal], at=at).lots == 1
    post([earned(xiaolu, 10, key="after", at=at + DAY, expires_at=at + 40 * DAY)], at=at + DAY)

    assert renew([renewal], at=at).lots == 0
