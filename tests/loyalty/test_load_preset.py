"""``manage.py load_preset``: rules to begin with, and the tiers that they name."""

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm.models import StaffAction, Tier
from loyalty.earning.presets import PRESETS
from loyalty.models import RuleSet
from loyalty.rulebook import draft_problems, rules_of
from tests.factories import ProductFactory, TierFactory

pytestmark = pytest.mark.django_db


def load(*args: str) -> tuple[dict[str, Any], str]:
    """Run the command: its answer, and what it says besides."""
    out, err = StringIO(), StringIO()
    call_command("load_preset", *args, stdout=out, stderr=err)
    return json.loads(out.getvalue()), err.getvalue()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_becomes_a_draft_that_could_be_published(name: str) -> None:
    answer, _said = load(name)

    draft = RuleSet.objects.get()
    assert answer == {"preset": name, "draft": draft.pk, "version": None}
    assert draft_problems(draft.pk) == []
    assert [rule.code for rule in rules_of(draft.pk).rules] == [rule.code for rule in PRESETS[name].rules]


def test_it_is_published_with_a_reason() -> None:
    answer, _said = load("taobao", "--publish", "--reason", "Opening")

    published = RuleSet.objects.get()
    assert (answer["version"], answer["draft"]) == (1, None)
    assert (published.version, published.reason, published.published_by) == (1, "Opening", None)
    assert (StaffAction.objects.get().action, StaffAction.objects.get().reason) == ("rule.publish", "Opening")


@pytest.mark.parametrize(
    "args",
    [
        ("taobao", "--publish"),
        ("taobao", "--publish", "--reason", " "),
        ("taobao", "--reason", "Mine"),
        ("taobao", "--publish", "--reason", "x" * 301),
        ("amazon",),
    ],
)
def test_what_makes_no_sense_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        load(*args)

    assert not RuleSet.objects.exists()


def test_a_shop_without_tiers_gets_the_ladder_that_the_rules_name() -> None:
    _answer, said = load("vancl")

    rungs = list(Tier.objects.order_by("rank").values_list("code", "rank", "discount_percent"))
    assert rungs == [("base", 0, Decimal(100)), ("vip", 1, Decimal(98)), ("svip", 2, Decimal(95))]
    assert said.count("已新建会员等级") == 3


def test_a_shop_with_tiers_gets_only_what_is_missing_on_top() -> None:
    TierFactory(code="usual", name="Usual", rank=0)
    TierFactory(code="vip", name="SVIP会员", rank=3)

    load("vancl")

    assert list(Tier.objects.order_by("rank").values_list("code", "name", "rank")) == [
        ("usual", "Usual", 0), ("vip", "SVIP会员", 3), ("svip", "SVIP会员 svip", 4),
    ]  # fmt: skip


def test_rules_that_name_no_tier_make_none() -> None:
    load("linggou")

    assert not Tier.objects.exists()


def test_it_says_what_is_left_to_do() -> None:
    assert load("quarterly")[1]
    ProductFactory(policy="zero")

    assert load("quarterly")[1] == ""
