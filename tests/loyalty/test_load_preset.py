"""``manage.py load_preset``: rules to begin with, and the tiers that they name."""

import json
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm.models import StaffAction, Tier, TierScheme
from crm.tiers.schemebook import draft_problems as scheme_problems
from loyalty.earning.presets import PRESETS
from loyalty.models import RuleSet
from loyalty.presets import load_preset
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
    scheme = TierScheme.objects.get()
    assert answer == {
        "preset": name, "draft": draft.pk, "version": None, "scheme": {"draft": scheme.pk, "version": None},
    }  # fmt: skip
    assert draft_problems(draft.pk) == []
    assert [rule.code for rule in rules_of(draft.pk).rules] == [rule.code for rule in PRESETS[name].rules]
    assert scheme_problems(scheme.pk) == []
    assert scheme.rungs.count() == Tier.objects.filter(rank__gt=0).count() > 0


def test_it_is_published_with_a_reason() -> None:
    answer, _said = load("taobao", "--publish", "--reason", "Opening")

    published = RuleSet.objects.get()
    assert (answer["version"], answer["draft"]) == (1, None)
    assert (published.version, published.reason, published.published_by) == (1, "Opening", None)
    scheme = TierScheme.objects.get()
    assert (answer["scheme"], scheme.version, scheme.reason) == ({"draft": None, "version": 1}, 1, "Opening")
    assert scheme.effective_from == published.effective_from
    assert set(StaffAction.objects.values_list("action", "reason")) == {
        ("rule.publish", "Opening"), ("tier_scheme.publish", "Opening"),
    }  # fmt: skip


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
    assert "配套的等级方案" in said


def test_a_shop_with_tiers_gets_only_what_is_missing_on_top() -> None:
    TierFactory(code="usual", name="Usual", rank=0)
    TierFactory(code="vip", name="SVIP会员", rank=3)

    load("vancl")

    assert list(Tier.objects.order_by("rank").values_list("code", "name", "rank")) == [
        ("usual", "Usual", 0), ("vip", "SVIP会员", 3), ("svip", "SVIP会员 svip", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "tiers"), [("linggou", 0), ("vancl", 3)])
def test_without_the_scheme_only_the_tiers_are_made_that_the_rules_name(name: str, tiers: int, at: datetime) -> None:
    loaded = load_preset(name, at=at, actor_id=None, with_scheme=False)

    assert (loaded.scheme_draft_id, TierScheme.objects.count(), Tier.objects.count()) == (None, 0, tiers)


def test_it_says_what_is_left_to_do() -> None:
    assert "特价" in load("quarterly")[1]
    ProductFactory(policy="zero")

    assert "特价" not in load("quarterly")[1]
