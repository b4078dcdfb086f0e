"""What an import did, in figures that can be kept, added up and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from crm.orders import RecordReport


@dataclass
class Counts:
    """Figures of one file, or of several added up. ``effects`` are what the upper floors did about the orders."""

    rows: int = 0
    orders_new: int = 0
    orders_updated: int = 0
    orders_unchanged: int = 0
    members_new: int = 0
    refunds: int = 0
    rejected: int = 0  # Rows.
    seconds: float = 0.0  # Time spent on committed batches only, so that a pause does not slow the rate down.
    effects: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Counts":
        """Read what ``as_json`` wrote; unknown names are left out, missing ones are zero."""
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values, ready for a JSON column."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def add_report(self, report: RecordReport) -> None:
        """Add what one recorded batch did."""
        self.orders_new += report.orders_new
        self.orders_updated += report.orders_updated
        self.orders_unchanged += report.orders_unchanged
        self.members_new += report.members_new
        self.refunds += report.refunds
        self._add_effects(report.effects)

    def add(self, other: "Counts") -> None:
        """Add the figures of another file."""
        for item in fields(self):
            if item.name != "effects":
                setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))
        self._add_effects(other.effects)

    def _add_effects(self, effects: Mapping[str, int]) -> None:
        for name, value in effects.items():
            self.effects[name] = self.effects.get(name, 0) + value

    @property
    def rate(self) -> float:
        """Rows a second over the committed batches; 0 before the first one."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0
