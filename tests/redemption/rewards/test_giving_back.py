"""A redemption is cancelled or comes back, whole or in part."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Member, Order, StaffAction
from loyalty import api as loyalty
from loyalty.models import Entry, Lot
from loyalty.policies import publish_policy
from loyalty.validity import BUILT_IN
from redemption.models import Redemption, Reward, RewardCode
from redemption.rewards.choices import RewardKind
from redemption.rewards.giving_back import cancel, cancel_own, take_back
from redemption.rewards.handling import confirm, receive, ship
from redemption.rewards.moving import MovedMeanwhile, NoReason, NotPossible, TooLate
from redemption.rewards.payment import mark_paid
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.rewards.conftest import Take, free, redemption_of, spendable


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory(name="Tea cup", points=100, stock=10)


@pytest.fixture
def three(rich: Member, cup: Reward, take: Take) -> Redemption:
    """小鹿 took three cups for 300 points."""
    return redemption_of(take(rich, cup, 3))


@pytest.fixture
def sent(three: Redemption, keeper: int, at: datetime) -> Redemption:
    """The three cups are on their way."""
    return ship(three.pk, carrier="SF", tracking_number="SF1", actor_id=keeper, at=at)


def now(redemption: Redemption) -> Redemption:
    return Redemption.objects.get(pk=redemption.pk)


class TestBuyerCancels:
    def test_all_of_it_while_the_shop_has_not_begun(
        self, rich: Member, cup: Reward, three: Redemption, at: datetime
    ) -> None:
        cancel_own(three.pk, 3, seen=0, member_id=rich.pk, actor_id=None, at=at)

        assert (now(three).state, now(three).cancelled) == ("cancelled", 3)
        assert (spendable(rich, at), free(cup)) == (1000, 10)
        assert list(three.moves.values_list("state_after", "reason")) == [("cancelled", "@buyer")]

    def test_a_part_of_the_quantity(self, rich: Member, cup: Reward, three: Redemption, at: datetime) -> None:
        cancel_own(three.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

        assert (now(three).state, now(three).left) == ("placed", 2)
        assert (spendable(rich, at), free(cup)) == (800, 8)
        cancel_own(three.pk, 2, seen=1, member_id=rich.pk, actor_id=None, at=at)
        assert (now(three).state, spendable(rich, at), free(cup)) == ("cancelled", 1000, 10)

    def test_a_double_click_cancels_once(self, rich: Member, cup: Reward, three: Redemption, at: datetime) -> None:
        for _click in range(2):
            cancel_own(three.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

        assert (now(three).cancelled, spendable(rich, at), free(cup)) == (1, 800, 8)

    def test_another_number_from_an_old_page_is_refused(self, rich: Member, three: Redemption, at: datetime) -> None:
        cancel_own(three.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

        with pytest.raises(MovedMeanwhile):
            cancel_own(three.pk, 2, seen=0, member_id=rich.pk, actor_id=None, at=at)

    def test_not_after_the_shop_has_begun(self, rich: Member, three: Redemption, keeper: int, at: datetime) -> None:
        assert confirm([three.pk], actor_id=keeper, at=at) == [three.pk]

        with pytest.raises(TooLate):
            cancel_own(three.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

    def test_not_somebody_else_s(self, dayong: Member, three: Redemption, at: datetime) -> None:
        with pytest.raises(Redemption.DoesNotExist):
            cancel_own(three.pk, 1, seen=0, member_id=dayong.pk, actor_id=None, at=at)

    @pytest.mark.parametrize("pieces", [0, -1, 4])
    def test_not_more_than_there_is(self, rich: Member, three: Redemption, at: datetime, pieces: int) -> None:
        with pytest.raises(NotPossible):
            cancel_own(three.pk, pieces, seen=0, member_id=rich.pk, actor_id=None, at=at)


class TestShopCancels:
    def test_with_a_reason_that_is_kept(self, three: Redemption, keeper: int, at: datetime) -> None:
        confirm([three.pk], actor_id=keeper, at=at)

        cancel(three.pk, 1, seen=0, actor_id=keeper, reason="One is cracked", at=at)

        last = three.moves.last()
        assert last is not None
        assert (last.actor_id, last.reason, last.cancelled) == (keeper, "One is cracked", 1)
        assert StaffAction.objects.get(action="redemptions.cancel").reason == "One is cracked"

    def test_not_without_a_reason(self, three: Redemption, keeper: int, at: datetime) -> None:
        with pytest.raises(NoReason):
            cancel(three.pk, 1, seen=0, actor_id=keeper, reason=" ", at=at)

    def test_not_after_it_was_sent(self, sent: Redemption, keeper: int, at: datetime) -> None:
        with pytest.raises(NotPossible):
            cancel(sent.pk, 1, seen=0, actor_id=keeper, reason="Changed my mind", at=at)

    def test_a_limit_counts_what_is_left(self, rich: Member, three: Redemption, take: Take, at: datetime) -> None:
        Reward.objects.filter(pk=three.reward_id).update(limit_ever=3)

        cancel_own(three.pk, 1, seen=0, member_id=rich.pk, actor_id=None, at=at)

        take(rich, three.reward, 1)


class TestTakenBack:
    def test_a_part_and_then_the_rest(
        self, rich: Member, cup: Reward, sent: Redemption, keeper: int, at: datetime
    ) -> None:
        take_back(sent.pk, 1, seen=0, restock=False, actor_id=keeper, reason="Broken", at=at)

        assert (now(sent).state, now(sent).returned, now(sent).restocked) == ("shipped", 1, 0)
        assert (spendable(rich, at), free(cup)) == (800, 7)
        receive(sent.pk, actor_id=keeper, at=at)
        take_back(sent.pk, 2, seen=1, restock=True, actor_id=keeper, reason="Did not like them", at=at)
        assert (now(sent).state, now(sent).restocked) == ("returned", 2)
        assert (spendable(rich, at), free(cup)) == (1000, 9)

    def test_twice_the_same_is_once(
        self, rich: Member, cup: Reward, sent: Redemption, keeper: int, at: datetime
    ) -> None:
        for _click in range(2):
            take_back(sent.pk, 1, seen=0, restock=True, actor_id=keeper, reason="Broken", at=at)

        assert (now(sent).returned, spendable(rich, at), free(cup)) == (1, 800, 8)

    def test_not_before_it_was_sent(self, three: Redemption, keeper: int, at: datetime) -> None:
        with pytest.raises(NotPossible):
            take_back(three.pk, 1, seen=0, restock=True, actor_id=keeper, reason="Broken", at=at)

    def test_points_go_back_to_the_lots_they_came_from(
        self, xiaolu: Member, take: Take, give_points: GivePoints, keeper: int, at: datetime
    ) -> None:
        soon, later = at + timedelta(days=30), at + timedelta(days=300)
        give_points(xiaolu, 150, expires_at=soon)
        give_points(xiaolu, 150, expires_at=later)
        taken = redemption_of(take(xiaolu, RewardFactory(points=100), 3))

        cancel(taken.pk, 2, seen=0, actor_id=keeper, reason="Sold out at the factory", at=at)

        lots = Lot.objects.filter(account=xiaolu.pk).order_by("expires_at").values_list("expires_at", "remaining")
        assert list(lots) == [(soon, 50), (later, 150)]


class TestTakenBackLate:
    """A hundred points were spent on the tenth day before they would have lapsed; the cup comes back ten days after."""

    @pytest.fixture
    def late(self, at: datetime) -> datetime:
        return at + timedelta(days=20)

    @pytest.fixture
    def cup_of_old_points(
        self, xiaolu: Member, take: Take, give_points: GivePoints, keeper: int, at: datetime
    ) -> Redemption:
        give_points(xiaolu, 100, expires_at=at + timedelta(days=10))
        taken = redemption_of(take(xiaolu, RewardFactory(points=100, stock=1)))
        return ship(taken.pk, carrier="SF", tracking_number="SF1", actor_id=keeper, at=at)

    @pytest.mark.parametrize(("grace", "left"), [(30, 100), (None, 0)])
    def test_the_points_live_for_the_policy_s_days_of_grace(
        self, cup_of_old_points: Redemption, keeper: int, late: datetime, grace: int | None, left: int
    ) -> None:
        began = cup_of_old_points.placed_at
        publish_policy(
            replace(BUILT_IN, grace_days=grace), effective_from=began, at=began, actor_id=None, reason="Grace"
        )
        loyalty.run_nightly(late, at=late)

        take_back(cup_of_old_points.pk, 1, seen=0, restock=True, actor_id=keeper, reason="Broken", at=late)

        assert spendable(cup_of_old_points.member, late) == left
        assert free(cup_of_old_points.reward) == 1
        assert loyalty.audit().ok


class TestDigital:
    @pytest.fixture
    def card(self, at: datetime) -> Reward:
        card: Reward = RewardFactory(kind=RewardKind.DIGITAL, counted=False, points=100, cash=Decimal("5.00"))
        RewardCode.objects.bulk_create(RewardCode(reward=card, code=f"C{n}", added_at=at) for n in range(3))
        return card

    def test_codes_that_nobody_has_seen_go_back_to_the_pool(
        self, rich: Member, card: Reward, take: Take, at: datetime
    ) -> None:
        taken = redemption_of(take(rich, card, 3))

        cancel_own(taken.pk, 2, seen=0, member_id=rich.pk, actor_id=None, at=at)

        assert [code.code for code in taken.codes.all()] == ["C0"]
        assert redemption_of(take(rich, card, 2)).codes.count() == 2

    def test_those_that_were_seen_do_not(
        self, rich: Member, card: Reward, take: Take, keeper: int, at: datetime
    ) -> None:
        taken = redemption_of(take(rich, card))
        mark_paid(taken.pk, actor_id=keeper, reason="In cash", at=at)

        take_back(taken.pk, 1, seen=0, restock=True, actor_id=keeper, reason="The code does not work", at=at)

        assert (now(taken).state, now(taken).restocked, taken.codes.count()) == ("returned", 0, 1)
        assert spendable(rich, at) == 1000


class TestCashGoesBack:
    def test_its_order_is_refunded_and_loses_its_points(
        self, rich: Member, take: Take, keeper: int, at: datetime
    ) -> None:
        pot = RewardFactory(points=100, cash=Decimal("30.00"))
        taken = redemption_of(take(rich, pot, 2))
        mark_paid(taken.pk, actor_id=keeper, reason="Transfer", at=at)
        ship(taken.pk, carrier="SF", tracking_number="SF1", actor_id=keeper, at=at)
        receive(taken.pk, actor_id=None, at=at, by_buyer=True)
        assert spendable(rich, at) == 860  # 1000 − 200 for two pots + 60 for the cash.

        take_back(taken.pk, 1, seen=0, restock=True, actor_id=keeper, reason="Broken", at=at)

        order = Order.objects.get(external_no=taken.number)
        assert (order.paid, order.refunded, order.status) == (Decimal("60.00"), Decimal("30.00"), "completed")
        assert spendable(rich, at) == 930
        assert loyalty.audit().ok
        assert Entry.objects.filter(order=order.pk, kind="reversal").count() == 1
