"""What acts would earn: for pages that make a promise. Nothing is given and nothing counted here."""

from datetime import datetime

from loyalty.acts import actor_counters, actor_facts, rules_about
from loyalty.earning.award import Award
from loyalty.earning.evaluate import evaluate_act
from loyalty.earning.facts import ActFacts
from loyalty.earning.ruleset import Rule
from loyalty.rule_usage import look_at_usage
from loyalty.rulebook import PublishedSets, set_at


class ActPreview:
    """What acts of one kind would earn a member at ``at`` and on the days after it, as he and the counters stand then.

    The member is looked at once. Each award of capped rules costs one more query, one of other rules none.
    """

    def __init__(self, kind: str, member_id: int, at: datetime, sets: PublishedSets) -> None:
        self._kind = kind
        self._member_id = member_id
        self._sets = sets
        self._facts = actor_facts(set_at(sets, at), kind, member_id, at)

    def award(self, act: ActFacts) -> Award:
        """What the rules in force at the act would give."""
        rules = set_at(self._sets, act.at)
        usage = look_at_usage(actor_counters(rules, self._kind, self._member_id, act.at))
        return evaluate_act(rules, act, self._facts, usage)

    def rules(self, at: datetime) -> list[Rule]:
        """The rules about such acts that will be in force."""
        return rules_about(set_at(self._sets, at), self._kind)


def rewarded_acts(sets: PublishedSets, at: datetime) -> frozenset[str]:
    """Which kinds of acts earn anything at all at this instant."""
    return frozenset(set_at(sets, at).acts)
