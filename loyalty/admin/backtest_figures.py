"""What the page of a finished backtest shows, and its figures as a table for a spreadsheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.apps import apps
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from crm.filekit import Cell
from loyalty.explain_award import name_of
from loyalty.liability import yuan_to_fen_half_up
from loyalty.models import BacktestJob

_TENTH, _HUNDREDTH = Decimal("0.1"), Decimal("0.01")


def _percent_half_up(part: Decimal, whole: Decimal, place: Decimal) -> Decimal:
    return (part * 100 / whole).quantize(place, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what it is about, how much was paid for how many orders (None where that says nothing), the
    points on both sides, and what they cost in yuan."""

    name: str
    live: int
    candidate: int
    cost: Decimal
    orders: int | None = None
    paid: Decimal | None = None
    note: str = ""

    @property
    def more(self) -> int:
        """How many points more the candidate pays; less than zero where it pays less."""
        return self.candidate - self.live

    @property
    def yuan(self) -> Decimal:
        """What the candidate's points cost."""
        return yuan_to_fen_half_up(self.candidate * self.cost)

    @property
    def yuan_live(self) -> Decimal:
        """What the points of that time cost."""
        return yuan_to_fen_half_up(self.live * self.cost)

    @property
    def percent(self) -> Decimal | None:
        """The difference in percent of what was paid then; None where that was nothing."""
        return _percent_half_up(Decimal(self.more), Decimal(self.live), _TENTH) if self.live else None


@dataclass(frozen=True, slots=True)
class DearOrder:
    """An order whose points cost more than the margin."""

    order_id: int
    number: str
    paid: Decimal
    live: int
    candidate: int
    yuan: Decimal
    percent: Decimal | None


