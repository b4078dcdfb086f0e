"""A process is killed after each statement of a checkout, a payment, a cancellation, a return and the sweep.

Whatever it came to, the books add up, and who does the same again (the buyer, the till, the next sweep, a person with
the page still open) brings it to its end, once.

An act with cash takes some forty statements, since its order is recorded too. Usually every third of those is enough;
with EVERY_STATEMENT=1 in the environment it is each, which takes two minutes.
"""

import multiprocessing
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connections

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Payment, Redemption, Reward, RewardCode
from redemption.rewards.checkout import redeem
from redemption.rewards.choices import PaidBy, RewardKind
from redemption.rewards.giving_back import cancel, cancel_own, take_back
from redemption.rewards.handling import ship
from redemption.rewards.lapsing import lapse_unpaid
from redemption.rewards.opening import open_wish
from redemption.rewards.payment import apply_payment, apply_waiting, report_payment
from tests.cast import GivePoints
from tests.concurrency.killing import Act, all_adds_up, die_inside, kill_everywhere, wait_until_one_sleeps
from tests.concurrency.test_coupons import remake
from tests.factories import AddressFactory, RewardFactory, StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

WITH_CASH = 1 if os.environ.get("EVERY_STATEMENT") else 3


@dataclass
class Store:
    """小鹿 with points in plenty, an address, and the things she takes."""

    member: Member
    address: int
    keeper: int
    cup: Reward
    pot: Reward
    card: Reward
    at: datetime

    def take(self, reward: Reward, quantity: int = 3, token: str = "") -> Redemption:
        token = token or self.token(reward)
        taken = redeem(self.member.pk, reward.pk, quantity, token=token, address_id=self.address, at=self.at)
        return Redemption.objects.get(pk=taken.redemption_id)

    def token(self, reward: Reward) -> str:
        return open_wish(self.member.pk, reward, self.at).token()

    def sent(self) -> Redemption:
        taken = self.take(self.cup)
        return ship(taken.pk, carrier="SF", tracking_number="SF1", actor_id=self.keeper, at=self.at)


@pytest.fixture
def store(xiaolu: Member, give_points: GivePoints, at: datetime) -> Store:
    give_points(xiaolu, 50_000)
    give_points(xiaolu, 50_000, expires_at=at + timedelta(days=90))
    card = RewardFactory(points=10, cash=Decimal("5.00"), kind=RewardKind.DIGITAL, counted=False)
    RewardCode.objects.bulk_create(RewardCode(reward=card, code=f"C{number}", added_at=at) for number in range(500))
    return Store(
        xiaolu,
        AddressFactory(member=xiaolu).pk,
        int(StaffFactory().pk),
        RewardFactory(points=10, stock=1000),
        RewardFactory(points=10, cash=Decimal("9.90"), stock=1000),
        card,
        at,
    )


def states(reward: Reward) -> set[tuple[str, int, int]]:
    """What became of the redemptions of a reward: state, pieces cancelled, pieces returned."""
    return set(Redemption.objects.filter(reward=reward).values_list("state", "cancelled", "returned"))


