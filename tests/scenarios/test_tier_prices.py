"""The one right price, from the tier that a buyer claims and the grades that a file brings."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from crm.memberlists.no_discount import put_on_list, take_off_list
from crm.models import Channel, Member, Product, Tier, TierOffer
from crm.quotes import Asked, quote
from crm.tiers.claims import claim_tier
from tests.cast import NOON
from tests.crm.memberlists.lists import import_list
from tests.crm.tiers.seller import Seller, noon
from tests.crm.tiers.test_cards import begin
from tests.factories import PlatformToolFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(shop: Channel) -> Product:
    return ProductFactory(channel=shop, title="明前龙井 250g", list_price=Decimal("200.00"))


@pytest.fixture
def buyer(shop: Channel, tmp_path: Path, settings: Any) -> Member:
    """He pays 95 % by another tool, and may claim VIP, which pays 90 %."""
    seller = Seller(shop)
    begin(seller, taking="claim", restart="never", claim_days=90)
    Tier.objects.filter(code="vip").update(discount_percent=90)
    member = seller.member("buyer")
    settings.MEDIA_ROOT = tmp_path
    day = noon("2026-01-05")
    import_list("平台昵称,等级,折扣\nbuyer,金牌,95%", PlatformToolFactory(channel=shop), seen_at=day, at=day)
    seller.record(member, "1", 1200, noon("2026-02-20"))
    return member


def price(member: Member, product: Product) -> Decimal | None:
    return quote(member.pk, [Asked(product.pk)], NOON).lines[0].unit_price


def claim(member: Member) -> None:
    claim_tier(member.pk, TierOffer.objects.get(member=member).pk, at=noon("2026-03-01"))


def test_before_he_claims_the_grade_of_the_other_tool_counts(buyer: Member, product: Product) -> None:
    assert price(buyer, product) == Decimal("190.00")


def test_once_he_has_claimed_the_lower_one_counts(buyer: Member, product: Product) -> None:
    claim(buyer)

    assert price(buyer, product) == Decimal("180.00")


def test_a_member_without_discount_pays_the_list_price_until_he_is_taken_off(buyer: Member, product: Product) -> None:
    claim(buyer)
    put_on_list([buyer.pk], reason="A reseller", at=noon("2026-03-02"), actor_id=None)
    assert price(buyer, product) == Decimal("200.00")

    take_off_list([buyer.pk], reason="No more", at=noon("2026-03-09"), actor_id=None)

    assert price(buyer, product) == Decimal("180.00")


def test_a_discount_for_vips_leaves_no_trace_for_a_base_member(buyer: Member, product: Product, client: Client) -> None:
    product.discount_visible_from = Tier.objects.get(code="vip")
    product.save()
    buyer.user = user = UserFactory()
    buyer.save()

    def page() -> str:
        with time_machine.travel(NOON, tick=False):
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            return client.get(f"/p/{product.pk}/", headers={"accept-language": "en"}).content.decode()

    seen = page()
    assert "¥200" in seen
    assert all(trace not in seen for trace in ("¥180", "¥190", "VIP", "90 %", "95 %", "金牌"))
    assert price(buyer, product) == Decimal("200.00")

    claim(buyer)
    assert "¥180" in page()
