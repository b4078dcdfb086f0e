"""Points for what is no order: a sign-in, a birthday, a completed profile, a campaign's code, a referral."""

from datetime import datetime

from django.db import transaction

from crm.api import member_facts
from loyalty.earning.award import Award, as_trace
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.evaluate import evaluate_act
from loyalty.earning.facts import ActFacts, MemberFacts
from loyalty.earning.ruleset import Rule
from loyalty.earning.usage import UsageKey
from loyalty.journal import post
from loyalty.known_facts import buyer_as_facts, to_fetch
from loyalty.models import Entry
from loyalty.policies import policy_in_force
from loyalty.posting import KeyConflict, Outcome, accrual
from loyalty.rule_usage import day_of, load_usage, lock_members, write_usage
from loyalty.rulebook import published_sets, set_at
from loyalty.validity import valid_until


def reward_act(
    act: ActFacts, member_id: int, *, key: str, at: datetime, pending: bool = False, reason: str = ""
) -> Outcome | None:
    """Give a member what the rules in force at the act give for it, exactly once; None when they give nothing.

    ``key`` is made from the fact itself (``signin:12:2026-03-10``): the same key again returns the first result and
    counts nothing, whatever the rules say by then. ``pending`` points wait until the caller posts a ``maturation``
    about the key; a ``reversal`` about the key takes them back. Raises KeyConflict when the key stands for something
    else.
    """
    with transaction.atomic():
        lock_members([member_id])
        # Looked up under the lock: whoever was quicker with the same key has committed by now.
        if known := _known(act, member_id, key):
            return known
        award = _counted_award(set_at(published_sets(), act.at), act, member_id)
        if not award.points:
            return None
        policy = policy_in_force(act.at)
        posting = accrual(
            member_id, award.points, key=key, effective_at=act.at, pending=pending,
            available_at=None if pending else act.at, expires_at=None if pending else valid_until(policy, act.at),
            reference=_reference(act), reason=reason,
            trace={
                "set": award.version, "act": act.kind, "award": as_trace(award),
                **({"policy": policy.version} if policy.version else {}),
            },
        )  # fmt: skip
        return post([posting], at=at)[0]


def _known(act: ActFacts, member_id: int, key: str) -> Outcome | None:
    """What the key did the first time, if there was one."""
    entry = Entry.objects.filter(key=key).first()
    if entry is None:
        return None
    if (entry.account_id, entry.reference) != (member_id, _reference(act)):
        raise KeyConflict([key])
    return Outcome(entry.pk, True, entry.points, entry.pending, entry.balance_after)


def rules_about(rules: CompiledSet, act: str) -> list[Rule]:
    """The rules of a set that reward this kind of act."""
    return [rule for rule in rules.source.in_order() if rule.kind.act == act]


def actor_facts(rules: CompiledSet, act: str, member_id: int, at: datetime) -> MemberFacts:
    """What the rules about this kind of act look at of the member."""
    needs = to_fetch({need for rule in rules_about(rules, act) for need in rule.kind.needs | rule.conditions.needs})
    if not needs:
        return MemberFacts(member_id)
    return buyer_as_facts(member_facts([member_id], needs, at).get(member_id), member_id)


def actor_counters(rules: CompiledSet, act: str, member_id: int, at: datetime) -> list[UsageKey]:
    """The counters that the rules about this kind of act look at; those of other rules stay unlocked."""
    codes = {rule.code for rule in rules_about(rules, act)}
    return [key for key in rules.usage_keys(member_id, day_of(at, rules)) if key.rule in codes]


def _counted_award(rules: CompiledSet, act: ActFacts, member_id: int) -> Award:
    member = actor_facts(rules, act.kind, member_id, act.at)
    keys = actor_counters(rules, act.kind, member_id, act.at)
    if not keys:
        return evaluate_act(rules, act, member)
    usage = load_usage(keys)
    award = evaluate_act(rules, act, member, usage)
    write_usage(usage)
    return award


def _reference(act: ActFacts) -> str:
    return f"act:{act.kind}:{act.code}" if act.code else f"act:{act.kind}"
