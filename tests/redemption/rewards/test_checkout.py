"""A buyer takes a reward."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Member
from crm.tiers.granting import grant_tier
from loyalty import api as loyalty
from loyalty.models import Entry
from redemption.models import Address, Redemption, Reward, RewardCode, RewardTag
from redemption.rewards import refusals
from redemption.rewards.checkout import redeem
from redemption.rewards.choices import RedemptionState, RewardKind
from tests.cast import GivePoints
from tests.factories import AddressFactory, MemberTagFactory, RewardFactory, TagFactory, TierFactory
from tests.redemption.rewards.conftest import Page, Take, free, redemption_of, spendable


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory(name="Tea cup", points=100, stock=5)


class TestPointsAlone:
    def test_points_and_stock_go_and_the_redemption_says_what_was_agreed(
        self, rich: Member, cup: Reward, take: Take, at: datetime
    ) -> None:
        taken = redemption_of(take(rich, cup, 2))

        assert (taken.member, taken.reward, taken.quantity, taken.points) == (rich, cup, 2, 200)
        assert (taken.state, taken.placed_at, taken.pay_until) == ("placed", at, None)
        assert taken.address == Address.objects.get(member=rich)
        assert (spendable(rich, at), free(cup)) == (800, 3)
        entry = Entry.objects.get(pk=taken.entry_id)
        assert (entry.kind, entry.points, entry.reference) == ("burn", -200, f"reward:{cup.pk}")
        assert entry.trace == {"reward": cup.pk, "units": 2, "name": "Tea cup"}

    @pytest.mark.parametrize(
        ("kind", "state"),
        [(RewardKind.TICKET, RedemptionState.CONFIRMED), (RewardKind.DONATION, RedemptionState.RECEIVED)],
    )
    def test_what_has_no_stock_and_is_not_sent_needs_neither(
        self, rich: Member, kind: RewardKind, state: RedemptionState, shown: Page, at: datetime
    ) -> None:
        reward = RewardFactory(kind=kind, counted=False)

        taken = redeem(rich.pk, reward.pk, 1, token=shown(rich, reward), at=at)

        assert (redemption_of(taken).state, redemption_of(taken).address) == (state, None)

    def test_of_digital_goods_the_codes_are_handed_out(self, rich: Member, take: Take, at: datetime) -> None:
        card = RewardFactory(kind=RewardKind.DIGITAL, counted=False)
        for code in ("AAAA", "BBBB", "CCCC"):
            RewardCode.objects.create(reward=card, code=code, added_at=at)

        taken = redemption_of(take(rich, card, 2))

        assert taken.state == RedemptionState.RECEIVED
        assert [code.code for code in taken.codes.all()] == ["AAAA", "BBBB"]
        with pytest.raises(refusals.SoldOut):
            take(rich, card, 2)
        assert spendable(rich, at) == 800


class TestPointsAndCash:
    def test_points_are_held_and_the_redemption_waits_for_the_cash(
        self, rich: Member, take: Take, at: datetime
    ) -> None:
        pot = RewardFactory(points=300, cash=Decimal("19.90"), pay_hours=24)

        taken = redemption_of(take(rich, pot, 2))

        assert (taken.state, taken.cash, taken.pay_until) == ("awaiting", Decimal("39.80"), at + timedelta(hours=24))
        summary = loyalty.summary(rich.pk, at)
        assert (summary.spendable, summary.held) == (400, 600)
        assert free(pot) == 98


class TestOneWish:
    def test_a_double_click_and_a_late_retry_get_the_same_redemption(
        self, rich: Member, cup: Reward, shown: Page, take: Take, at: datetime
    ) -> None:
        token = shown(rich, cup)
        first = take(rich, cup, token=token)

        again = take(rich, cup, token=token)
        after_three_days = take(rich, cup, token=token, at=at + timedelta(days=3))

        assert (first.repeated, again.repeated, after_three_days.repeated) == (False, True, True)
        assert {first.redemption_id, again.redemption_id, after_three_days.redemption_id} == {first.redemption_id}
        assert (spendable(rich, at), free(cup)) == (900, 4)

    def test_two_tabs_are_one_wish_whatever_number_of_pieces_they_say(
        self, rich: Member, cup: Reward, shown: Page, take: Take, at: datetime
    ) -> None:
        tabs = shown(rich, cup), shown(rich, cup, opened=at - timedelta(minutes=5))

        one, two = take(rich, cup, 1, token=tabs[0]), take(rich, cup, 3, token=tabs[1])

        assert two.redemption_id == one.redemption_id
        assert spendable(rich, at) == 900

    def test_a_page_that_is_opened_afterwards_is_another_wish(self, rich: Member, cup: Reward, take: Take) -> None:
        assert take(rich, cup).redemption_id != take(rich, cup).redemption_id

    @pytest.mark.parametrize("change", [{"points": 1}, {"active": False}, {"most_at_once": 1}])
    def test_whatever_has_changed_since_a_retry_gets_its_redemption(
        self, rich: Member, cup: Reward, shown: Page, take: Take, change: dict[str, int]
    ) -> None:
        token = shown(rich, cup)
        first = take(rich, cup, 2, token=token)
        Reward.objects.filter(pk=cup.pk).update(**change)

        assert take(rich, cup, 2, token=token).redemption_id == first.redemption_id

    def test_a_retry_that_has_no_points_left_is_not_told_so(
        self, xiaolu: Member, cup: Reward, shown: Page, take: Take, give_points: GivePoints
    ) -> None:
        give_points(xiaolu, 100)
        token = shown(xiaolu, cup)

        assert take(xiaolu, cup, token=token).redemption_id == take(xiaolu, cup, token=token).redemption_id


class TestRefusals:
    @pytest.fixture(autouse=True)
    def nothing_is_written(self, rich: Member, cup: Reward, at: datetime) -> object:
        yield
        assert (spendable(rich, at), free(cup), Redemption.objects.count()) == (1000, 5, 0)

    @pytest.fixture
    def refused(self, rich: Member, cup: Reward, shown: Page, take: Take) -> Callable[..., refusals.RewardRefused]:
        """``refused(active=False)``: the answer when the reward has changed between the page and the click."""

        def refused(quantity: int = 1, **change: object) -> refusals.RewardRefused:
            token = shown(rich, cup)
            Reward.objects.filter(pk=cup.pk).update(**change)
            with pytest.raises(refusals.RewardRefused) as refusal:
                take(rich, cup, quantity, token=token)
            return refusal.value

        return refused

    def test_a_price_that_changed_between_page_and_click(self, refused: Callable[..., refusals.RewardRefused]) -> None:
        assert isinstance(refused(points=101), refusals.PriceChanged)
        assert isinstance(refused(points=100, cash=1), refusals.PriceChanged)

    def test_a_reward_taken_back(self, refused: Callable[..., refusals.RewardRefused]) -> None:
        assert isinstance(refused(active=False), refusals.RewardGone)

    def test_outside_its_window(self, refused: Callable[..., refusals.RewardRefused], at: datetime) -> None:
        soon = refused(starts_at=at + timedelta(hours=1))
        over = refused(starts_at=None, ends_at=at)

        assert isinstance(soon, refusals.NotYet)
        assert soon.begins_at == at + timedelta(hours=1)
        assert isinstance(over, refusals.NoLonger)

    def test_more_pieces_than_at_once(self, refused: Callable[..., refusals.RewardRefused]) -> None:
        refusal = refused(3, most_at_once=2)
        assert isinstance(refusal, refusals.TooManyAtOnce)
        assert refusal.most == 2

    def test_more_pieces_than_there_are(self, refused: Callable[..., refusals.RewardRefused]) -> None:
        refusal = refused(6)
        assert isinstance(refusal, refusals.SoldOut)
        assert refusal.left == 5

    def test_goods_without_an_address_of_his(
        self, rich: Member, cup: Reward, shown: Page, dayong: Member, at: datetime
    ) -> None:
        moved = AddressFactory(member=rich, removed_at=at)
        for address_id in (None, AddressFactory(member=dayong).pk, moved.pk):
            with pytest.raises(refusals.AddressMissing):
                redeem(rich.pk, cup.pk, 1, token=shown(rich, cup), address_id=address_id, at=at)

    def test_a_page_of_yesterday(self, rich: Member, cup: Reward, shown: Page, take: Take, at: datetime) -> None:
        with pytest.raises(refusals.WishTooOld):
            take(rich, cup, token=shown(rich, cup, opened=at - timedelta(days=1)))

    def test_a_form_of_somebody_else_or_for_something_else(
        self, rich: Member, dayong: Member, cup: Reward, shown: Page, take: Take
    ) -> None:
        for token in ("", shown(dayong, cup), shown(rich, RewardFactory()), shown(rich, cup) + "x"):
            with pytest.raises(refusals.WrongWish):
                take(rich, cup, token=token or "nonsense")

    def test_no_pieces(self, rich: Member, cup: Reward, take: Take) -> None:
        with pytest.raises(refusals.WrongWish):
            take(rich, cup, 0)


class TestWhoMayHaveIt:
    def test_members_from_a_tier_up(self, rich: Member, cup: Reward, shown: Page, take: Take, at: datetime) -> None:
        TierFactory(rank=0)
        vip, svip = TierFactory(rank=2, code="vip", name="VIP"), TierFactory(rank=3, code="svip")
        token = shown(rich, cup)
        Reward.objects.filter(pk=cup.pk).update(min_tier=vip)

        for asked in (token, shown(rich, cup)):
            with pytest.raises(refusals.TierTooLow, match="VIP"):
                take(rich, cup, token=asked)
        grant_tier(rich.pk, svip.code, at=at, until=None, actor_id=None, reason="")

        assert not take(rich, cup).repeated

    def test_members_with_one_of_several_tags_and_none_that_shuts_out(
        self, rich: Member, cup: Reward, take: Take
    ) -> None:
        tea, green, blocked = TagFactory(), TagFactory(), TagFactory()
        for tag, barred in ((tea, False), (green, False), (blocked, True)):
            RewardTag.objects.create(reward=cup, tag=tag, barred=barred)
        with pytest.raises(refusals.NotForYou):
            take(rich, cup)

        MemberTagFactory(member=rich, tag=green)
        take(rich, cup)
        MemberTagFactory(member=rich, tag=blocked)

        with pytest.raises(refusals.NotForYou):
            take(rich, cup)


class TestLimits:
    def test_of_a_day_a_window_and_for_ever(self, rich: Member, take: Take, at: datetime) -> None:
        cup = RewardFactory(points=10, limit_day=1, limit_window=2, limit_ever=3, starts_at=at - timedelta(days=1))
        refused = []
        for days in (-1, 0, 0, 1, 2):
            try:
                take(rich, cup, at=at + timedelta(days=days, minutes=1))
            except refusals.LimitReached as refusal:
                refused.append((days, refusal.which, refusal.had, refusal.most))
        Reward.objects.filter(pk=cup.pk).update(starts_at=at + timedelta(days=30))
        take(rich, cup, at=at + timedelta(days=31))
        with pytest.raises(refusals.LimitReached) as ever:
            take(rich, cup, at=at + timedelta(days=32))

        assert refused == [(0, "day", 1, 1), (1, "window", 2, 2), (2, "window", 2, 2)]
        assert (ever.value.which, ever.value.had) == ("ever", 3)

    def test_a_limit_counts_pieces(self, rich: Member, take: Take) -> None:
        cup = RewardFactory(points=10, limit_ever=3)
        take(rich, cup, 2)

        with pytest.raises(refusals.LimitReached):
            take(rich, cup, 2)
        take(rich, cup, 1)

    def test_the_day_begins_at_midnight_in_the_programme_s_zone(self, rich: Member, take: Take, at: datetime) -> None:
        cup = RewardFactory(points=10, limit_day=1)
        midnight = at + timedelta(hours=12)
        take(rich, cup, at=midnight - timedelta(seconds=1))

        take(rich, cup, at=midnight)


class TestMissingPoints:
    def test_says_how_many(self, xiaolu: Member, cup: Reward, take: Take, give_points: GivePoints) -> None:
        give_points(xiaolu, 130)

        with pytest.raises(refusals.NotEnoughPoints) as refusal:
            take(xiaolu, cup, 2)

        assert refusal.value.missing == 70

    def test_who_has_no_account_yet_lacks_all_of_them(self, xiaolu: Member, cup: Reward, take: Take) -> None:
        with pytest.raises(refusals.NotEnoughPoints) as refusal:
            take(xiaolu, cup)

        assert refusal.value.missing == 100


def test_every_refusal_is_a_sentence(at: datetime) -> None:
    answers = [
        refusals.RewardGone(), refusals.WrongWish(), refusals.WishTooOld(), refusals.PriceChanged(),
        refusals.NotForYou(), refusals.AddressMissing(), refusals.NotYet(at), refusals.NoLonger(at),
        refusals.TierTooLow("VIP"), refusals.TooManyAtOnce(3), refusals.SoldOut(0), refusals.SoldOut(2),
        refusals.LimitReached("day", 1, 1), refusals.LimitReached("window", 1, 1),
        refusals.LimitReached("ever", 1, 1), refusals.NotEnoughPoints(5),
    ]  # fmt: skip

    sentences = [answer.message() for answer in answers]

    assert len(set(sentences)) == len(answers)
    assert all(sentence.endswith((".", "。")) for sentence in sentences)
