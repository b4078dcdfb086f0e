"""What a member took, as his pages show it, and what he may still do about it."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from redemption.models import Redemption, Reward, RewardCode
from redemption.rewards.choices import PaidBy, RewardKind
from redemption.rewards.giving_back import cancel_own
from redemption.rewards.handling import confirm, ship
from redemption.rewards.payment import report_payment
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.conftest import SignIn
from tests.redemption.rewards.conftest import Take, redemption_of, spendable

PAGE = 20


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 9000)
    return xiaolu


@pytest.fixture
def buyer(rich: Member, sign_in: SignIn) -> Client:
    return sign_in(rich)


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory(name="Tea cup", points=100, stock=100)


@pytest.fixture
def three(rich: Member, cup: Reward, take: Take) -> Redemption:
    """小鹿 took three cups for 300 points."""
    return redemption_of(take(rich, cup, 3))


@pytest.fixture
def sent(three: Redemption, keeper: int, at: datetime) -> Redemption:
    return ship(three.pk, carrier="SF Express", tracking_number="SF123456", actor_id=keeper, at=at)


def place(redemption: Redemption, act: str = "") -> str:
    return f"/rewards/mine/{redemption.pk}/{act}"


def test_what_came_back_is_told(buyer: Client, three: Redemption) -> None:
    page = buyer.get(place(three)).content.decode()
    assert "Came back" not in page

    cancel_own(three.pk, 2, seen=0, member_id=three.member_id, actor_id=None, at=three.placed_at)

    page = buyer.get(place(three)).content.decode()
    assert "Came back" in page
    assert "200 points" in page


class TestTheList:
    def test_shows_what_became_of_each(self, buyer: Client, sent: Redemption) -> None:
        page = buyer.get("/rewards/mine/").content.decode()

        assert "Tea cup × 3" in page
        assert "Shipped" in page
        assert "SF123456" in page

    def test_who_took_nothing_is_shown_the_rewards(self, buyer: Client) -> None:
        assert "You have not redeemed anything yet." in buyer.get("/rewards/mine/").content.decode()

    def test_older_ones_come_a_page_at_a_time(self, rich: Member, buyer: Client, cup: Reward, take: Take) -> None:
        for _number in range(PAGE + 3):
            take(rich, cup)

        first = buyer.get("/rewards/mine/")
        second = buyer.get(f"/rewards/mine/?before={first.context['older']}")

        shown = [redemption.pk for page in (first, second) for redemption, _picture in page.context["redemptions"]]
        assert shown == list(Redemption.objects.order_by("-pk").values_list("pk", flat=True))
        assert second.context["older"] is None


class TestOne:
    def test_is_nobody_else_s(self, three: Redemption, dayong: Member, sign_in: SignIn) -> None:
        stranger = sign_in(dayong)

        for act in ("", "cancel/", "received/"):
            assert stranger.get(place(three, act)).status_code == 404
        assert stranger.post(place(three, "cancel/"), {"pieces": "1", "seen": "0"}).status_code == 404
        assert stranger.post(place(three, "received/")).status_code == 404

    def test_shows_carrier_and_parcel_number(self, buyer: Client, sent: Redemption) -> None:
        page = buyer.get(place(sent)).content.decode()

        assert "SF Express" in page
        assert "SF123456" in page

    def test_waits_for_its_cash_and_hides_its_code(self, rich: Member, buyer: Client, take: Take, at: datetime) -> None:
        card = RewardFactory(points=10, cash="5", kind=RewardKind.DIGITAL, counted=False, pay_hours=24)
        RewardCode.objects.create(reward=card, code="TEA-8888", added_at=at)
        waiting = redemption_of(take(rich, card))

        page = buyer.get(place(waiting)).content.decode()

        assert "Pay ¥5 by March 11, 12:00" in page
        assert waiting.number in page
        assert "TEA-8888" not in page
        report_payment(waiting.pk, waiting.cash, how=PaidBy.CALL, reference="till:1", at=at)
        assert "A payment has been reported" in buyer.get(place(waiting)).content.decode()

    def test_is_done_where_no_parcel_comes(self, rich: Member, buyer: Client, take: Take) -> None:
        tree = redemption_of(take(rich, RewardFactory(points=10, kind=RewardKind.DONATION, counted=False)))

        page = buyer.get(place(tree)).content.decode()

        assert ">Done</span>" in page
        assert "Received" not in page


class TestCancelling:
    def test_is_asked_first(self, buyer: Client, three: Redemption) -> None:
        page = buyer.get(place(three, "cancel/")).content.decode()

        assert "For each piece 100 points come back." in page
        assert "<option>3</option>" in page

    def test_a_part_gives_its_points_back(self, rich: Member, buyer: Client, three: Redemption, at: datetime) -> None:
        for _press in range(2):
            response = buyer.post(place(three, "cancel/"), {"pieces": "1", "seen": "0"}, follow=True)

        page = response.content.decode()
        assert "Cancelled: the points are back." in page
        assert "1 of 3" in page
        assert spendable(rich, at) == 8800

    @pytest.mark.parametrize("form", [{}, {"pieces": "4", "seen": "0"}, {"pieces": "1", "seen": "x"}])
    def test_what_makes_no_sense_changes_nothing(
        self, form: dict[str, str], rich: Member, buyer: Client, three: Redemption, at: datetime
    ) -> None:
        response = buyer.post(place(three, "cancel/"), form, follow=True)

        assert response.status_code == 200
        assert spendable(rich, at) == 8700

    def test_is_too_late_once_the_shop_has_begun(
        self, buyer: Client, three: Redemption, keeper: int, at: datetime
    ) -> None:
        confirm([three.pk], actor_id=keeper, at=at)

        assert buyer.get(place(three, "cancel/"))["Location"] == place(three)
        response = buyer.post(place(three, "cancel/"), {"pieces": "3", "seen": "0"}, follow=True)

        assert "The shop is preparing this redemption already." in response.content.decode()


class TestReceiving:
    def test_is_asked_first_and_told_once(self, buyer: Client, sent: Redemption) -> None:
        assert "Has the parcel arrived?" in buyer.get(place(sent, "received/")).content.decode()

        for _press in range(2):
            response = buyer.post(place(sent, "received/"), follow=True)

        assert "Thank you for telling us." in response.content.decode()
        assert list(sent.moves.values_list("state_after", "reason")) == [("shipped", ""), ("received", "@buyer")]

    def test_not_before_it_was_sent(self, buyer: Client, three: Redemption) -> None:
        assert buyer.get(place(three, "received/"))["Location"] == place(three)
        response = buyer.post(place(three, "received/"), follow=True)

        assert "This is not possible in the state" in response.content.decode()


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        (lambda redemption: "/rewards/mine/", 4),
        (place, 3),
        (lambda redemption: place(redemption, "cancel/"), 3),
    ],
    ids=["list", "one", "cancel"],
)
def test_the_pages_cost_a_fixed_number_of_queries(
    *,
    path: Callable[[Redemption], str],
    queries: int,
    rich: Member,
    buyer: Client,
    cup: Reward,
    three: Redemption,
    take: Take,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _number in range(7):
        take(rich, cup)

    with django_assert_num_queries(queries):
        buyer.get(path(three))
