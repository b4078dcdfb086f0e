"""What an amount earns. Pure decisions; ``loyalty.rulebook`` fetches the published versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """Every ``per`` of money earns ``points`` points. ``version`` names the published rule, 0 the one built in."""

    version: int
    per: Decimal
    points: int
    effective_from: datetime | None = None

    def award(self, amount: Decimal) -> int:
        """Points that ``amount`` (yuan) earns: whole steps only, the rest of a step earns nothing."""
        return whole_steps_down(amount, self.per) * self.points

    def as_trace(self) -> dict[str, Any]:
        """What an entry keeps of the rule, enough to work the figure out again in years."""
        return {"version": self.version, "per": str(self.per), "points": self.points}


# In force until the shop publishes a rule of its own: one yuan, one point.
BUILT_IN = Rate(version=0, per=Decimal(1), points=1)


def whole_steps_down(amount: Decimal, per: Decimal) -> int:
    """How many whole ``per`` fit into ``amount``; none in a negative amount."""
    return max(int(amount // per), 0)


def rate_at(rates: Iterable[Rate], at: datetime) -> Rate:
    """The rule in force at an instant; of two that begin together the later version."""
    for rate in rates:
        if rate.effective_from is not None and rate.effective_from <= at:
            return rate
    return BUILT_IN
