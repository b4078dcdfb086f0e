"""The cash part of a redemption: paid, paid too late, paid twice, not paid at all."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Identity, Member, Order
from loyalty import api as loyalty
from loyalty.models import Account, Entry
from redemption.models import Payment, Redemption, Reward, RewardCode
from redemption.rewards.choices import PaidBy, RewardKind
from redemption.rewards.giving_back import cancel_own
from redemption.rewards.handling import receive, ship
from redemption.rewards.lapsing import lapse_unpaid
from redemption.rewards.moving import NoReason, NotPossible
from redemption.rewards.payment import (
    PaymentConflict,
    apply_payment,
    apply_waiting,
    mark_paid,
    report_payment,
    settle,
)
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.rewards.conftest import Take, free, redemption_of, spendable


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def pot(db: None) -> Reward:
    return RewardFactory(name="Tea pot", points=300, cash=Decimal("19.90"), pay_hours=48, stock=10)


@pytest.fixture
def waiting(rich: Member, pot: Reward, take: Take) -> Redemption:
    """小鹿 wants two pots for 600 points and 39.80 yuan, and has not paid yet."""
    return redemption_of(take(rich, pot, 2))


def now(redemption: Redemption) -> Redemption:
    return Redemption.objects.get(pk=redemption.pk)


def call(redemption: Redemption, at: datetime, amount: str = "39.80", reference: str = "pay-1") -> bool:
    """A payment call arrives."""
    payment = report_payment(redemption.pk, Decimal(amount), how=PaidBy.CALL, reference=reference, at=at)
    return apply_payment(payment.pk, at=at)


class TestPaid:
    def test_the_points_are_spent_and_the_shop_may_begin(
        self, rich: Member, waiting: Redemption, keeper: int, at: datetime
    ) -> None:
        assert mark_paid(waiting.pk, actor_id=keeper, reason="Bank transfer", at=at)

        assert (now(waiting).state, now(waiting).paid_at) == ("confirmed", at)
        account = Account.objects.get(pk=rich.pk)
        assert (account.balance, account.held, account.pending) == (400, 0, 39)
        assert list(waiting.moves.values_list("state_before", "state_after", "reason")) == [
            ("awaiting", "confirmed", "@paid")
        ]

    def test_the_cash_earns_points_as_an_order_does(
        self, rich: Member, waiting: Redemption, keeper: int, at: datetime
    ) -> None:
        mark_paid(waiting.pk, actor_id=keeper, reason="Bank transfer", at=at)
        order = Order.objects.get(external_no=waiting.number)
        assert (order.member, order.paid, order.status) == (rich, Decimal("39.80"), "paid")
        assert order.channel.code == "redemption-store"

        ship(waiting.pk, carrier="SF", tracking_number="1", actor_id=keeper, at=at + timedelta(hours=1))
        receive(waiting.pk, actor_id=None, by_buyer=True, at=at + timedelta(days=2))

        order.refresh_from_db()
        assert (order.status, order.shipped_at) == ("completed", at + timedelta(hours=1))
        assert spendable(rich, at + timedelta(days=2)) == 439

    def test_a_platform_name_of_the_member_leads_the_order_to_him(
        self, rich: Member, waiting: Redemption, keeper: int, at: datetime
    ) -> None:
        mark_paid(waiting.pk, actor_id=keeper, reason="Cash", at=at)

        assert Identity.objects.get(channel__code="redemption-store").member == rich
        assert Member.objects.count() == 1

    def test_by_a_call_that_comes_three_times(self, rich: Member, waiting: Redemption, at: datetime) -> None:
        assert [call(waiting, at) for _attempt in range(3)] == [True, True, True]

        assert Entry.objects.filter(account=rich.pk, kind="capture").count() == 1
        assert Order.objects.filter(external_no=waiting.number).count() == 1

    def test_a_code_is_the_buyer_s_as_soon_as_it_is_paid(
        self, rich: Member, take: Take, keeper: int, at: datetime
    ) -> None:
        card = RewardFactory(kind=RewardKind.DIGITAL, counted=False, points=10, cash=Decimal("5.00"))
        RewardCode.objects.create(reward=card, code="AAAA", added_at=at)
        taken = redemption_of(take(rich, card))

        mark_paid(taken.pk, actor_id=keeper, reason="Cash", at=at)

        assert now(taken).state == "received"
        assert Order.objects.get(external_no=taken.number).status == "completed"

    def test_for_what_is_left_after_a_part_was_cancelled(
        self, rich: Member, waiting: Redemption, keeper: int, at: datetime
    ) -> None:
        cancel_own(waiting.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

        assert mark_paid(waiting.pk, actor_id=keeper, reason="Cash", at=at)

        assert Order.objects.get(external_no=waiting.number).paid == Decimal("19.90")
        assert Account.objects.get(pk=rich.pk).balance == 700

    def test_needs_a_reason_when_a_person_says_it(self, waiting: Redemption, keeper: int, at: datetime) -> None:
        with pytest.raises(NoReason):
            mark_paid(waiting.pk, actor_id=keeper, reason="", at=at)


class TestNotAsExpected:
    def test_too_little_waits_for_a_person(self, waiting: Redemption, at: datetime) -> None:
        assert not call(waiting, at, amount="39.79")

        assert now(waiting).state == "awaiting"
        assert Payment.objects.get().settled_at is None

    def test_the_same_reference_for_another_amount_is_a_conflict(self, waiting: Redemption, at: datetime) -> None:
        call(waiting, at, amount="10.00")

        with pytest.raises(PaymentConflict):
            call(waiting, at)

    def test_a_second_payment_is_kept_and_counts_for_nothing(
        self, waiting: Redemption, keeper: int, at: datetime
    ) -> None:
        call(waiting, at)

        assert not call(waiting, at, reference="pay-2")

        stray = Payment.objects.get(applied=False)
        settle(stray.pk, actor_id=keeper, reason="Paid back", at=at)
        with pytest.raises(NotPossible):
            settle(stray.pk, actor_id=keeper, reason="Paid back", at=at)

    def test_what_comes_after_the_deadline_is_kept_and_moves_nothing(
        self, rich: Member, waiting: Redemption, pot: Reward, at: datetime
    ) -> None:
        late = at + timedelta(hours=49)
        lapse_unpaid(late)

        assert not call(waiting, late)

        assert (now(waiting).state, spendable(rich, late), free(pot)) == ("cancelled", 1000, 10)
        assert apply_waiting(at=late) == 0

    def test_nothing_is_paid_for_what_costs_no_cash(self, rich: Member, take: Take, at: datetime) -> None:
        cup = redemption_of(take(rich, RewardFactory()))

        with pytest.raises(NotPossible):
            call(cup, at)

    def test_what_a_crash_left_reported_the_sweep_applies(self, waiting: Redemption, at: datetime) -> None:
        report_payment(waiting.pk, Decimal("39.80"), how=PaidBy.CALL, reference="pay-1", at=at)

        assert apply_waiting(at=at + timedelta(minutes=5)) == 1
        assert apply_waiting(at=at + timedelta(minutes=10)) == 0
        assert now(waiting).state == "confirmed"


class TestUnpaid:
    def test_everything_goes_back_once(self, rich: Member, waiting: Redemption, pot: Reward, at: datetime) -> None:
        assert lapse_unpaid(at + timedelta(hours=47, minutes=59)) == 0
        over = at + timedelta(hours=48)

        assert [lapse_unpaid(over), lapse_unpaid(over)] == [1, 0]

        assert (now(waiting).state, now(waiting).cancelled) == ("cancelled", 2)
        assert (spendable(rich, over), free(pot)) == (1000, 10)
        assert waiting.moves.get().reason == "@unpaid"
        assert loyalty.audit().ok

    def test_also_when_the_night_was_there_first(
        self, rich: Member, waiting: Redemption, pot: Reward, at: datetime
    ) -> None:
        over = at + timedelta(days=3)
        loyalty.run_nightly(over, at=over)
        assert now(waiting).state == "awaiting"

        assert lapse_unpaid(over) == 1

        assert (spendable(rich, over), free(pot)) == (1000, 10)
        assert Entry.objects.filter(account=rich.pk, kind="release").count() == 1

    def test_what_was_cancelled_in_part_gives_back_the_rest(
        self, rich: Member, waiting: Redemption, pot: Reward, at: datetime
    ) -> None:
        cancel_own(waiting.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

        lapse_unpaid(at + timedelta(days=3))

        assert (now(waiting).cancelled, spendable(rich, at), free(pot)) == (2, 1000, 10)

    def test_codes_go_back_to_the_pool(self, rich: Member, take: Take, at: datetime) -> None:
        card = RewardFactory(kind=RewardKind.DIGITAL, counted=False, points=10, cash=Decimal("5.00"))
        RewardCode.objects.create(reward=card, code="AAAA", added_at=at)
        take(rich, card)

        lapse_unpaid(at + timedelta(days=3))

        assert RewardCode.objects.get().redemption is None

    def test_many_in_chunks(self, rich: Member, take: Take, at: datetime) -> None:
        cups = [RewardFactory(points=10, cash=Decimal(1), stock=3) for _ in range(3)]
        for cup in cups:
            take(rich, cup)

        assert lapse_unpaid(at + timedelta(days=3), at_once=2) == 3
        assert [free(cup) for cup in cups] == [3, 3, 3]

    def test_a_paid_one_stays(self, waiting: Redemption, keeper: int, at: datetime) -> None:
        mark_paid(waiting.pk, actor_id=keeper, reason="Cash", at=at)

        assert lapse_unpaid(at + timedelta(days=3)) == 0
