"""Publishing rules in the admin: the review, the warning, once only, going back, and two versions side by side."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from crm.models import Channel, StaffAction, User
from loyalty.liability import publish_cost
from loyalty.models import RuleSet, RuleUsage
from loyalty.presets import load_preset
from loyalty.rulebook import draft_of, publish, rules_of, save_draft
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.staff import Grant

ENGLISH = {"accept-language": "en"}
DAY = timedelta(days=1)
FORM = {"since": "now", "effective_from": "", "reason": "Spring"}


@pytest.fixture(autouse=True)
def noon(at: datetime) -> Any:
    """All stories happen on 10 March 2026, at noon."""
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def owner(grant: Grant, client: Client) -> User:
    user = grant("loyalty.change_ruleset", "loyalty.publish_ruleset")
    client.force_login(user)
    return user


@pytest.fixture
def draft(owner: User, at: datetime) -> RuleSet:
    """A draft with the built-in rule: ten points a yuan, so it costs a tenth of the price."""
    return draft_of(0, at=at, actor_id=owner.pk, note="Spring")


def page(name: str, *args: object) -> str:
    return reverse(f"admin:loyalty_ruleset_{name}", args=args)


def review(client: Client, draft: RuleSet) -> Any:
    response = client.get(page("review", draft.pk), headers=ENGLISH)
    assert response.status_code == 200
    return response.context


def confirm(client: Client, draft: RuleSet, token: str, **changes: str) -> Any:
    return client.post(page("review", draft.pk), {**FORM, "token": token, **changes}, headers=ENGLISH)


def levels(client: Client, response: Any) -> list[str]:
    """What sort of messages the next page shows."""
    shown = client.get(response["location"], headers=ENGLISH)
    return [message.level_tag for message in shown.context["messages"]]


class TestPublishing:
    def test_it_counts_from_now_on_and_says_who_and_why(
        self, draft: RuleSet, owner: User, client: Client, at: datetime
    ) -> None:
        response = confirm(client, draft, review(client, draft)["token"])

        assert levels(client, response) == ["success"]
        draft.refresh_from_db()
        assert (draft.version, draft.effective_from, draft.published_by, draft.reason) == (1, at, owner, "Spring")
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.reason) == ("rule.publish", owner, "Spring")
        assert action.details["version"] == 1

    def test_it_can_count_from_a_later_moment_on(self, draft: RuleSet, client: Client, at: datetime) -> None:
        confirm(client, draft, review(client, draft)["token"], since="later", effective_from="2026-03-20T00:00")

        draft.refresh_from_db()
        assert draft.effective_from is not None
        assert draft.effective_from.isoformat() == "2026-03-19T16:00:00+00:00"
        assert client.get(page("changelist")).context["coming"] == [draft]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"reason": " "}, "reason"),
            ({"reason": "x" * 301}, "reason"),
            ({"since": "later"}, "effective_from"),
            ({"since": "later", "effective_from": "2026-03-10T11:59"}, "effective_from"),
            ({"since": "later", "effective_from": "soon"}, "effective_from"),
            ({"since": "whenever"}, "since"),
        ],
    )
    def test_what_makes_no_sense_is_refused_at_its_field(
        self, changes: dict[str, str], field: str, draft: RuleSet, client: Client
    ) -> None:
        response = confirm(client, draft, review(client, draft)["token"], **changes)

        assert field in response.context["form"].errors
        assert not RuleSet.objects.exclude(version=None).exists()

    def test_a_second_click_publishes_nothing(self, draft: RuleSet, client: Client) -> None:
        token = review(client, draft)["token"]
        confirm(client, draft, token)
        response = confirm(client, draft, token)

        assert levels(client, response) == ["success", "info"]
        assert RuleSet.objects.count() == 1
        assert StaffAction.objects.count() == 1

    def test_a_colleague_who_was_faster_publishes_alone(self, draft: RuleSet, client: Client, at: datetime) -> None:
        token = review(client, draft)["token"]
        publish_rules(SPEND, since=at)

        response = confirm(client, draft, token)

        assert levels(client, response) == ["info"]
        draft.refresh_from_db()
        assert draft.version is None

    def test_what_was_changed_after_the_look_is_not_published(self, draft: RuleSet, client: Client) -> None:
        token = review(client, draft)["token"]
        save_draft(draft.pk, [rule("spend", {"points": 100})])

        response = confirm(client, draft, token)

        assert levels(client, response) == ["info"]
        draft.refresh_from_db()
        assert draft.version is None

    @pytest.mark.parametrize("token", ["", "forged"])
    def test_without_a_good_token_nothing_is_published(self, token: str, draft: RuleSet, client: Client) -> None:
        response = confirm(client, draft, token)

        assert levels(client, response) == ["error"]
        draft.refresh_from_db()
        assert draft.version is None

    def test_a_page_that_was_open_for_too_long_publishes_nothing(
        self, draft: RuleSet, client: Client, at: datetime
    ) -> None:
        token = review(client, draft)["token"]
        with time_machine.travel(at + timedelta(hours=2), tick=False):
            confirm(client, draft, token)

        draft.refresh_from_db()
        assert draft.version is None

    def test_a_draft_with_problems_is_not_published(self, draft: RuleSet, client: Client) -> None:
        save_draft(draft.pk, [rule("spend", {"per": "0"})])
        context = review(client, draft)

        confirm(client, draft, context["token"])

        assert [problem.field for problem in context["problems"]] == ["config.per"]
        draft.refresh_from_db()
        assert draft.version is None

    def test_the_review_says_what_changes_and_what_takes_over_later(
        self, draft: RuleSet, client: Client, at: datetime
    ) -> None:
        publish_rules(SPEND, since=at + DAY)
        save_draft(draft.pk, [SPEND, rule("first_order", {"points": 20})])

        context = review(client, draft)

        assert [(pair.name, pair.change) for pair in context["comparison"].different] == [("First order", "added")]
        assert [row.version for row in context["coming"]] == [1]

    def test_it_asks_as_many_questions_for_many_rules_as_for_few(
        self, draft: RuleSet, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        save_draft(draft.pk, [SPEND | {"code": f"s{n}"} for n in range(30)])

        with django_assert_max_num_queries(24):
            client.get(page("review", draft.pk))


class TestWarning:
    def test_a_tenth_of_the_price_is_no_more_than_the_shop_wants(self, draft: RuleSet, client: Client) -> None:
        most = review(client, draft)["most"]

        assert (most.percent, most.points, most.price, most.cost, most.high) == ("10", 100, "100", "10", False)

    def test_the_combination_that_pays_most_is_named(
        self, owner: User, client: Client, at: datetime, shop: Channel
    ) -> None:
        """An SVIP's 100 yuan are 400 points; at 100 points for 2 yuan that is 8 yuan, 8 %."""
        publish_cost(Decimal("0.02"), effective_from=at - DAY, at=at - DAY, actor_id=None, reason="Our coupons")
        with translation.override("en"):  # The rules of a preset are named in the language of whoever loads it.
            draft = load_preset("vancl", at=at, actor_id=owner.pk).draft

        most = review(client, draft)["most"]

        assert (most.percent, most.points, most.cost, most.high) == ("8", 400, "8", False)
        assert most.rules == ["Two points a yuan", "VIP one and a half times, SVIP twice"]
        assert most.facts == [("Tier", "SVIP会员")]

    def test_above_the_threshold_the_warning_must_be_read(
        self, draft: RuleSet, client: Client, settings: Settings
    ) -> None:
        settings.EARNING_WARNING_PERCENT = Decimal("9.5")
        context = review(client, draft)
        assert context["most"].high

        response = confirm(client, draft, context["token"])
        assert "read" in response.context["form"].errors
        confirm(client, draft, context["token"], read="on")

        draft.refresh_from_db()
        assert draft.version == 1


