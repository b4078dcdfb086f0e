"""The shelf of the store and the page of one reward: who sees what, chosen, sorted and page by page."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from redemption.models import Reward, RewardCategory, RewardCode, RewardPicture, RewardTag, Stock
from redemption.rewards.choices import RewardKind, Visibility
from redemption.rewards.shelf import PAGE, Sort, categories
from tests.cast import GivePoints
from tests.factories import MemberTagFactory, RewardFactory, TagFactory, TierFactory
from tests.redemption.conftest import SignIn
from tests.redemption.rewards.conftest import Take


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def buyer(rich: Member, sign_in: SignIn) -> Client:
    """小鹿 with 1,000 points."""
    return sign_in(rich)


def names(response: Any) -> list[str]:
    return [seen.name for seen, _missing in response.context["rewards"]]


class TestTheShelf:
    def test_shows_price_cash_and_what_it_costs_in_the_shop(self, buyer: Client) -> None:
        RewardFactory(name="Tea pot", points=1200, cash="9.90", list_price="68.00", stock=3)

        page = re.sub(r"\s+", " ", buyer.get("/rewards/").content.decode())

        assert "<b>1,200</b> points <span>+ ¥9.90</span>" in page
        assert "¥68</s>" in page
        assert "200 more points needed" in page
        assert "For points" in page

    def test_an_empty_one_says_so(self, buyer: Client) -> None:
        assert "No rewards are offered right now." in buyer.get("/rewards/").content.decode()

    def test_what_matches_nothing_leads_back_to_everything(self, buyer: Client) -> None:
        RewardFactory()

        page = buyer.get("/rewards/?kind=ticket").content.decode()

        assert "Nothing here matches what you chose." in page

    def test_can_be_narrowed_to_a_category_a_kind_and_what_one_can_afford(self, buyer: Client) -> None:
        tea = RewardCategory.objects.create(name="Tea")
        RewardFactory(name="Cup", points=100)
        RewardFactory(name="Leaves", points=900, category=tea)
        RewardFactory(name="Show", points=2000, kind=RewardKind.TICKET, counted=False, category=tea)

        assert names(buyer.get(f"/rewards/?category={tea.pk}")) == ["Leaves", "Show"]
        assert names(buyer.get("/rewards/?kind=ticket")) == ["Show"]
        assert names(buyer.get("/rewards/?afford=1")) == ["Cup", "Leaves"]
        assert names(buyer.get(f"/rewards/?afford=1&category={tea.pk}")) == ["Leaves"]

    def test_is_without_what_is_over_or_taken_off_and_with_what_is_still_to_come(
        self, buyer: Client, at: datetime
    ) -> None:
        RewardFactory(name="Over", ends_at=at)
        RewardFactory(name="Off", active=False)
        RewardFactory(name="Soon", starts_at=at + timedelta(hours=2))

        response = buyer.get("/rewards/")

        assert names(response) == ["Soon"]
        assert "From March 10, 14:00" in response.content.decode()

    @pytest.mark.parametrize("asked", ["category=x", "kind=boat", "sort=price", "after=1", "after=1.2.3", "afford=yes"])
    def test_what_is_no_choice_counts_as_not_asked(self, asked: str, buyer: Client) -> None:
        RewardFactory(name="Cup")

        assert names(buyer.get(f"/rewards/?{asked}")) == ["Cup"]

    @pytest.mark.parametrize("sort", Sort)
    def test_every_order_leads_through_all_pages_once(self, sort: Sort, buyer: Client) -> None:
        for number in range(2 * PAGE + 5):
            RewardFactory(points=1 + number % 7, position=number % 3 - 1)
        found: list[Reward] = []
        path = f"?sort={sort}"
        while path:
            response = buyer.get(f"/rewards/{path}")
            found += [Reward.objects.get(pk=seen.reward_id) for seen, _missing in response.context["rewards"]]
            path = response.context["more"]

        key = {
            Sort.PLACE: lambda reward: (reward.position, reward.pk),
            Sort.CHEAPEST: lambda reward: (reward.points, reward.pk),
            Sort.DEAREST: lambda reward: (-reward.points, -reward.pk),
            Sort.NEWEST: lambda reward: -reward.pk,
        }[sort]
        assert found == sorted(Reward.objects.all(), key=key)


class TestWhoSeesWhat:
    @pytest.fixture
    def secret(self, db: None) -> Reward:
        """For VIPs only, with a price of 777 points and 12.34 yuan that nobody else shall see."""
        TierFactory(rank=0, name="Everybody")
        vip = TierFactory(rank=2, name="VIP")
        return RewardFactory(
            name="Silver pot", description="Hand made", points=777, cash="12.34", stock=9, min_tier=vip,
            visibility=Visibility.TEASER,
        )  # fmt: skip

    def test_a_teaser_is_a_name_without_a_price(self, secret: Reward, buyer: Client) -> None:
        for path in ("/rewards/", f"/rewards/{secret.pk}/"):
            page = buyer.get(path).content.decode()
            assert "Silver pot" in page
            assert "VIP and above" in page
            assert "777" not in page
            assert "12.34" not in page
            assert "Hand made" not in page

    def test_no_order_and_no_choice_tells_the_price_of_a_teaser(self, secret: Reward, buyer: Client) -> None:
        for asked in ("sort=cheapest", "sort=dearest", "afford=1"):
            assert names(buyer.get(f"/rewards/?{asked}")) == []

    def test_what_is_hidden_is_not_there(self, secret: Reward, buyer: Client) -> None:
        Reward.objects.update(visibility=Visibility.HIDDEN)

        assert names(buyer.get("/rewards/")) == []
        assert buyer.get(f"/rewards/{secret.pk}/").status_code == 404
        assert buyer.get(f"/rewards/{secret.pk}/take/").status_code == 404

    def test_what_is_visible_says_whom_it_is_for(self, secret: Reward, buyer: Client) -> None:
        Reward.objects.update(visibility=Visibility.VISIBLE)

        page = buyer.get(f"/rewards/{secret.pk}/").content.decode()

        assert "777" in page
        assert "This reward is for members from the tier VIP up." in page
        assert "/take/" not in page

    def test_tags_let_in_and_shut_out(self, rich: Member, buyer: Client) -> None:
        fan, rude = TagFactory(), TagFactory()
        gift = RewardFactory(name="Gift", visibility=Visibility.HIDDEN)
        RewardTag.objects.create(reward=gift, tag=fan)
        RewardTag.objects.create(reward=gift, tag=rude, barred=True)

        assert names(buyer.get("/rewards/")) == []
        MemberTagFactory(member=rich, tag=fan)
        assert names(buyer.get("/rewards/")) == ["Gift"]
        MemberTagFactory(member=rich, tag=rude)
        assert names(buyer.get("/rewards/")) == []


class TestOneReward:
    def test_says_how_much_of_the_limits_is_used_and_when_it_begins_anew(
        self, rich: Member, buyer: Client, take: Take
    ) -> None:
        cup = RewardFactory(limit_day=2, limit_ever=9)
        take(rich, cup, 2)

        page = re.sub(r"\s+", " ", buyer.get(f"/rewards/{cup.pk}/").content.decode())

        assert '<dd> 2 of 2 <br><small class="muted">again from March 11, 2026, 00:00</small>' in page
        assert "2 of 9" in page
        assert "Come back tomorrow." in page
        assert "/take/" not in page

    @pytest.mark.parametrize(
        ("changes", "stock", "said"),
        [
            ({"points": 1001}, 5, "You need 1 more point for this reward."),
            ({}, 0, "This reward is sold out."),
            ({"starts_at": datetime.fromisoformat("2026-03-11T00:00+08:00")}, 5, "can be redeemed from March 11, 2026"),
            ({"ends_at": datetime.fromisoformat("2026-03-09T00:00+08:00")}, 5, "This offer ended on March 9, 2026"),
        ],
    )
    def test_says_why_it_cannot_be_had(self, changes: dict[str, object], stock: int, said: str, buyer: Client) -> None:
        reward = RewardFactory(stock=stock, **changes)

        page = buyer.get(f"/rewards/{reward.pk}/").content.decode()

        assert said in page
        assert "/take/" not in page

    def test_offers_as_many_as_stock_points_and_limits_allow(self, buyer: Client) -> None:
        def most(**changes: object) -> int:
            reward = RewardFactory(**changes)
            return int(buyer.get(f"/rewards/{reward.pk}/").context["considered"].most)

        assert most(points=10) == 10
        assert most(points=300) == 3
        assert most(points=10, stock=4) == 4
        assert most(points=10, limit_ever=2) == 2

    def test_of_digital_goods_the_pool_is_the_stock(self, buyer: Client, at: datetime) -> None:
        card = RewardFactory(kind=RewardKind.DIGITAL, counted=False)
        assert "This reward is sold out." in buyer.get(f"/rewards/{card.pk}/").content.decode()

        RewardCode.objects.create(reward=card, code="SECRET-1", added_at=at)

        page = buyer.get(f"/rewards/{card.pk}/").content.decode()
        assert "/take/" in page
        assert "SECRET-1" not in page

    def test_its_pictures_come_in_three_sizes_and_those_below_wait(self, buyer: Client) -> None:
        cup = RewardFactory(name="Cup")
        for place in range(2):
            RewardPicture.objects.create(reward=cup, name=f"{place}" * 64, width=640, height=640, position=place)

        page = buyer.get(f"/rewards/{cup.pk}/").content.decode()

        assert page.count("1280w") == 2
        assert page.count('loading="lazy"') == 1
        assert 'alt="Cup"' in page

    def test_what_is_taken_off_or_never_was_is_not_found(self, buyer: Client) -> None:
        assert buyer.get("/rewards/999/").status_code == 404
        assert buyer.get(f"/rewards/{RewardFactory(active=False).pk}/").status_code == 404


def test_a_stranger_signs_in_first(client: Client, db: None) -> None:
    assert client.get("/rewards/")["Location"].startswith("/account/login/code/")


@pytest.mark.parametrize(
    ("path", "queries"), [("/rewards/", 4), ("/rewards/?afford=1&sort=cheapest", 4), ("/rewards/{reward}/", 3)]
)
def test_the_pages_cost_a_fixed_number_of_queries(
    *,
    path: str,
    queries: int,
    buyer: Client,
    at: datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tea = RewardCategory.objects.create(name="Tea")
    for number in range(30):
        card = RewardFactory(kind=RewardKind.DIGITAL, counted=False, points=10, limit_ever=5, category=tea)
        RewardCode.objects.create(reward=card, code=f"{number}", added_at=at)
        RewardPicture.objects.create(reward=card, name=f"{number:064}", width=640, height=640)
    categories()  # Which all buyers share; read every ten seconds.

    with django_assert_num_queries(queries):
        buyer.get(path.format(reward=card.pk))


def test_a_new_category_is_on_the_shelf_within_ten_seconds(buyer: Client) -> None:
    RewardFactory(category=RewardCategory.objects.create(name="Tea"))
    assert "Tea" in buyer.get("/rewards/").content.decode()
    RewardFactory(category=RewardCategory.objects.create(name="Books"))

    caches["near"].clear()  # As time does.

    assert "Books" in buyer.get("/rewards/").content.decode()


def test_stock_is_asked_for_with_the_rewards(buyer: Client) -> None:
    RewardFactory(name="Cup", stock=3)

    assert "3 left" in buyer.get("/rewards/").content.decode()
    Stock.objects.update(free=300)
    assert "left" not in re.sub(r"<[^>]+>", "", buyer.get("/rewards/").content.decode())
