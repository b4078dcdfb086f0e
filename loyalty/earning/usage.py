"""What rules with caps have given so far, as far as the caps ask."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

MEMBER_DAY, MEMBER, RULE_DAY, BUDGET = "member_day", "member", "rule_day", "budget"


class UsageKey(NamedTuple):
    """One counter. ``member_id`` is 0 and ``day`` None where the scope does not ask for them."""

    rule: str
    scope: str
    member_id: int = 0
    day: date | None = None


class Usage:
    """Counters of points given. Reading one that was never set gives 0.

    The caller loads the counters that ``CompiledSet.usage_keys`` names, under the locks that guard them, lets any
    number of orders count in it one after the other, and writes ``taken`` back.
    """

    __slots__ = ("_given", "taken")

    def __init__(self, given: Mapping[UsageKey, int] | None = None) -> None:
        self._given: dict[UsageKey, int] = dict(given or {})
        self.taken: dict[UsageKey, int] = {}

    def given(self, key: UsageKey) -> int:
        """Points given under this counter so far, those of this usage included."""
        return self._given.get(key, 0)

    def load(self, given: Mapping[UsageKey, int]) -> None:
        """Set counters as the database has them; what was taken here since comes on top."""
        for key, points in given.items():
            self._given[key] = points + self.taken.get(key, 0)

    def take(self, key: UsageKey, points: int) -> None:
        """Count ``points`` more."""
        self._given[key] = self._given.get(key, 0) + points
        self.taken[key] = self.taken.get(key, 0) + points
