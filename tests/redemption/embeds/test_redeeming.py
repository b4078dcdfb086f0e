"""A buyer whom his shop has vouched for redeems a reward inside an embed."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Address, Embed, Redemption, Reward, RewardCode, Stock
from redemption.rewards.choices import RedemptionState, RewardKind, Visibility
from tests.cast import GivePoints
from tests.factories import AddressFactory, RewardFactory, TierFactory
from tests.redemption.embeds.conftest import MakeEmbed

Ask = Callable[..., str]
Session = Callable[..., dict[str, str]]

TYPED = {
    "recipient": "林小鹿", "phone": "13800000001", "province": "浙江省", "city": "杭州市", "district": "西湖区",
    "street": "龙井路 1 号",
}  # fmt: skip


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def ticket(db: None) -> Reward:
    """Nothing that is sent: the shortest way."""
    return RewardFactory(name="茶席体验券", kind=RewardKind.TICKET, points=300, stock=5)


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory(name="青瓷茶杯", points=100, stock=5, limit_ever=3)


@pytest.fixture
def grid(make_embed: MakeEmbed) -> Embed:
    return make_embed("rewards")


@pytest.fixture
def ask(rich: Member, grid: Embed, visitor: Client, session: Session) -> Ask:
    """``ask(cup, quantity=2)``: what the frame shows when 林小鹿 opens or takes a reward there."""
    headers = session(grid)

    def ask(reward: Reward, rest: str = "", **fields: object) -> str:
        page = visitor.post(f"/embed/{grid.public_key}/reward/{reward.pk}/{rest}", fields, headers=headers)
        assert page.status_code == 200
        return page.content.decode()

    return ask


def token_in(page: str) -> str:
    return page.split('name="token" value="')[1].split('"', maxsplit=1)[0]


class TestTheWay:
    def test_he_is_asked_and_then_it_is_his(self, rich: Member, ticket: Reward, ask: Ask, at: datetime) -> None:
        question = ask(ticket)
        assert "Redeem for 300 points" in question
        assert "700 points" in question
        assert not Redemption.objects.exists()

        answer = ask(ticket, token=token_in(question), quantity=1)

        taken = Redemption.objects.get()
        assert (taken.member_id, taken.points) == (rich.pk, 300)
        assert taken.number in answer
        assert "Redeemed." in answer
        assert loyalty.summary(rich.pk, at).balance == 700

    def test_he_chooses_how_many(self, ticket: Reward, ask: Ask, rich: Member, at: datetime) -> None:
        question = ask(ticket, quantity=2)
        assert "Redeem for 600 points" in question

        ask(ticket, token=token_in(question), quantity=2)

        assert Redemption.objects.get().quantity == 2
        assert loyalty.summary(rich.pk, at).balance == 400

    def test_a_parcel_goes_to_a_saved_address(self, rich: Member, cup: Reward, ask: Ask) -> None:
        AddressFactory(member=rich, preferred=True, street="苏堤 2 号")
        other = AddressFactory(member=rich, street="龙井路 1 号")
        question = ask(cup)
        assert "苏堤 2 号" in question

        answer = ask(cup, token=token_in(question), quantity=1, address=other.pk)

        assert Redemption.objects.get().address == other
        assert "龙井路 1 号" in answer

    def test_who_has_no_address_writes_one_and_goes_on(self, rich: Member, cup: Reward, ask: Ask) -> None:
        form = ask(cup, quantity=2)
        assert "Where shall the parcel go?" in form
        assert 'name="token"' not in form

        wrong = ask(cup, "address/", quantity=2, **TYPED | {"phone": "138****0001"})
        assert "Write the whole phone number" in wrong
        question = ask(cup, "address/", quantity=2, **TYPED)

        kept = Address.objects.get()
        assert "Redeem for 200 points" in question
        ask(cup, token=token_in(question), quantity=2, address=kept.pk)
        assert Redemption.objects.get().address == kept

    def test_somebody_elses_address_is_no_address(self, rich: Member, dayong: Member, cup: Reward, ask: Ask) -> None:
        AddressFactory(member=rich)
        his = AddressFactory(member=dayong)

        answer = ask(cup, token=token_in(ask(cup)), quantity=1, address=his.pk)

        assert "Please choose where the parcel shall go." in answer
        assert not Redemption.objects.exists()

    def test_with_cash_the_points_are_held_and_the_way_to_pay_is_named(
        self, rich: Member, ask: Ask, at: datetime
    ) -> None:
        pot = RewardFactory(name="紫砂壶", kind=RewardKind.TICKET, points=400, cash="29.90", pay_hours=24)

        answer = ask(pot, token=token_in(ask(pot)), quantity=1)

        taken = Redemption.objects.get()
        assert "Pay ¥29.90 by" in answer
        assert f"write {taken.number} into the remark" in answer
        assert taken.state == RedemptionState.AWAITING
        assert loyalty.summary(rich.pk, at).spendable == 600

    def test_a_digital_good_shows_its_code(self, rich: Member, ask: Ask, at: datetime) -> None:
        video = RewardFactory(kind=RewardKind.DIGITAL, points=10, counted=False)
        RewardCode.objects.create(reward=video, code="VIP-MONTH-0001", added_at=at)

        assert "VIP-MONTH-0001" in ask(video, token=token_in(ask(video)), quantity=1)

    def test_from_the_badge_it_is_the_same(
        self, rich: Member, ticket: Reward, make_embed: MakeEmbed, visitor: Client, session: Session
    ) -> None:
        badge = make_embed("badge", reward=ticket)
        headers = session(badge)
        address = f"/embed/{badge.public_key}/reward/{ticket.pk}/"
        shown = visitor.post(f"/embed/{badge.public_key}/content/", headers=headers).content.decode()
        assert f'data-open="reward/{ticket.pk}/"' in shown

        token = token_in(visitor.post(address, headers=headers).content.decode())
        visitor.post(address, {"token": token, "quantity": 1}, headers=headers)

        assert Redemption.objects.get().reward == ticket


class TestOnce:
    def test_the_same_press_again_is_the_same_redemption_and_the_page_says_so(
        self, rich: Member, ticket: Reward, ask: Ask, at: datetime
    ) -> None:
        token = token_in(ask(ticket))
        ask(ticket, token=token, quantity=1)

        again = ask(ticket, token=token, quantity=1)

        assert "You had redeemed this already; it counted once." in again
        assert Redemption.objects.get().number in again
        assert loyalty.summary(rich.pk, at).balance == 700

    def test_the_store_and_the_embed_show_one_wish(self, rich: Member, ticket: Reward, ask: Ask, at: datetime) -> None:
        """A second tab, here or in the store, that was opened before the press."""
        first, second = token_in(ask(ticket)), token_in(ask(ticket))
        ask(ticket, token=first, quantity=1)

        assert "it counted once" in ask(ticket, token=second, quantity=1)
        assert Redemption.objects.count() == 1

    def test_a_question_that_was_opened_afterwards_is_a_new_wish(self, ticket: Reward, ask: Ask) -> None:
        for _ in range(2):
            ask(ticket, token=token_in(ask(ticket)), quantity=1)

        assert Redemption.objects.count() == 2

    def test_another_buyers_token_takes_nothing(
        self, *, dayong: Member, ticket: Reward, ask: Ask, grid: Embed, visitor: Client, session: Session
    ) -> None:
        token = token_in(ask(ticket))

        page = visitor.post(
            f"/embed/{grid.public_key}/reward/{ticket.pk}/", {"token": token, "quantity": 1},
            headers=session(grid, "dayong_w"),
        ).content.decode()  # fmt: skip

        assert "made for another buyer" in page
        assert not Redemption.objects.exists()


class TestRefusals:
    def test_how_many_points_are_missing(self, ask: Ask) -> None:
        dear = RewardFactory(kind=RewardKind.TICKET, points=1250)

        page = ask(dear)

        assert "You need 250 more points for this reward." in page
        assert 'name="token"' not in page

    def test_a_limit_is_named_with_what_was_had(self, rich: Member, ask: Ask) -> None:
        once = RewardFactory(kind=RewardKind.TICKET, points=10, limit_ever=1)
        ask(once, token=token_in(ask(once)), quantity=1)

        page = ask(once)

        assert "One member may have only 1 piece, and you have had 1." in page

    def test_sold_out_in_between_is_said_and_costs_nothing(
        self, rich: Member, ticket: Reward, ask: Ask, at: datetime
    ) -> None:
        token = token_in(ask(ticket))
        Stock.objects.filter(reward=ticket).update(free=0)

        page = ask(ticket, token=token, quantity=1)

        assert page.count("This reward is sold out. Your points are untouched.") == 1
        assert loyalty.summary(rich.pk, at).balance == 1000

    def test_not_yet_says_when(self, ask: Ask, at: datetime) -> None:
        soon = RewardFactory(kind=RewardKind.TICKET, points=10, starts_at=at + timedelta(hours=1))

        assert "This reward can be redeemed from" in ask(soon)

    def test_a_tier_that_is_too_low_is_named(self, ask: Ask) -> None:
        TierFactory(rank=0, name="普通会员")
        vip = RewardFactory(kind=RewardKind.TICKET, points=10, min_tier=TierFactory(rank=1, name="VIP会员"))

        assert "This reward is for members from the tier VIP会员 up." in ask(vip)

    def test_a_price_that_changed_is_asked_for_again(self, ticket: Reward, ask: Ask) -> None:
        token = token_in(ask(ticket))
        Reward.objects.filter(pk=ticket.pk).update(points=350)

        page = ask(ticket, token=token, quantity=1)

        assert "The price has changed since you opened the page." in page
        assert "Redeem for 350 points" in page
        assert not Redemption.objects.exists()
        ask(ticket, token=token_in(page), quantity=1)
        assert Redemption.objects.get().points == 350

    def test_what_he_must_not_see_is_not_there(self, ask: Ask) -> None:
        hidden = RewardFactory(name="Secret", points=77, min_tier=TierFactory(rank=3), visibility=Visibility.HIDDEN)

        page = ask(hidden)

        assert "This reward is no longer offered." in page
        assert "Secret" not in page

    @pytest.mark.parametrize("fields", [{}, {"quantity": "x"}, {"quantity": "0"}, {"quantity": str(2**70)}])
    def test_a_garbled_form_takes_nothing(self, fields: dict[str, str], ticket: Reward, ask: Ask) -> None:
        ask(ticket, token=token_in(ask(ticket)), **fields)

        assert not Redemption.objects.exists()

    def test_a_flood_is_slowed_down(
        self, rich: Member, ticket: Reward, grid: Embed, visitor: Client, session: Session
    ) -> None:
        headers = session(grid)
        address = f"/embed/{grid.public_key}/reward/{ticket.pk}/"

        answers = [visitor.post(address, {"token": "x"}, headers=headers).status_code for _ in range(11)]

        assert answers == [200] * 10 + [429]

    def test_nobody_without_a_session(self, ticket: Reward, grid: Embed, visitor: Client) -> None:
        for rest in ("", "address/"):
            answer = visitor.post(f"/embed/{grid.public_key}/reward/{ticket.pk}/{rest}", TYPED)
            assert (answer.status_code, answer.json()) == (401, {"fault": "session_ended"})


class TestWhatIsShown:
    def test_the_grid_says_what_is_missing(
        self, rich: Member, cup: Reward, grid: Embed, visitor: Client, session: Session
    ) -> None:
        RewardFactory(points=1250)

        page = visitor.post(f"/embed/{grid.public_key}/content/", headers=session(grid)).content.decode()

        assert "250 more points needed" in page
        assert "5 left" in page

    def test_the_floating_panel_shows_a_few_that_he_can_take(
        self, *, rich: Member, cup: Reward, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
    ) -> None:
        RewardFactory(name="Kettle", points=1250)
        RewardFactory(name="Festival box", points=10, starts_at=at + timedelta(days=1))
        RewardFactory(name="Gone", points=10, stock=0)
        panel = make_embed("float")

        page = visitor.post(f"/embed/{panel.public_key}/content/", headers=session(panel)).content.decode()

        assert f'data-open="reward/{cup.pk}/"' in page
        assert cup.name in page
        assert not [name for name in ("Kettle", "Festival box", "Gone") if name in page]

    def test_the_badge_says_what_he_had(
        self, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session, ask: Ask
    ) -> None:
        cup = RewardFactory(kind=RewardKind.TICKET, points=10, limit_ever=1)
        ask(cup, token=token_in(ask(cup)), quantity=1)
        badge = make_embed("badge", reward=cup)

        page = visitor.post(f"/embed/{badge.public_key}/content/", headers=session(badge)).content.decode()

        assert "You had 1 of 1" in page

    @pytest.mark.parametrize(("stock", "told"), [(500, "had 0 of 3"), (20, "20 left · had 0 of 3")])
    def test_the_badge_leaves_room_for_the_limit_where_there_is_plenty(
        self, stock: int, told: str, *, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session
    ) -> None:
        badge = make_embed("badge", reward=RewardFactory(points=10, limit_ever=3, stock=stock))

        page = visitor.post(f"/embed/{badge.public_key}/content/", headers=session(badge)).content.decode()

        cost = re.search(r'<span class="cost">(.*?)</span>', page, re.DOTALL)
        assert cost is not None
        assert " ".join(cost[1].split()) == told

    def test_the_badge_says_what_is_missing(
        self, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session
    ) -> None:
        badge = make_embed("badge", reward=RewardFactory(points=1250))

        page = visitor.post(f"/embed/{badge.public_key}/content/", headers=session(badge)).content.decode()

        assert "250 more points needed" in page

    def test_a_question_asks_a_fixed_number_of_questions(
        self,
        *,
        rich: Member,
        cup: Reward,
        grid: Embed,
        visitor: Client,
        session: Session,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        AddressFactory(member=rich)
        headers = session(grid)

        with django_assert_num_queries(3):
            visitor.post(f"/embed/{grid.public_key}/reward/{cup.pk}/", headers=headers)


def test_a_token_of_yesterday_asks_again(ticket: Reward, ask: Ask, grid: Embed, at: datetime, visitor: Client) -> None:
    token = token_in(ask(ticket))

    with time_machine.travel(at + timedelta(days=1), tick=False):
        answer = visitor.post(f"/embed/{grid.public_key}/reward/{ticket.pk}/", {"token": token, "quantity": 1})

    assert answer.status_code == 401  # His session ended long before.
    assert not Redemption.objects.exists()
