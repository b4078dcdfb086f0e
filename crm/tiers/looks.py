"""When and why members are looked at, and what the parts of a decision in SQL are made from."""

from dataclasses import dataclass
from datetime import datetime

from crm.tiers.decide import Occasion
from crm.tiers.figures_sql import FigureColumns, Members, Values
from crm.tiers.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Look:
    """When and why members are looked at. On the occasion ``END`` each is looked at when his term ended, if that was
    from ``since`` on, before ``before``, and not after ``at``."""

    occasion: Occasion
    at: datetime
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What all parts of the statement are made from."""

    scheme: Scheme
    members: Members
    look: Look
    values: Values
    figures: FigureColumns

    @property
    def at_end(self) -> bool:
        """Whether terms that ended are looked at."""
        return self.look.occasion is Occasion.END

    @property
    def now(self) -> bool:
        """Whether members are looked at as they are."""
        return self.look.occasion is Occasion.NOW


def case_sql(cases: list[str], otherwise: str) -> str:
    """The first of the cases ("WHEN … THEN …") that holds, or ``otherwise``, as an expression."""
    return f"CASE {' '.join(cases)} ELSE {otherwise} END" if cases else otherwise
