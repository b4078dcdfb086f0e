"""Drafts, versions, and which set of rules counts at which instant."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from loyalty.earning.evaluate import evaluate
from loyalty.earning.facts import OrderFacts
from loyalty.earning.ruleset import BUILT_IN, InvalidRules
from loyalty.models import EarnRule, RuleSet, RuleUsage
from loyalty.rulebook import (
    Difference,
    NotADraft,
    compare,
    discard_draft,
    draft_of,
    draft_problems,
    publish,
    publish_rate,
    published_sets,
    roll_back,
    rules_of,
    save_draft,
    set_at,
    set_of,
)
from tests.factories import StaffFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def worth(at: datetime, yuan: int = 10) -> int:
    """What an order over so many yuan, paid at this instant, earns."""
    return evaluate(set_at(published_sets(), at), OrderFacts(paid=yuan * 100, paid_at=at)).points


def begin_rate(points: int, since: datetime) -> RuleSet:
    return publish_rate(Decimal(1), points, effective_from=since, at=since - DAY, actor_id=None, reason="A festival")


class TestInForce:
    @pytest.fixture
    def festivals(self, at: datetime) -> None:
        """Double points from noon on, triple a week later."""
        begin_rate(2, at)
        begin_rate(3, at + 7 * DAY)

    def test_until_the_shop_publishes_rules_a_yuan_is_a_point(self, at: datetime) -> None:
        rules = set_at(published_sets(), at)

        assert (rules.version, worth(at)) == (0, 10)

    @pytest.mark.parametrize(
        ("since_noon", "points"),
        [
            (-timedelta(microseconds=1), 10), (timedelta(), 20), (7 * DAY - timedelta(microseconds=1), 20),
            (7 * DAY, 30), (700 * DAY, 30),
        ],
    )  # fmt: skip
    def test_a_set_counts_from_its_instant_until_the_next(
        self, festivals: None, at: datetime, since_noon: timedelta, points: int
    ) -> None:
        assert worth(at + since_noon) == points

    def test_of_two_sets_that_begin_together_the_later_version_counts(self, festivals: None, at: datetime) -> None:
        begin_rate(9, at)

        assert worth(at) == 90

    def test_a_set_published_later_for_an_earlier_day_does_not_reach_into_later_ones(
        self, festivals: None, at: datetime
    ) -> None:
        begin_rate(5, at - DAY)

        assert (worth(at - DAY), worth(at)) == (50, 20)

    def test_versions_count_up_and_each_can_be_asked_for(self, festivals: None) -> None:
        sets = published_sets()

        assert [published.version for published in sets] == [2, 1, 0]
        assert [set_of(sets, version).version for version in (0, 1, 2)] == [0, 1, 2]
        with pytest.raises(LookupError):
            set_of(sets, 3)

    def test_a_draft_counts_for_nothing(self, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=None)
        save_draft(draft.pk, [rule("spend", {"points": 7})])

        assert worth(at + DAY) == 10

    def test_rules_are_read_once_and_then_only_asked_whether_there_are_others(
        self, festivals: None, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        worth(at)

        with django_assert_num_queries(1):
            assert worth(at) == 20


class TestDrafts:
    def test_a_draft_begins_with_the_rules_of_a_version(self, at: datetime) -> None:
        clerk = StaffFactory()
        base = publish_rules(SPEND, rule("steps", {"steps": [["199", 20]]}), since=at)

        draft = draft_of(1, at=at, actor_id=clerk.pk, note="For the autumn")

        assert (draft.version, draft.state, draft.based_on, draft.created_by) == (None, "draft", base, clerk)
        assert rules_of(draft.pk).rules == rules_of(base.pk).rules

    def test_saving_replaces_its_rules_and_keeps_their_order(self, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=None)

        save_draft(draft.pk, [rule("steps", {"steps": [["9", 1]]}, position=2), SPEND | {"position": 1}], note="Steps")

        assert [row.code for row in draft.rules.order_by("position")] == ["spend", "steps"]
        assert RuleSet.objects.get(pk=draft.pk).note == "Steps"

    def test_what_cannot_be_read_is_refused_and_nothing_is_saved(self, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=None)

        with pytest.raises(InvalidRules) as refusal:
            save_draft(draft.pk, [rule("spend", {"per": "a yuan"}), rule("lottery")])

        assert [(problem.rule, problem.field) for problem in refusal.value.problems] == [
            ("spend", "config.per"),
            ("lottery", "kind"),
        ]
        assert rules_of(draft.pk).rules == BUILT_IN.rules

    def test_what_can_be_read_but_makes_no_sense_is_saved_and_told(self, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=None)

        [problem] = save_draft(draft.pk, [rule("spend", {"per": "0"})])

        assert (problem.rule, problem.field) == ("spend", "config.per")
        assert draft_problems(draft.pk) == [problem]

    def test_a_discarded_draft_is_gone(self, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=None)

        discard_draft(draft.pk)

        assert not RuleSet.objects.exists()
        assert not EarnRule.objects.exists()
        with pytest.raises(NotADraft):
            discard_draft(draft.pk)


class TestPublishing:
    def test_it_says_who_when_why_and_from_when(self, at: datetime) -> None:
        owner = StaffFactory()
        draft = draft_of(0, at=at, actor_id=owner.pk)

        publish(draft.pk, effective_from=at + DAY, at=at, actor_id=owner.pk, reason="Opening")

        published = RuleSet.objects.get()
        assert (published.version, published.state, published.published_by) == (1, "published", owner)
        assert (published.published_at, published.effective_from, published.reason) == (at, at + DAY, "Opening")

    def test_bad_rules_are_refused_with_the_field_and_the_reason(self, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=None)
        save_draft(draft.pk, [SPEND, rule("steps", {"steps": [["100", 20], ["200", 10]]})])

        with pytest.raises(InvalidRules) as refusal:
            publish(draft.pk, effective_from=at, at=at, actor_id=None, reason="Opening")

        [problem] = refusal.value.problems
        assert (problem.rule, problem.field) == ("steps", "config.steps")
        assert problem.message
        assert RuleSet.objects.get().state == "draft"

    def test_a_budget_below_what_the_rule_has_paid_is_refused(self, at: datetime, xiaolu: Member) -> None:
        RuleUsage.objects.create(rule="spend", points=500)
        RuleUsage.objects.create(rule="spend", member=xiaolu, points=9_000)
        draft = draft_of(0, at=at, actor_id=None)

        [problem] = save_draft(draft.pk, [SPEND | {"caps": {"budget": 499}}])

        assert (problem.rule, problem.field) == ("spend", "caps.budget")
        assert save_draft(draft.pk, [SPEND | {"caps": {"budget": 500}}]) == []

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_a_change_needs_a_reason(self, at: datetime, reason: str) -> None:
        draft = draft_of(0, at=at, actor_id=None)

        with pytest.raises(ValueError, match="reason"):
            publish(draft.pk, effective_from=at, at=at, actor_id=None, reason=reason)

    def test_the_second_click_publishes_nothing(self, at: datetime) -> None:
        draft = publish_rules(SPEND, since=at)

        with pytest.raises(NotADraft):
            publish(draft.pk, effective_from=at, at=at, actor_id=None, reason="Again")
        with pytest.raises(NotADraft):
            save_draft(draft.pk, [])

    @pytest.mark.parametrize(("per", "points"), [("0", 1), ("-1", 1), ("1", -1), ("0.001", 1)])
    def test_a_rate_that_makes_no_sense_is_refused(self, at: datetime, per: str, points: int) -> None:
        with pytest.raises(InvalidRules):
            publish_rate(Decimal(per), points, effective_from=at, at=at, actor_id=None, reason="Opening")

        assert not RuleSet.objects.exists()


class TestGoingBack:
    def test_the_old_rules_are_published_again_and_count_from_now_on(self, at: datetime) -> None:
        begin_rate(2, at - 9 * DAY)
        begin_rate(3, at - 5 * DAY)

        again = roll_back(1, at=at, actor_id=None, reason="Too dear")

        assert (again.version, again.reason) == (3, "Too dear")
        assert again.based_on == RuleSet.objects.get(version=1)
        assert (worth(at - DAY), worth(at)) == (30, 20)

    def test_one_can_go_back_to_the_set_that_is_built_in(self, at: datetime) -> None:
        begin_rate(2, at - DAY)

        roll_back(0, at=at, actor_id=None, reason="Too dear")

        assert (worth(at - DAY), worth(at)) == (20, 10)

    def test_a_version_that_never_was_cannot_come_back(self, at: datetime) -> None:
        with pytest.raises(RuleSet.DoesNotExist):
            roll_back(7, at=at, actor_id=None, reason="Too dear")


def test_two_versions_side_by_side(at: datetime) -> None:
    old = publish_rules(SPEND, rule("first_order", {"points": 50}), since=at)
    new = publish_rules(
        rule("spend", {"per": "10", "points": 1}, caps={"per_order": 500}),
        rule("steps", {"steps": [["199", 20]]}),
        since=at,
    )

    found = compare(rules_of(old.pk), rules_of(new.pk))

    assert [(each.rule, each.field) for each in found] == [
        ("spend", "config.per"), ("spend", "caps.per_order"), ("steps", "rule"), ("first-order", "rule"),
    ]  # fmt: skip
    assert Difference("spend", "caps.per_order", None, 500) in found
    assert found[3].after is None
    assert compare(rules_of(old.pk), rules_of(old.pk)) == []
