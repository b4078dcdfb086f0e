"""The preset ``vancl`` over two years: 2000 in all make a VIP; his year decides what he is in the next."""

import pytest

from crm.models import Channel
from tests.crm.tiers.seller import Seller, held, history

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(shop: Channel) -> Seller:
    seller = Seller(shop)
    seller.begin("vancl", "2024-01-01")
    return seller


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
