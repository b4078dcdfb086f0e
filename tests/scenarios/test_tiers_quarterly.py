"""The preset ``quarterly`` over two years: 800 in a quarter make a VIP, 1500 an SVIP, and every month that finds a
member below the mark of his tier takes him one down."""

import pytest

from crm.models import Channel, Member
from tests.crm.tiers.seller import Seller, held, history

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(shop: Channel) -> Seller:
    seller = Seller(shop)
    seller.begin("quarterly", "2024-01-01")
    return seller


@pytest.fixture
def buyer(seller: Seller) -> Member:
    return seller.member("buyer")


@pytest.mark.parametrize(
    ("spent", "tier"),
    [
        ([("799.99", "2024-01-10")], "base"),
        ([("800", "2024-01-10")], "vip"),
        ([("500", "2024-01-10"), ("300", "2024-03-31")], "vip"),
        ([("500", "2024-02-10"), ("300", "2024-04-01")], "base"),
        ([("1499.99", "2024-01-10")], "vip"),
        ([("1500", "2024-01-10")], "svip"),
    ],
)
def test_what_is_spent_in_one_quarter_of_the_calendar_counts(
    seller: Seller, buyer: Member, spent: list[tuple[str, str]], tier: str
) -> None:
    for amount, day in spent:
        seller.buys(buyer, amount, day)

    assert held(buyer, spent[-1][1].replace("-10", "-11")) == tier


def test_a_month_below_the_mark_takes_one_tier_and_the_next_another(seller: Seller, buyer: Member) -> None:
    """1500 in January count for the months until March; in April nothing is left of them."""
    seller.buys(buyer, 1500, "2024-01-20")
    for night in ("2024-02-01", "2024-03-01", "2024-04-01"):
        seller.night(night)
    assert held(buyer, "2024-04-01") == "svip"

    seller.night("2024-05-01")
    seller.night("2024-06-01")
    seller.night("2024-07-01")

    assert history(buyer) == [
        ("2024-01-20", "up", "svip"), ("2024-05-01", "down", "vip"), ("2024-06-01", "down", "base"),
    ]  # fmt: skip


def test_between_the_first_days_of_months_nobody_falls(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 800, "2024-01-20")
    seller.night("2024-04-01")
    seller.night("2024-04-30")

    assert held(buyer, "2024-04-30") == "vip"


def test_the_mark_of_his_tier_keeps_it(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 800, "2024-01-20")
    seller.buys(buyer, 800, "2024-04-20")
    for night in ("2024-05-01", "2024-06-01", "2024-07-01"):
        seller.night(night)
    assert held(buyer, "2024-07-01") == "vip"

    seller.night("2024-08-01")

    assert held(buyer, "2024-08-01") == "base"


def test_whoever_fell_rises_again_in_the_quarter_in_which_he_spends_enough(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 1500, "2024-01-20")
    seller.night("2024-06-01")
    assert held(buyer, "2024-06-01") == "base"

    seller.buys(buyer, 1500, "2025-11-11")

    assert held(buyer, "2025-11-12") == "svip"


def test_nights_that_were_left_out_are_made_up_for_each_as_of_its_day(seller: Seller, buyer: Member) -> None:
    seller.buys(buyer, 1500, "2024-01-20")
    seller.night("2025-06-10")

    assert history(buyer) == [
        ("2024-01-20", "up", "svip"), ("2024-05-01", "down", "vip"), ("2024-06-01", "down", "base"),
    ]  # fmt: skip
    assert held(buyer, "2025-06-10") == "base"


def test_two_years_of_one_buyer(seller: Seller, buyer: Member) -> None:
    """The first of each month in 2024 and 2025, and what he spends in between; keeping looks at three months back."""
    spent = {
        "2024-01-20": 800, "2024-08-15": 1500, "2024-11-11": 900, "2025-03-03": 1600, "2025-05-20": 1500,
    }  # fmt: skip
    firsts = [f"{year}-{month:02}-01" for year in (2024, 2025) for month in range(1, 13)]
    for day in sorted([*firsts[1:], *spent, "2025-12-31"]):
        if day in spent:
            seller.buys(buyer, spent[day], day)
        else:
            seller.night(day)

    assert history(buyer) == [
        ("2024-01-20", "up", "vip"),
        ("2024-05-01", "down", "base"),  # Nothing from February to April.
        ("2024-08-15", "up", "svip"),
        ("2024-12-01", "down", "vip"),  # 900 from September to November: enough for VIP, also in January.
        ("2025-03-01", "down", "base"),  # Nothing from December to February.
        ("2025-03-03", "up", "svip"),  # Kept by May, when 1500 more come in.
        ("2025-09-01", "down", "vip"),  # Nothing from June to August.
        ("2025-10-01", "down", "base"),
    ]


def test_a_refund_counts_on_the_first_of_the_month(seller: Seller, buyer: Member) -> None:
    """The policy of the preset: the tier stays until it is looked at the next time."""
    number = seller.buys(buyer, 800, "2024-01-20")
    seller.gives_back(buyer, number, "0.01", "2024-01-25")
    seller.night("2024-01-26")
    assert held(buyer, "2024-01-31") == "vip"

    seller.night("2024-02-01")

    assert history(buyer) == [("2024-01-20", "up", "vip"), ("2024-02-01", "down", "base")]
