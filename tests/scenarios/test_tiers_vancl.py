"""The preset ``vancl`` over two years: 2000 in all make a VIP; his year decides what he is in the next, and counters
begin anew with every change and every year."""

import pytest

from crm.models import Channel, Member
from tests.crm.tiers.seller import Seller, held, history

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(shop: Channel) -> Seller:
    seller = Seller(shop)
    seller.begin("vancl", "2024-01-01")
    return seller


@pytest.fixture
def svip(seller: Seller) -> Member:
    """A VIP since 10 February 2024, an SVIP since 20 May: his year as such ends with 20 May 2025."""
    buyer = seller.member("buyer")
    seller.buys(buyer, 2000, "2024-02-10")
    seller.buys(buyer, "2500.01", "2024-05-20")
    return buyer


def test_two_thousand_in_all_make_a_vip(seller: Seller) -> None:
    buyer = seller.member("buyer")

    seller.buys(buyer, "1999.99", "2024-01-10")
    assert held(buyer, "2024-01-11") == "base"
    seller.buys(buyer, "0.01", "2024-02-10")

    assert held(buyer, "2024-02-11") == "vip"
    assert history(buyer) == [("2024-02-10", "up", "vip")]


@pytest.mark.parametrize(
    ("spent", "then"),
    [
        ([], "base"),
        (["999.99"], "base"),
        (["1000"], "vip"),
        (["1000", "1500"], "vip"),
        (["2500"], "vip"),
        (["2500.01"], "svip"),
        (["1500", "1500"], "svip"),
    ],
)
def test_what_a_vip_spends_within_his_year_decides(seller: Seller, spent: list[str], then: str) -> None:
    buyer = seller.member("buyer")
    seller.buys(buyer, 2000, "2024-02-10")
    for month, amount in enumerate(spent, start=5):
        seller.buys(buyer, amount, f"2024-{month:02}-20")

    assert held(buyer, "2025-02-10") == ("svip" if then == "svip" else "vip")
    seller.night("2025-02-11")

    assert held(buyer, "2025-02-11") == then


@pytest.mark.parametrize(
    ("spent", "then"),
    [
        ([], "base"),
        (["999.99"], "base"),
        (["1000"], "vip"),
        (["2499.99"], "vip"),
        (["2500"], "svip"),
        (["1200", "1300"], "svip"),
        (["9000"], "svip"),
    ],
)
def test_what_an_svip_spends_within_his_year_decides(seller: Seller, svip: Member, spent: list[str], then: str) -> None:
    for month, amount in enumerate(spent, start=7):
        seller.buys(svip, amount, f"2024-{month:02}-20")

    assert held(svip, "2025-05-20") == "svip"
    seller.night("2025-05-21")

    assert held(svip, "2025-05-21") == then


def test_nobody_passes_over_vip_however_much_he_spends(seller: Seller) -> None:
    buyer = seller.member("buyer")

    seller.buys(buyer, 9000, "2024-02-10")

    assert held(buyer, "2024-02-11") == "vip"


def test_the_counters_begin_anew_with_a_change(seller: Seller) -> None:
    """2000 made him a VIP and count no more: 2500 of his own as a VIP do not make more than 2500."""
    buyer = seller.member("buyer")
    seller.buys(buyer, 3000, "2024-02-10")
    seller.buys(buyer, 2500, "2024-05-20")

    assert held(buyer, "2024-05-21") == "vip"

    seller.buys(buyer, "0.01", "2024-06-20")
    assert held(buyer, "2024-06-21") == "svip"


def test_the_counters_begin_anew_with_a_year_that_was_kept(seller: Seller) -> None:
    """1500 in the first year keep it; 1500 in the second do not add up to an SVIP with them."""
    buyer = seller.member("buyer")
    seller.buys(buyer, 2000, "2024-02-10")
    seller.buys(buyer, 1500, "2024-08-10")
    seller.night("2025-02-11")
    seller.buys(buyer, 1500, "2025-08-10")
    seller.night("2026-02-11")

    assert history(buyer) == [
        ("2024-02-10", "up", "vip"), ("2025-02-11", "renewed", "vip"), ("2026-02-11", "renewed", "vip"),
    ]  # fmt: skip


def test_whoever_fell_begins_from_nothing(seller: Seller) -> None:
    buyer = seller.member("buyer")
    seller.buys(buyer, 2000, "2024-02-10")
    seller.buys(buyer, 900, "2024-08-10")
    seller.night("2025-02-11")
    assert held(buyer, "2025-02-11") == "base"

    seller.buys(buyer, "1999.99", "2025-03-10")
    assert held(buyer, "2025-03-11") == "base"
    seller.buys(buyer, "0.01", "2025-04-10")

    assert held(buyer, "2025-04-11") == "vip"


def test_two_years_of_one_buyer(seller: Seller, svip: Member) -> None:
    seller.buys(svip, 2500, "2024-11-11")
    seller.night("2025-05-21")
    seller.buys(svip, 1800, "2025-11-11")
    seller.night("2026-05-21")
    seller.night("2026-05-22")

    assert history(svip) == [
        ("2024-02-10", "up", "vip"),
        ("2024-05-20", "up", "svip"),
        ("2025-05-21", "renewed", "svip"),
        ("2026-05-21", "down", "vip"),
    ]


def test_a_refund_leaves_the_tier_and_counts_when_the_year_ends(seller: Seller) -> None:
    """The policy of the preset: it stays until it is looked at the next time; the money no longer counts then."""
    buyer = seller.member("buyer")
    seller.buys(buyer, 2000, "2024-02-10")
    number = seller.buys(buyer, 1000, "2024-08-10")
    seller.gives_back(buyer, number, "0.01", "2024-09-10")

    assert held(buyer, "2025-02-10") == "vip"
    seller.night("2025-02-11")

    assert held(buyer, "2025-02-11") == "base"
