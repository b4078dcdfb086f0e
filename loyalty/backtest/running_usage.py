"""Counters of capped rules while days go by. Pure."""

from collections.abc import Mapping
from datetime import date

from loyalty.earning.usage import Usage, UsageKey


class RunningUsage(Usage):
    """Counters in memory for orders that come in the order of their days.

    Counters of a day are forgotten when the next day begins, since nobody asks for them again: so memory grows with the
    members under a cap at most, not with the days.
    """

    __slots__ = ("_day", "_of_day", "_of_ever")

    def __init__(self, given: Mapping[UsageKey, int] | None = None) -> None:
        super().__init__()
        self._of_ever: dict[UsageKey, int] = dict(given or {})
        self._of_day: dict[UsageKey, int] = {}
        self._day: date | None = None

    def given(self, key: UsageKey) -> int:
        return (self._of_ever if key.day is None else self._of_day).get(key, 0)

    def take(self, key: UsageKey, points: int) -> None:
        counters = self._of_ever
        if key.day is not None:
            if key.day != self._day:
                self._day = key.day
                self._of_day.clear()
            counters = self._of_day
        counters[key] = counters.get(key, 0) + points
