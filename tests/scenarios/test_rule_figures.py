"""The figures that shops are promised, through the whole house: from a file of orders to the points of the buyers."""

import csv
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crm.feeds import Profile
from crm.imports.pipeline import Source, run_file
from crm.models import Channel, Identity, Member, Product
from crm.tiers.granting import grant_tier
from loyalty.api import audit, summary
from loyalty.earning.presets import PRESETS
from loyalty.rulebook import draft_of, publish, save_draft
from tests.factories import IdentityFactory, MemberFactory, ProductFactory, TierFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule

DAY = timedelta(days=1)
HEADER = ("order", "buyer", "state", "time", "paid", "with", "article", "amount", "returned")
PROFILE = Profile.from_json(
    "shop",
    {
        "columns": {
            "order_no": "order", "buyer": "buyer", "status": "state", "placed_at": "time", "paid": "paid",
            "payment_kind": "with", "sku": "article", "line_amount": "amount", "line_refunded": "returned",
        },
        "status_map": {"done": "completed", "paid": "paid"},
        "payment_map": {"card": "gift_card", "cash": "cash"},
    },
)  # fmt: skip
# An order with its lines: (article, amount, what of it went back).
Lines = tuple[tuple[str, str, str], ...]
Buy = Callable[..., None]


@pytest.fixture
def goods(shop: Channel) -> None:
    """A product of each policy, by whose names the files call them."""
    for policy in ("normal", "special", "zero"):
        ProductFactory(channel=shop, code=policy, policy=policy)
    ProductFactory(channel=shop, code="bonus", policy="bonus", bonus_points=30)


@pytest.fixture
def tiers(db: None) -> None:
    for rank, code in enumerate(("base", "vip", "svip")):
        TierFactory(rank=rank, code=code)


@pytest.fixture
def buyer(shop: Channel, tiers: None, at: datetime) -> Callable[[str], Member]:
    """``buyer("svip")``: a member who has held this tier for a while."""

    def make(tier: str) -> Member:
        member = MemberFactory()
        IdentityFactory(channel=shop, member=member, external_id=f"buyer of {tier}")
        if tier != "base":
            grant_tier(member.pk, tier, at=at - 30 * DAY, until=None, actor_id=None, reason="A good customer")
        return member

    return make


@pytest.fixture
def buy(shop: Channel, goods: None, tmp_path: Path, at: datetime) -> Buy:
    """``buy(member, ("normal", "100", ""), …)``: a file arrives with one completed order of these lines."""

    def import_order(member: Member, *lines: tuple[str, str, str], number: str = "1", paid_with: str = "cash") -> None:
        external_id = Identity.objects.get(member=member).external_id
        paid = sum(int(amount) for _article, amount, _returned in lines)
        path = tmp_path / "orders.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for article, amount, returned in lines:
                moment = f"{at:%Y-%m-%d %H:%M:%S}"
                writer.writerow([number, external_id, "done", moment, paid, paid_with, article, amount, returned])
        counts = run_file(Source(path, shop, PROFILE), at=at)
        assert counts.rejected == 0

    return import_order


def publish_preset(name: str, at: datetime) -> None:
    draft = draft_of(0, at=at, actor_id=None)
    assert save_draft(draft.pk, PRESETS[name].as_json()["rules"]) == []
    publish(draft.pk, effective_from=at - 9 * DAY, at=at - 9 * DAY, actor_id=None, reason=f"Preset {name}")


def balance(member: Member, at: datetime) -> int:
    assert audit().ok
    return summary(member.pk, at).balance


@pytest.mark.parametrize("preset", ["linggou", "taobao", "quarterly", "vancl"])
def test_a_zero_point_item_in_a_mixed_order_earns_nothing(
    preset: str, buyer: Callable[[str], Member], buy: Buy, at: datetime
) -> None:
    publish_preset(preset, at)
    member = buyer("base")
    buy(member, ("normal", "10", ""), number="0")  # The first order has rules of its own.
    before = balance(member, at)

    buy(member, ("zero", "100", ""), ("normal", "50", ""))

    assert balance(member, at) - before == (100 if preset == "vancl" else 50)


@pytest.mark.parametrize(
    ("tier", "article", "paid_with", "points"),
    [
        ("base", "normal", "cash", 200),
        ("vip", "normal", "cash", 300),
        ("svip", "normal", "cash", 400),
        ("base", "special", "cash", 50),
        ("vip", "special", "cash", 75),
        ("base", "normal", "card", 100),
        ("base", "special", "card", 100),
        ("svip", "zero", "cash", 0),
    ],
)  # fmt: skip
def test_a_hundred_yuan_under_the_preset_vancl(
    buyer: Callable[[str], Member], buy: Buy, at: datetime, *, tier: str, article: str, paid_with: str, points: int
) -> None:
    publish_preset("vancl", at)
    member = buyer(tier)

    buy(member, (article, "100", ""), paid_with=paid_with)

    assert balance(member, at) == points


def test_an_svip_who_returns_one_of_two_lines_keeps_exactly_what_the_other_earned(
    buyer: Callable[[str], Member], buy: Buy, at: datetime
) -> None:
    publish_preset("vancl", at)
    member = buyer("svip")
    buy(member, ("normal", "100", ""), ("special", "60", ""))
    assert balance(member, at) == 460

    buy(member, ("normal", "100", "100"), ("special", "60", ""))
    assert balance(member, at) == 60

    buy(member, ("normal", "100", "100"), ("special", "60", "60"))
    assert balance(member, at) == 0


def test_a_piece_of_a_bonus_product_earns_points_of_its_own(
    buyer: Callable[[str], Member], buy: Buy, at: datetime
) -> None:
    publish_rules(SPEND, rule("product_policy"), since=at - DAY)
    member = buyer("base")

    buy(member, ("bonus", "20", ""), ("zero", "80", ""))

    assert balance(member, at) == 50


def test_double_points_at_a_festival_for_vip_and_above_not_on_special_prices_and_within_a_budget(
    buyer: Callable[[str], Member], buy: Buy, at: datetime
) -> None:
    publish_rules(
        SPEND,
        rule(
            "festival", {"window": {"kind": "yearly", "first": "03-10", "last": "03-10"}, "factor": "2"},
            conditions={"tier_rank_at_least": 1, "product_policies": ["normal"]}, caps={"budget": 250},
        ),
        since=at - DAY,
    )  # fmt: skip
    base, vip, svip = buyer("base"), buyer("vip"), buyer("svip")

    for member, number in ((base, "1"), (vip, "2"), (svip, "3")):
        buy(member, ("normal", "200", ""), ("special", "100", ""), number=number)

    assert (balance(base, at), balance(vip, at), balance(svip, at)) == (300, 500, 350)


def test_what_a_product_becomes_later_does_not_reach_into_orders_of_before(
    buyer: Callable[[str], Member], buy: Buy, at: datetime
) -> None:
    publish_preset("vancl", at)
    member = buyer("base")
    buy(member, ("normal", "100", ""), ("special", "100", ""))
    Product.objects.filter(code="normal").update(policy="zero")

    buy(member, ("normal", "100", ""), ("special", "100", "50"))

    assert balance(member, at) == 225
