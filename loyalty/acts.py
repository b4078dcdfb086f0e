"""Points for what is no order: a sign-in, a birthday, a completed profile, a campaign's code, a referral."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from crm.api import member_facts
from loyalty.earning.award import Award, as_trace
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.evaluate import evaluate_act
from loyalty.earning.facts import ActFacts, MemberFacts
from loyalty.earning.ruleset import Rule
from loyalty.earning.usage import UsageKey
from loyalty.journal import post
from loyalty.known_facts import buyer_as_facts, to_fetch
from loyalty.policies import published_policies
from loyalty.posting import KeyConflict, Outcome, Posting, accrual
from loyalty.rule_usage import day_of, load_usage, lock_members, write_usage
from loyalty.rulebook import PublishedSets, published_sets, set_at
from loyalty.validity import Policy, policy_at, valid_until


@dataclass(frozen=True, slots=True)
class Act:
    """What a member did or what befell him. ``key`` is made from the fact itself (``signin:12:2026-03-10``)."""

    member_id: int
    key: str
    facts: ActFacts

    @property
    def reference(self) -> str:
        """What the entry says that it is about."""
        return f"act:{self.facts.kind}:{self.facts.code}" if self.facts.code else f"act:{self.facts.kind}"


def reward_act(
    act: ActFacts, member_id: int, *, key: str, at: datetime, pending: bool = False, reason: str = ""
) -> Outcome | None:
    """Give a member what the rules in force at the act give for it, exactly once: ``reward_acts`` with one act."""
    return reward_acts([Act(member_id, key, act)], at=at, pending=pending, reason=reason)[0]


def reward_acts(acts: Sequence[Act], *, at: datetime, pending: bool = False, reason: str = "") -> list[Outcome | None]:
    """Give members what the rules in force at each act give for it, exactly once, and return what became of each act;
    None where the rules give nothing.

    However many acts there are, the number of statements is the same. Acts count towards caps in their order. A key
    that is known returns the first result and counts nothing, whatever the rules say by then; the same act may stand in
    the batch twice and is rewarded once. ``pending`` points wait until the caller posts a ``maturation`` about the key;
    a ``reversal`` about the key takes them back. Raises KeyConflict when a key stands for something else; nothing is
    written then.
    """
    if not acts:
        return []
    with transaction.atomic():
        # All at once and in their order: the counters of budgets come after the accounts (docs/locking.md).
        lock_members(act.member_id for act in acts)
        # Looked up under the lock: whoever was quicker with the same key has committed by now.
        outcomes = _known(acts)
        fresh = [act for act in _without_repeats(acts) if act.key not in outcomes]
        policies = published_policies() if fresh else []
        postings = [
            _posting(act, award, policies, pending=pending, reason=reason)
            for act, award in zip(fresh, _counted_awards(published_sets(), fresh), strict=True)
            if award.points
        ]
        for posting, outcome in zip(postings, post(postings, at=at), strict=True):
            outcomes[posting.key] = outcome
    return [outcomes.get(act.key) for act in acts]


def keys_in_journal(keys: Iterable[str]) -> set[str]:
    """Which of these keys stand for an entry already."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT e.key FROM loyalty_entry AS e WHERE e.key = ANY (%s)", [list(keys)])
        return {key for (key,) in cursor.fetchall()}


def rules_about(rules: CompiledSet, act: str) -> list[Rule]:
    """The rules of a set that reward this kind of act."""
    return [rule for rule in rules.source.in_order() if rule.kind.act == act]


def actor_facts(rules: CompiledSet, act: str, member_id: int, at: datetime) -> MemberFacts:
    """What the rules about this kind of act look at of the member."""
    return _facts_of([(_needs(rules, act), member_id, at)])[0]


def actor_counters(rules: CompiledSet, act: str, member_id: int, at: datetime) -> list[UsageKey]:
    """The counters that the rules about this kind of act look at; those of other rules stay unlocked."""
    codes = {rule.code for rule in rules_about(rules, act)}
    return [key for key in rules.usage_keys(member_id, day_of(at, rules)) if key.rule in codes]


# An array, because thousands of placeholders would cost more than the query.
_ENTRIES = """
SELECT e.key, e.account_id, e.reference, e.id, e.points, e.pending, e.balance_after
  FROM loyalty_entry AS e
 WHERE e.key = ANY (%s)
"""


def _known(acts: Iterable[Act]) -> dict[str, Outcome | None]:
    """What the keys did the first time, as far as there was one."""
    expected = {act.key: (act.member_id, act.reference) for act in acts}
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [list(expected)])
        entries = cursor.fetchall()
    conflicts = [key for key, account_id, reference, *_ in entries if expected[key] != (account_id, reference)]
    if conflicts:
        raise KeyConflict(conflicts)
    return {
        key: Outcome(entry_id, True, points, pending, balance_after)
        for key, _account_id, _reference, entry_id, points, pending, balance_after in entries
    }


def _without_repeats(acts: Iterable[Act]) -> list[Act]:
    unique: dict[str, Act] = {}
    for act in acts:
        if unique.setdefault(act.key, act) != act:
            raise KeyConflict([act.key])
    return list(unique.values())


def _counted_awards(sets: PublishedSets, acts: Sequence[Act]) -> list[Award]:
    """What each act earns, one after the other, and what they took of the caps written down."""
    under = [(act, set_at(sets, act.facts.at)) for act in acts]
    members = _facts_of([(_needs(rules, act.facts.kind), act.member_id, act.facts.at) for act, rules in under])
    keys = {key for act, rules in under for key in actor_counters(rules, act.facts.kind, act.member_id, act.facts.at)}
    usage = load_usage(keys)
    awards = [
        evaluate_act(rules, act.facts, member, usage) for (act, rules), member in zip(under, members, strict=True)
    ]
    write_usage(usage)
    return awards


def _needs(rules: CompiledSet, act: str) -> frozenset[str]:
    return to_fetch({need for rule in rules_about(rules, act) for need in rule.kind.needs | rule.conditions.needs})


def _facts_of(asked: Sequence[tuple[frozenset[str], int, datetime]]) -> list[MemberFacts]:
    """What is needed of each of these members at an instant: a query for each different need, not for each member."""
    found = [MemberFacts(member_id) for _needs_of_him, member_id, _instant in asked]
    for needs in {needs for needs, _member_id, _instant in asked if needs}:
        places = [place for place, (needed, _member_id, _instant) in enumerate(asked) if needed == needs]
        told = member_facts([asked[place][1:] for place in places], needs)
        for place, details in zip(places, told, strict=True):
            found[place] = buyer_as_facts(details, asked[place][1])
    return found


def _posting(act: Act, award: Award, policies: Sequence[Policy], *, pending: bool, reason: str) -> Posting:
    instant = act.facts.at
    policy = policy_at(policies, instant)
    return accrual(
        act.member_id, award.points, key=act.key, effective_at=instant, pending=pending,
        available_at=None if pending else instant, expires_at=None if pending else valid_until(policy, instant),
        reference=act.reference, reason=reason,
        trace={
            "set": award.version, "act": act.facts.kind, "award": as_trace(award),
            **({"policy": policy.version} if policy.version else {}),
        },
    )  # fmt: skip
