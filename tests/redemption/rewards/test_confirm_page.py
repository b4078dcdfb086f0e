"""The agreement to a reward: what it costs, where it goes, and what becomes of a press."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from redemption.models import Address, Redemption, Reward, RewardCode, RewardTag
from redemption.rewards.choices import RewardKind
from redemption.rewards.opening import open_wish
from redemption.rewards.wishes import read_wish
from tests.cast import GivePoints
from tests.factories import AddressFactory, RewardFactory, TagFactory, TierFactory
from tests.redemption.conftest import SignIn
from tests.redemption.rewards.conftest import Take, free, spendable


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def home(rich: Member) -> Address:
    return AddressFactory(member=rich, preferred=True)


@pytest.fixture
def buyer(rich: Member, sign_in: SignIn) -> Client:
    """小鹿 with 1,000 points."""
    return sign_in(rich)


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory(name="Tea cup", points=100, stock=10)


def form_on(buyer: Client, reward: Reward, quantity: int = 1) -> dict[str, str]:
    """What the form of the page sends."""
    page = buyer.get(f"/rewards/{reward.pk}/take/?quantity={quantity}").content.decode()
    form = page[page.index('<form method="post" class="stack"') :]
    fields = dict(re.findall(r'<input type="hidden" name="(token|quantity)" value="([^"]+)"', form))
    chosen = re.search(r'name="address" value="(\d+)" checked', form)
    return fields | ({"address": chosen[1]} if chosen else {})


class TestBeforeThePress:
    def test_the_page_says_what_is_paid_what_stays_and_where_it_goes(
        self, buyer: Client, cup: Reward, home: Address
    ) -> None:
        response = buyer.get(f"/rewards/{cup.pk}/take/?quantity=3")

        page = response.content.decode()
        assert (response.context["agreed"].price, response.context["agreed"].left) == (300, 700)
        assert "Redeem for 300 points" in page
        assert home.street in page

    def test_more_than_one_may_have_is_cut_to_the_most(self, buyer: Client, cup: Reward, home: Address) -> None:
        assert buyer.get(f"/rewards/{cup.pk}/take/?quantity=99").context["agreed"].quantity == 10
        assert buyer.get(f"/rewards/{cup.pk}/take/?quantity=0").context["agreed"].quantity == 1

    def test_with_cash_the_deadline_is_named(self, buyer: Client, home: Address) -> None:
        pot = RewardFactory(points=100, cash="9.90", pay_hours=24)

        response = buyer.get(f"/rewards/{pot.pk}/take/?quantity=2")

        assert response.context["agreed"].cash == Decimal("19.80")
        assert "Pay ¥19.80 within 24 hours" in response.content.decode()

    def test_who_has_no_address_is_asked_for_one_and_comes_back(self, buyer: Client, cup: Reward) -> None:
        response = buyer.get(f"/rewards/{cup.pk}/take/?quantity=2")
        assert response["Location"] == f"/addresses/add/?reward={cup.pk}&quantity=2"

        response = buyer.post(
            response["Location"],
            {
                "recipient": "林小鹿", "phone": "13800000001", "province": "浙江省", "city": "杭州市",
                "district": "西湖区", "street": "龙井路 1 号",
            },
        )  # fmt: skip

        kept = Address.objects.get()
        assert kept.region == "浙江省 杭州市 西湖区"
        assert response["Location"] == f"/rewards/{cup.pk}/take/?quantity=2&address={kept.pk}"
        assert buyer.get(response["Location"]).context["agreed"].chosen == kept.pk

    def test_another_number_of_pieces_keeps_the_address_that_was_ticked_meanwhile(
        self, rich: Member, buyer: Client, cup: Reward, home: Address
    ) -> None:
        office = AddressFactory(member=rich)
        form = form_on(buyer, cup) | {"address": str(office.pk), "pieces": "3", "recalculate": ""}

        response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        agreed = response.context["agreed"]
        assert (agreed.quantity, agreed.chosen) == (3, office.pk)
        assert not Redemption.objects.exists()

    def test_pieces_whose_price_was_not_shown_are_not_taken_but_shown(
        self, buyer: Client, cup: Reward, home: Address
    ) -> None:
        response = buyer.post(f"/rewards/{cup.pk}/take/", form_on(buyer, cup) | {"pieces": "3"}, follow=True)

        assert "Redeem for 300 points" in response.content.decode()
        assert not Redemption.objects.exists()

    def test_pieces_whose_price_was_shown_are_taken(self, buyer: Client, cup: Reward, home: Address) -> None:
        buyer.post(f"/rewards/{cup.pk}/take/", form_on(buyer, cup, 3) | {"pieces": "3"})

        assert Redemption.objects.get().quantity == 3

    def test_what_cannot_be_had_leads_to_the_page_that_says_why(self, buyer: Client) -> None:
        dear = RewardFactory(points=1001)

        assert buyer.get(f"/rewards/{dear.pk}/take/")["Location"] == f"/rewards/{dear.pk}/"


class TestAPress:
    def test_brings_a_redemption_and_its_page(
        self, rich: Member, buyer: Client, cup: Reward, home: Address, at: datetime
    ) -> None:
        response = buyer.post(f"/rewards/{cup.pk}/take/", form_on(buyer, cup, 2), follow=True)

        taken = Redemption.objects.get()
        assert response.redirect_chain == [(f"/rewards/mine/{taken.pk}/", 302)]
        page = response.content.decode()
        assert "Redeemed. This page keeps track of it." in page
        assert taken.number in page
        assert (taken.quantity, taken.address_id, spendable(rich, at), free(cup)) == (2, home.pk, 800, 8)

    def test_three_times_is_once_and_says_so(
        self, rich: Member, buyer: Client, cup: Reward, home: Address, at: datetime
    ) -> None:
        form = form_on(buyer, cup)
        buyer.post(f"/rewards/{cup.pk}/take/", form)
        buyer.post(f"/rewards/{cup.pk}/take/", form)

        response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        assert "You had redeemed this already; it counted once." in response.content.decode()
        assert Redemption.objects.count() == 1
        assert spendable(rich, at) == 900

    def test_shows_a_code_at_once(self, buyer: Client, at: datetime) -> None:
        card = RewardFactory(points=10, kind=RewardKind.DIGITAL, counted=False)
        RewardCode.objects.create(reward=card, code="TEA-8888", added_at=at)

        response = buyer.post(f"/rewards/{card.pk}/take/", form_on(buyer, card), follow=True)

        assert "TEA-8888" in response.content.decode()

    def test_after_the_price_has_changed_asks_again_at_the_new_price(
        self, buyer: Client, cup: Reward, home: Address
    ) -> None:
        form = form_on(buyer, cup, 2)
        Reward.objects.update(points=150)

        response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        page = response.content.decode()
        assert "The price has changed since you opened the page." in page
        assert "Redeem for 300 points" in page
        assert not Redemption.objects.exists()
        buyer.post(f"/rewards/{cup.pk}/take/", form_on(buyer, cup, 2))
        assert Redemption.objects.get().points == 300

    def test_on_a_page_of_yesterday_shows_a_fresh_one(
        self, buyer: Client, cup: Reward, home: Address, at: datetime
    ) -> None:
        form = form_on(buyer, cup)

        with time_machine.travel(at + timedelta(days=1), tick=False):
            response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        assert "This page was open for more than a day." in response.content.decode()
        assert not Redemption.objects.exists()

    def test_too_late_leads_to_the_page_that_says_sold_out(self, buyer: Client, cup: Reward, home: Address) -> None:
        form = form_on(buyer, cup)
        cup.stock.free = 0
        cup.stock.save()

        response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        assert response.redirect_chain[-1] == (f"/rewards/{cup.pk}/", 302)
        assert response.content.decode().count("This reward is sold out. Your points are untouched.") == 2

    def test_for_what_was_taken_off_meanwhile_leads_to_the_shelf(
        self, buyer: Client, cup: Reward, home: Address
    ) -> None:
        form = form_on(buyer, cup)
        Reward.objects.update(active=False)

        response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        assert response.redirect_chain == [("/rewards/", 302)]
        assert "This reward is no longer offered." in response.content.decode()

    @pytest.mark.parametrize(
        "change", [{"token": ""}, {"token": "forged"}, {"quantity": "x"}, {"quantity": "0"}, {"quantity": "9" * 30}]
    )
    def test_with_a_form_that_is_none_of_ours_buys_nothing(
        self, change: dict[str, str], buyer: Client, cup: Reward, home: Address
    ) -> None:
        response = buyer.post(f"/rewards/{cup.pk}/take/", form_on(buyer, cup) | change, follow=True)

        assert response.status_code == 200
        assert not Redemption.objects.exists()

    def test_with_an_address_of_somebody_else_asks_for_one(
        self, buyer: Client, cup: Reward, home: Address, dayong: Member
    ) -> None:
        form = form_on(buyer, cup) | {"address": str(AddressFactory(member=dayong).pk)}

        response = buyer.post(f"/rewards/{cup.pk}/take/", form, follow=True)

        assert "Please choose where the parcel shall go." in response.content.decode()
        assert not Redemption.objects.exists()

    def test_too_many_in_a_minute_are_slowed_down(self, buyer: Client, cup: Reward, home: Address) -> None:
        answers = [buyer.post(f"/rewards/{cup.pk}/take/", {"token": ""}).status_code for _press in range(11)]

        assert answers == [302] * 10 + [429]


def test_the_page_costs_a_fixed_number_of_queries(
    *, buyer: Client, cup: Reward, home: Address, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Reward.objects.update(limit_ever=50)

    # Session with its login, whose it is, and all that the page shows.
    with django_assert_num_queries(3):
        buyer.get(f"/rewards/{cup.pk}/take/")


def test_a_press_and_the_page_that_follows_cost_a_fixed_number_of_queries(
    *, buyer: Client, cup: Reward, home: Address, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    form = form_on(buyer, cup)

    # The last one is the whole checkout; within the transaction of a story it needs a savepoint, and its release.
    with django_assert_num_queries(5):
        answer = buyer.post(f"/rewards/{cup.pk}/take/", form)
    with django_assert_num_queries(3):
        buyer.get(answer["Location"])


class TestTheTokenOfThePage:
    def test_says_what_was_shown(
        self, *, rich: Member, buyer: Client, cup: Reward, home: Address, take: Take, at: datetime
    ) -> None:
        taken = take(rich, cup)
        Reward.objects.filter(pk=cup.pk).update(points=150, cash="9.90")

        page = buyer.get(f"/rewards/{cup.pk}/take/").context

        wish = read_wish(page["token"])
        assert wish is not None
        assert (wish.points, wish.cash) == (page["seen"].terms.points, page["seen"].terms.cash)
        assert wish == open_wish(rich.pk, Reward.objects.get(pk=cup.pk), at)
        assert wish.after == taken.redemption_id

    @pytest.mark.parametrize("asks", ["tier", "tag", "nothing"])
    def test_says_whether_something_was_asked_for(
        self, asks: str, rich: Member, buyer: Client, cup: Reward, home: Address
    ) -> None:
        if asks == "tier":
            Reward.objects.filter(pk=cup.pk).update(min_tier=TierFactory(rank=0))
        if asks == "tag":
            RewardTag.objects.create(reward=cup, tag=TagFactory(), barred=True)

        wish = read_wish(buyer.get(f"/rewards/{cup.pk}/take/").context["token"])

        assert wish is not None
        assert wish.conditional is (asks != "nothing")
