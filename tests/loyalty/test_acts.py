"""Acts that earn points: exactly once, under the rules of their instant, within their caps."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from crm.tiers.granting import grant_tier
from loyalty.acts import Act, reward_act, reward_acts
from loyalty.api import KeyConflict, explain, headline, history, post, summary
from loyalty.earning.facts import ActFacts
from loyalty.models import Entry, RuleUsage
from loyalty.policies import publish_policy
from loyalty.posting import maturation, reversal
from loyalty.rulebook import publish_rate
from loyalty.validity import Policy
from tests.factories import MemberFactory, TierFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule

pytestmark = pytest.mark.usefixtures("books_add_up", "rules")

DAY = timedelta(days=1)


@pytest.fixture
def rules(db: None, at: datetime) -> None:
    """A point for each sign-in and five more on the third day in a row; a campaign's code within a cap; referrals."""
    publish_rules(
        SPEND,
        rule("signin", {"points": 1, "streak": [[3, 5]]}, name="Daily tea"),
        rule("campaign", {"word": "SPRING", "points": 10}, caps={"per_member": 15}, conditions={"tiers": ["vip"]}),
        rule("referral", {"percent": "5"}),
        since=at - 9 * DAY,
    )
    for rank, code in enumerate(("base", "vip")):
        TierFactory(rank=rank, code=code)


@pytest.fixture
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def sign_in(member: Member, at: datetime, streak: int = 1) -> int:
    outcome = reward_act(ActFacts("signin", at, streak=streak), member.pk, key=f"signin:{member.pk}:{at.date()}", at=at)
    return outcome.points if outcome else 0


def test_a_sign_in_earns_its_points_at_once(xiaolu: Member, at: datetime) -> None:
    assert sign_in(xiaolu, at) == 1
    assert sign_in(xiaolu, at + 2 * DAY, streak=3) == 6
    assert summary(xiaolu.pk, at).balance == 7


def test_the_second_tap_gets_the_first_answer(xiaolu: Member, at: datetime) -> None:
    first = reward_act(ActFacts("signin", at, streak=1), xiaolu.pk, key="day", at=at)
    publish_rules(rule("signin", {"points": 9}), since=at - DAY)

    again = reward_act(ActFacts("signin", at, streak=1), xiaolu.pk, key="day", at=at + DAY)

    assert first is not None
    assert again is not None
    assert (again.repeated, again.entry_id, again.points) == (True, first.entry_id, 1)


@pytest.mark.parametrize("kind", ["signin", "referral"])
def test_a_key_that_stands_for_another_act_is_refused(kind: str, xiaolu: Member, dayong: Member, at: datetime) -> None:
    reward_act(ActFacts("signin", at, streak=1), xiaolu.pk, key="day", at=at)
    whose = dayong if kind == "signin" else xiaolu

    with pytest.raises(KeyConflict):
        reward_act(ActFacts(kind, at, streak=1, amount=10_000), whose.pk, key="day", at=at)


def test_the_rules_of_the_act_s_instant_count(xiaolu: Member, at: datetime) -> None:
    publish_rules(rule("signin", {"points": 9}), since=at)

    assert sign_in(xiaolu, at - DAY) == 1
    assert sign_in(xiaolu, at) == 9
    assert list(Entry.objects.order_by("id").values_list("trace__set", flat=True)) == [1, 2]


def test_an_act_that_no_rule_rewards_leaves_nothing_behind(xiaolu: Member, at: datetime) -> None:
    assert reward_act(ActFacts("profile", at), xiaolu.pk, key="profile", at=at) is None
    publish_rate(Decimal(1), 1, effective_from=at, at=at, actor_id=None, reason="Over")
    assert sign_in(xiaolu, at) == 0
    assert not Entry.objects.exists()


def test_conditions_on_the_member_count_as_he_stands_at_the_act(xiaolu: Member, at: datetime) -> None:
    grant_tier(xiaolu.pk, "vip", at=at, until=None, actor_id=None, reason="A good customer")

    before = reward_act(ActFacts("campaign", at - DAY, code="spring"), xiaolu.pk, key="c1", at=at)
    now = reward_act(ActFacts("campaign", at, code="spring"), xiaolu.pk, key="c2", at=at)

    assert before is None
    assert now is not None
    assert now.points == 10


def test_a_cap_gives_its_last_points_and_a_repeated_key_takes_none_of_it(xiaolu: Member, at: datetime) -> None:
    grant_tier(xiaolu.pk, "vip", at=at - DAY, until=None, actor_id=None, reason="A good customer")

    given = [
        reward_act(ActFacts("campaign", at, code="spring"), xiaolu.pk, key=key, at=at) for key in ("a", "a", "b", "c")
    ]

    assert [outcome and outcome.points for outcome in given] == [10, 10, 5, None]
    assert RuleUsage.objects.get(member=xiaolu).points == 15