class TestGoingBack:
    @pytest.fixture
    def versions(self, owner: User, at: datetime) -> list[RuleSet]:
        """One point a yuan; since yesterday two."""
        return [
            publish_rules(SPEND, since=at - 9 * DAY),
            publish_rules(rule("spend", {"points": 2}), since=at - DAY),
        ]

    def go_back(self, client: Client, set_id: int, **changes: str) -> Any:
        token = client.get(page("change", set_id), headers=ENGLISH).context["token"]
        form = {"token": token, "reason": "Too dear", **changes}
        return client.post(page("roll_back", set_id), form, headers=ENGLISH)

    def test_one_click_and_a_reason_publish_the_old_rules_again(
        self, versions: list[RuleSet], owner: User, client: Client, at: datetime
    ) -> None:
        self.go_back(client, versions[0].pk)

        newest = RuleSet.objects.get(version=3)
        assert (newest.effective_from, newest.reason, newest.published_by) == (at, "Too dear", owner)
        assert rules_of(newest.pk).rules == rules_of(versions[0].pk).rules
        assert StaffAction.objects.get().details["back_to"] == 1

    def test_the_built_in_rules_can_come_back(self, versions: list[RuleSet], client: Client) -> None:
        self.go_back(client, 0)

        assert RuleSet.objects.get(version=3).rules.get().code == "spend"

    def test_a_second_click_publishes_nothing(self, versions: list[RuleSet], client: Client) -> None:
        token = client.get(page("change", versions[0].pk)).context["token"]
        for _click in range(2):
            response = self.go_back(client, versions[0].pk, token=token)

        assert levels(client, response) == ["info"]
        assert RuleSet.objects.count() == 3

    @pytest.mark.parametrize("changes", [{"reason": ""}, {"token": "forged"}])
    def test_without_a_reason_or_a_token_nothing_happens(
        self, changes: dict[str, str], versions: list[RuleSet], client: Client
    ) -> None:
        response = self.go_back(client, versions[0].pk, **changes)

        assert levels(client, response) == ["error"]
        assert RuleSet.objects.count() == 2

    def test_a_budget_that_has_been_overdrawn_cannot_come_back(
        self, versions: list[RuleSet], client: Client, at: datetime
    ) -> None:
        lean = publish_rules(SPEND | {"caps": {"budget": 10}}, since=at - 5 * DAY)
        RuleUsage.objects.create(rule="spend", points=11)

        response = self.go_back(client, lean.pk)

        assert levels(client, response) == ["error"]
        assert RuleSet.objects.count() == 3

    def test_a_draft_is_no_version_to_go_back_to(self, draft: RuleSet, client: Client) -> None:
        response = client.post(page("roll_back", draft.pk), {"reason": "x", "token": ""})

        assert levels(client, response) == ["error"]
        assert client.get(page("roll_back", draft.pk)).status_code == 405