class Shown:
    """A finished backtest as its page and its downloads show it."""

    def __init__(self, job: BacktestJob) -> None:
        self._found: Mapping[str, Any] = job.result or {}
        self.cost = Decimal(self._found["cost"])
        self.orders: int = self._found["orders"]
        self.paid = _yuan(self._found["paid"])
        self.kept = self._row(_("Points that stay"), self._found["kept"])
        self.totals = [
            self._row(_("Given for the orders"), self._found["gross"]),
            self._row(_("Taken back for returns"), self._taken_back()),
            self.kept,
        ]
        self.journal: Mapping[str, int] = self._found["journal"]
        self.months = [self._sums(_month(row["month"]), row) for row in self._found["months"]]
        self.tiers = self._tiers()
        self.rules = [
            self._row(name_of(row["rule"], row["kind"], {row["rule"]: row["name"]}), row, note=_cut(row["cut"]))
            for row in self._found["rules"]
            if row["live"] or row["candidate"] or any(row["cut"].values())
        ]
        self.members: Mapping[str, Any] = self._found["members"]
        self.margin: Mapping[str, Any] = self._found["margin"]

    @property
    def share(self) -> Decimal | None:
        """What the candidate's points cost, in percent of what was paid; None where nothing was."""
        return _percent_half_up(self.kept.yuan, self.paid, _HUNDREDTH) if self.paid else None

    def gainers(self) -> list[tuple[int, Row]]:
        """Who gains most, by the member's id."""
        return self._people("gainers")

    def losers(self) -> list[tuple[int, Row]]:
        """Who loses most, by the member's id."""
        return self._people("losers")

    def dear(self) -> list[DearOrder]:
        """The orders with the largest share of their price in points."""
        rows = self.margin["examples"]
        orders = apps.get_model("crm", "Order").objects.in_bulk([row["order"] for row in rows])
        shown = []
        for row in rows:
            paid, yuan = _yuan(row["paid"]), yuan_to_fen_half_up(row["candidate"] * self.cost)
            percent = _percent_half_up(yuan, paid, _TENTH) if paid else None
            number = orders[row["order"]].external_no if row["order"] in orders else ""
            shown.append(DearOrder(row["order"], number, paid, row["live"], row["candidate"], yuan, percent))
        return shown

    def charts(self) -> dict[str, Any]:
        """The figures of the charts, by the part of the page that they belong to."""
        return {
            "totals": _chart([row for row in self.totals if row.live or row.candidate]) | {"horizontal": True},
            "months": _chart(self.months) | {"months": [row["month"] for row in self._found["months"]]},
            "rules": _chart(self.rules) | {"horizontal": True},
            "tiers": _chart(self.tiers) | {"horizontal": True},
        }

    def titles(self) -> list[str]:
        """The titles of the table for a spreadsheet."""
        return [
            _("Part"), pgettext("of a thing", "Name"), _("Orders"), _("Paid in yuan"),
            _("Points under the rules of that time"),
            _("Points under the tried rules"), _("Difference in points"),
            _("Cost in yuan under the rules of that time"), _("Cost in yuan under the tried rules"),
        ]  # fmt: skip

    def cells(self, names: Mapping[int, str]) -> Iterator[Sequence[Cell]]:
        """All figures, a row each. ``names`` has those of the members that are told."""
        parts = [
            (_("In all"), self.totals), (_("By month"), self.months), (_("By tier"), self.tiers),
            (_("By rule"), self.rules),
            (_("Members who gain most"), [_named(row, names.get(member)) for member, row in self.gainers()]),
            (_("Members who lose most"), [_named(row, names.get(member)) for member, row in self.losers()]),
        ]  # fmt: skip
        for part, rows in parts:
            for row in rows:
                paid = "" if row.paid is None else f"{row.paid}"
                yield (
                    part, row.name, row.orders, paid, row.live, row.candidate, row.more, f"{row.yuan_live}",
                    f"{row.yuan}",
                )  # fmt: skip
        for order in self.dear():
            yield (
                _("Orders above the margin"), order.number, 1, f"{order.paid}", order.live, order.candidate,
                order.candidate - order.live, f"{yuan_to_fen_half_up(order.live * self.cost)}", f"{order.yuan}",
            )  # fmt: skip

    def _row(self, name: str, pair: Mapping[str, Any], note: str = "") -> Row:
        return Row(name, pair["live"], pair["candidate"], self.cost, note=note)

    def _sums(self, name: str, row: Mapping[str, Any]) -> Row:
        return Row(name, row["live"], row["candidate"], self.cost, row["orders"], _yuan(row["paid"]))

    def _taken_back(self) -> dict[str, int]:
        gross, kept = self._found["gross"], self._found["kept"]
        return {side: kept[side] - gross[side] for side in kept}

    def _tiers(self) -> list[Row]:
        """By tier, the highest first; the names are those of today."""
        rungs = {rung.code: rung for rung in apps.get_model("crm", "Tier").objects.all()}
        rows = sorted(self._found["tiers"], key=lambda row: -rungs[row["tier"]].rank if row["tier"] in rungs else 1)
        return [
            self._sums(rungs[row["tier"]].name if row["tier"] in rungs else row["tier"] or _("No tier"), row)
            for row in rows
        ]

    def _people(self, side: str) -> list[tuple[int, Row]]:
        return [(row["member"], self._row(f"#{row['member']}", row)) for row in self.members[side]]


def _chart(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "months": [row.name for row in rows],
        "series": [
            {"name": _("Rules of that time"), "values": [row.live for row in rows]},
            {"name": _("Tried rules"), "values": [row.candidate for row in rows]},
        ],
    }


def _named(row: Row, name: str | None) -> Row:
    return Row(f"{row.name} {name}", row.live, row.candidate, row.cost) if name else row


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def _month(name: str) -> str:
    day = parse_date(f"{name}-01")
    return date_format(day, "YEAR_MONTH_FORMAT") if day else name


def _cut(cut: Mapping[str, int]) -> str:
    """What caps kept back, in words; "" where they kept nothing."""
    if not any(cut.values()):
        return ""
    return _("Limits held back %(candidate)s points, and %(live)s under the rules of that time.") % cut