class TestKilledAfterEachStatement:
    def test_of_a_checkout(self, store: Store) -> None:
        taken: list[str] = []

        def prepare() -> tuple[Act, Act]:
            token = store.token(store.cup)
            taken.append(token)
            return (lambda: store.take(store.cup, token=token)), (lambda: store.take(store.cup, token=token))

        kill_everywhere(prepare)

        assert Redemption.objects.count() == len(taken)
        assert states(store.cup) == {("placed", 0, 0)}

    def test_of_a_payment(self, store: Store) -> None:
        def prepare() -> tuple[Act, Act]:
            waiting = store.take(store.pot)
            amount, reference = waiting.cash, f"till:{waiting.pk}"

            def pay() -> None:
                payment = report_payment(waiting.pk, amount, how=PaidBy.CALL, reference=reference, at=store.at)
                apply_payment(payment.pk, at=store.at)

            return pay, pay

        statements = kill_everywhere(prepare, step=WITH_CASH)

        assert statements > 5
        assert states(store.pot) == {("confirmed", 0, 0)}
        assert not Payment.objects.filter(applied=False).exists()

    def test_of_a_payment_that_only_the_sweep_finds_again(self, store: Store) -> None:
        def prepare() -> tuple[Act, Act]:
            waiting = store.take(store.card, 2)
            report_payment(waiting.pk, waiting.cash, how=PaidBy.CALL, reference=f"till:{waiting.pk}", at=store.at)
            return (lambda: apply_waiting(at=store.at)), (lambda: apply_waiting(at=store.at))

        kill_everywhere(prepare, step=WITH_CASH)

        assert states(store.card) == {("received", 0, 0)}

    @pytest.mark.parametrize("thing", ["cup", "pot", "card"])
    def test_of_a_buyer_s_cancelling_a_part(self, thing: str, store: Store) -> None:
        reward = getattr(store, thing)

        def prepare() -> tuple[Act, Act]:
            taken = store.take(reward)

            def give_up() -> None:
                cancel_own(taken.pk, 1, seen=0, member_id=store.member.pk, actor_id=None, at=store.at)

            return give_up, give_up

        statements = kill_everywhere(prepare)

        assert statements > 4
        assert {part[1:] for part in states(reward)} == {(1, 0)}

    def test_of_the_shop_s_cancelling_what_was_paid(self, store: Store) -> None:
        def prepare() -> tuple[Act, Act]:
            waiting = store.take(store.pot)
            payment = report_payment(
                waiting.pk, waiting.cash, how=PaidBy.CALL, reference=f"till:{waiting.pk}", at=store.at
            )
            apply_payment(payment.pk, at=store.at)

            def cancel_it() -> None:
                cancel(waiting.pk, 3, seen=0, actor_id=store.keeper, reason="Broken", at=store.at)

            return cancel_it, cancel_it

        kill_everywhere(prepare, step=WITH_CASH)

        assert states(store.pot) == {("cancelled", 3, 0)}

    def test_of_a_return(self, store: Store) -> None:
        def prepare() -> tuple[Act, Act]:
            sent = store.sent()

            def return_two() -> None:
                take_back(sent.pk, 2, seen=0, restock=True, actor_id=store.keeper, reason="Broken", at=store.at)

            return return_two, return_two

        kill_everywhere(prepare)

        assert states(store.cup) == {("shipped", 0, 2)}

    def test_of_the_sweep(self, store: Store) -> None:
        late = store.at + timedelta(days=5)

        def prepare() -> tuple[Act, Act]:
            store.take(store.pot)
            store.take(store.card, 2)
            return (lambda: lapse_unpaid(late, at_once=1)), (lambda: lapse_unpaid(late))

        kill_everywhere(prepare)

        assert states(store.pot) == {("cancelled", 3, 0)}
        assert states(store.card) == {("cancelled", 2, 0)}
        assert RewardCode.objects.filter(redemption=None).count() == 500


# The checkout is one statement; these are the ones inside it, by how they begin.
INSIDE = [
    "    drawn := loyalty_draw_one(",
    "    INSERT INTO redemption_redemption (",
    "        UPDATE redemption_rewardcode AS c",
    "        UPDATE redemption_stock AS s",
    "    RETURN ('placed', placed, NULL)::redemption_answer;",
]


class TestInsideTheCheckout:
    @pytest.mark.parametrize("statement", INSIDE)
    def test_the_server_s_own_process_dies_before_a_statement(self, statement: str, store: Store) -> None:
        reward = store.card if "rewardcode" in statement else store.cup
        token = store.token(reward)
        before = loyalty.summary(store.member.pk, store.at).spendable

        mend = die_inside("redemption_redeem", statement, lambda: store.take(reward, token=token))

        assert not Redemption.objects.exists()
        assert loyalty.summary(store.member.pk, store.at).spendable == before
        assert all_adds_up()
        mend()
        assert store.take(reward, token=token).quantity == 3
        assert all_adds_up()

    def test_the_buyer_s_process_dies_while_the_server_goes_on(self, store: Store) -> None:
        token = store.token(store.cup)
        last = INSIDE[-1]
        remake("redemption_redeem", last, f"    PERFORM pg_sleep(1);\n{last}")
        connections.close_all()
        buyer = multiprocessing.get_context("fork").Process(target=store.take, args=(store.cup, 3, token))
        buyer.start()
        wait_until_one_sleeps()
        buyer.kill()
        buyer.join()

        again = store.take(store.cup, token=token)

        assert list(Redemption.objects.all()) == [again]
        assert all_adds_up()