class TestComparing:
    def test_two_versions_stand_side_by_side_with_what_differs(self, owner: User, client: Client, at: datetime) -> None:
        first = publish_rules(SPEND, rule("profile", {"points": 20}), since=at - 9 * DAY)
        second = publish_rules(rule("spend", {"points": 2}), rule("first_order", {"points": 5}), since=at - DAY)

        context = client.get(page("compare"), {"before": first.pk, "after": second.pk}, headers=ENGLISH).context

        pairs = {pair.name: pair for pair in context["comparison"].pairs}
        assert {name: pair.change for name, pair in pairs.items()} == {
            "Points for money": "changed", "First order": "added", "Profile completed": "removed",
        }  # fmt: skip
        assert pairs["Points for money"].before.lines == [("Every yuan earns 1 point.", True)]
        assert pairs["Points for money"].after.lines == [("Every yuan earns 2 points.", True)]
        assert pairs["First order"].before.lines == []

    def test_the_same_rules_in_another_order_are_said_to_be_so(self, owner: User, client: Client, at: datetime) -> None:
        one, other = SPEND | {"position": 1}, rule("profile", {"points": 20}, position=2)
        first = publish_rules(one, other, since=at - 9 * DAY)
        second = publish_rules(one | {"position": 3}, other, since=at - DAY)

        comparison = client.get(page("compare"), {"before": first.pk, "after": second.pk}).context["comparison"]

        assert (comparison.different, comparison.reordered) == ([], True)

    def test_at_first_it_compares_what_is_in_force_with_the_newest_draft(
        self, draft: RuleSet, owner: User, client: Client, at: datetime
    ) -> None:
        current = publish_rules(SPEND, since=at - DAY)

        context = client.get(page("compare")).context

        assert (context["before"], context["after"]) == (current.pk, draft.pk)

    @pytest.mark.parametrize("asked", [{"before": "77"}, {"after": "77"}])
    def test_a_set_that_there_is_not_is_not_found(self, asked: dict[str, str], owner: User, client: Client) -> None:
        assert client.get(page("compare"), asked).status_code == 404

    def test_a_version_tells_its_rules_and_its_story(self, owner: User, client: Client, at: datetime) -> None:
        draft = draft_of(0, at=at, actor_id=owner.pk)
        publish(draft.pk, effective_from=at, at=at, actor_id=owner.pk, reason="Opening day")

        text = client.get(page("change", draft.pk), headers=ENGLISH).content.decode()

        assert "Opening day" in text
        assert "Every yuan earns 1 point." in text
        assert "Go back to these rules" not in text
        assert client.get(page("change", 77)).status_code == 404