class TestManyAtOnce:
    """A batch of acts is what the acts are one after the other."""

    def test_each_gets_what_its_own_instant_and_member_earn(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        publish_rules(rule("signin", {"points": 9}), since=at)
        acts = [
            Act(dayong.pk, "d", ActFacts("signin", at, streak=1)),
            Act(xiaolu.pk, "x1", ActFacts("signin", at - DAY, streak=1)),
            Act(xiaolu.pk, "x2", ActFacts("profile", at)),
        ]

        outcomes = reward_acts(acts, at=at)

        assert [outcome and outcome.points for outcome in outcomes] == [9, 1, None]
        assert (summary(xiaolu.pk, at).balance, summary(dayong.pk, at).balance) == (1, 9)

    def test_an_act_told_twice_is_rewarded_once(self, xiaolu: Member, at: datetime) -> None:
        before = reward_act(ActFacts("signin", at, streak=1), xiaolu.pk, key="known", at=at)
        acts = [Act(xiaolu.pk, key, ActFacts("signin", at, streak=1)) for key in ("known", "new", "new")]

        known, new, again = reward_acts(acts, at=at)

        assert before is not None
        assert known is not None
        assert (known.entry_id, known.repeated) == (before.entry_id, True)
        assert new == again
        assert summary(xiaolu.pk, at).balance == 2

    def test_two_acts_under_one_key_are_refused_and_nothing_is_written(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        acts = [Act(member.pk, "one", ActFacts("signin", at, streak=1)) for member in (xiaolu, dayong)]

        with pytest.raises(KeyConflict):
            reward_acts(acts, at=at)

        assert not Entry.objects.exists()

    def test_a_budget_is_given_out_in_their_order_to_the_last_point(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        publish_rules(
            rule("signin", {"points": 10}, caps={"budget": 35, "per_member": 20}, conditions={"tiers": ["vip"]}),
            since=at - DAY,
        )
        for member in (xiaolu, dayong):
            grant_tier(member.pk, "vip", at=at - 2 * DAY, until=None, actor_id=None, reason="A good customer")
        whose = [xiaolu, xiaolu, xiaolu, dayong, dayong]
        acts = [Act(member.pk, f"a{place}", ActFacts("signin", at)) for place, member in enumerate(whose)]

        outcomes = reward_acts(acts, at=at)

        assert [outcome and outcome.points for outcome in outcomes] == [10, 10, None, 10, 5]
        assert RuleUsage.objects.get(member=None).points == 35

    def test_the_number_of_queries_does_not_grow_with_the_acts(self, at: datetime) -> None:
        publish_rules(
            rule("signin", {"points": 10}, caps={"budget": 999, "per_member": 20}, conditions={"tiers": ["base"]}),
            since=at - 9 * DAY,
        )

        def acts(many: int) -> list[Act]:
            members = MemberFactory.create_batch(many)
            return [
                Act(member.pk, f"a{member.pk}", ActFacts("signin", at - n * DAY)) for n, member in enumerate(members)
            ]

        few, many = acts(1), acts(7)
        reward_acts(acts(1), at=at)  # Whoever is the first compiles the rules.

        with CaptureQueriesContext(connection) as for_few:
            assert all(reward_acts(few, at=at))
        with CaptureQueriesContext(connection) as for_many:
            assert all(reward_acts(many, at=at))

        assert len(for_many) == len(for_few)

    def test_no_acts_are_no_work(self, at: datetime, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(0):
            assert reward_acts([], at=at) == []


def test_points_are_valid_by_the_policy_of_the_act(xiaolu: Member, at: datetime) -> None:
    publish_policy(Policy(months=3), effective_from=at, at=at, actor_id=None, reason="Shorter")

    sign_in(xiaolu, at)

    line = history(xiaolu.pk)[0]
    assert line.trace["policy"] == 1
    assert line.expires_at is not None
    assert line.expires_at - at < 93 * DAY


def test_a_share_waits_until_the_order_succeeds_and_goes_when_it_comes_back(xiaolu: Member, at: datetime) -> None:
    share = ActFacts("referral", at, amount=20_000)
    reward_act(share, xiaolu.pk, key="referral:1", at=at, pending=True)
    assert summary(xiaolu.pk, at).pending == 10

    ripe = maturation(xiaolu.pk, key="referral:1:maturation", about_key="referral:1", effective_at=at, available_at=at)
    post([ripe], at=at)
    assert summary(xiaolu.pk, at).balance == 10

    post([reversal(xiaolu.pk, 10, key="referral:1:reversal", about_key="referral:1", effective_at=at)], at=at)
    assert summary(xiaolu.pk, at).balance == 0


@pytest.mark.usefixtures("in_english")
def test_the_statement_says_what_the_points_are_for(xiaolu: Member, at: datetime) -> None:
    sign_in(xiaolu, at, streak=3)

    line = history(xiaolu.pk)[0]

    assert headline(line) == "Daily sign-in"
    assert explain(line) == ["Daily tea: 6 points on day 3 in a row.", "Valid through March 10, 2027."]
