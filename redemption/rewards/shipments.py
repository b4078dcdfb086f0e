"""Parcels as a carrier's or a warehouse's table tells of them: looked over, seen by a person, then written down.

The same file again changes nothing. Rows go in by hundreds, each hundred in one transaction with a handful of
statements, in the order of docs/locking.md: cash orders first, the redemptions last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.api import log_action
from redemption.models import Redemption
from redemption.models.redemption import redemption_number
from redemption.rewards.cash_orders import record_shipped
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.life import MOVES
from redemption.rewards.moving import MovedMeanwhile
from redemption.rewards.paid_orders import numbers_in
from redemption.rewards.reasons import Because
from redemption.rewards.tables import TableRow, read_columns

MOST_ROWS = 10_000
_AT_ONCE = 500
_TRIES = 3
_LONGEST = 60

TITLES = MappingProxyType(
    {
        "number": ("redemption number", "兑换单号", "redemption", "number", "兑换单", "订单号", "订单编号", "单号"),
        "carrier": ("carrier", "快递公司", "物流公司", "快递", "承运商", "logistics"),
        "tracking": (
            "tracking number", "运单号", "parcel number", "tracking", "快递单号", "物流单号", "运单编号",
        ),
    }
)  # fmt: skip


PROBLEMS: Mapping[str, Promise] = MappingProxyType(
    {
        "number_missing": _("The number of the redemption is missing. It begins with JF."),
        "number_wrong": _(
            "“%(value)s” is not the number of a redemption: it begins with JF and ends with a check digit."
        ),
        "unknown": _("There is no redemption with the number %(value)s."),
        "carrier_missing": _("The carrier is missing."),
        "tracking_missing": _("The parcel number is missing."),
        "too_long": _("“%(value)s” is longer than 60 characters. Check that the columns are not shifted."),
        "rounded": _(
            "A spreadsheet program has rounded the parcel number “%(value)s”, and digits are lost. Write it as text."
        ),
        "twice": _("Line %(value)s has the same redemption with another parcel."),
        "not_goods": _("This redemption is of something that is not sent."),
        "state": _("This redemption cannot be sent in its state: %(value)s."),
        "moved": _("This redemption has changed in the meantime. Import the file again."),
    }
)


class Parcel(NamedTuple):
    """A row that can be read: which redemption, and its parcel."""

    line_no: int
    redemption_id: int
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is refused: ``value`` is what it is about."""

    line_no: int
    number: str
    code: str
    value: str = ""

    def message(self) -> str:
        return str(PROBLEMS[self.code]) % {"value": self.value}


@dataclass(slots=True)
class Shipments:
    """What a file does, or would do."""

    ship: list[Parcel] = field(default_factory=list)
    correct: list[Parcel] = field(default_factory=list)
    same: int = 0
    refused: list[Refusal] = field(default_factory=list)

    @property
    def changes(self) -> list[Parcel]:
        return sorted([*self.ship, *self.correct])


def look_over_shipments(path: Path) -> Shipments:
    """Read a file and write nothing. Raises ``UnreadableFile``."""
    parcels, refused = read_parcels(read_columns(path, TITLES, most=MOST_ROWS))
    found = judge_parcels(parcels)
    found.refused = sorted([*refused, *found.refused], key=lambda refusal: refusal.line_no)
    return found


def read_parcels(rows: Iterable[TableRow]) -> tuple[list[Parcel], list[Refusal]]:
    """Read rows into parcels, each redemption once. Pure."""
    parcels: dict[int, Parcel] = {}
    refused: list[Refusal] = []
    for row in rows:
        parcel = _read(row)
        if isinstance(parcel, Refusal):
            refused.append(parcel)
        elif (known := parcels.setdefault(parcel.redemption_id, parcel))[1:] != parcel[1:]:
            refused.append(Refusal(row.line_no, row.cells["number"], "twice", str(known.line_no)))
    return list(parcels.values()), refused


def _read(row: TableRow) -> Parcel | Refusal:
    typed, carrier, tracking = (row.cells[name] for name in ("number", "carrier", "tracking"))

    def refuse(code: str, value: str = "") -> Refusal:
        return Refusal(row.line_no, typed[:_LONGEST], code, value[:_LONGEST])

    if not typed:
        return refuse("number_missing")
    ids = numbers_in(typed)
    if len(ids) != 1:
        return refuse("number_wrong", typed)
    if not carrier:
        return refuse("carrier_missing")
    if not tracking:
        return refuse("tracking_missing")
    if "E+" in tracking.upper():
        return refuse("rounded", tracking)
    too_long = next((text for text in (carrier, tracking) if len(text) > _LONGEST), "")
    return refuse("too_long", too_long) if too_long else Parcel(row.line_no, ids[0], carrier, tracking)


def judge_parcels(parcels: Sequence[Parcel]) -> Shipments:
    """Say what each parcel would do to its redemption. One query."""
    redemptions = Redemption.objects.select_related("reward").in_bulk([parcel.redemption_id for parcel in parcels])
    found = Shipments()
    for parcel in parcels:
        _put(found, parcel, redemptions.get(parcel.redemption_id))
    return found


def _put(found: Shipments, parcel: Parcel, redemption: Redemption | None) -> None:
    if redemption is None:
        found.refused.append(Refusal(parcel.line_no, _number(parcel), "unknown", _number(parcel)))
        return
    state = RedemptionState(redemption.state)
    if (redemption.carrier, redemption.tracking_number) == (parcel.carrier, parcel.tracking_number):
        found.same += 1
    elif redemption.reward.kind != RewardKind.GOODS:
        found.refused.append(Refusal(parcel.line_no, redemption.number, "not_goods"))
    elif RedemptionState.SHIPPED not in MOVES[state]:
        found.refused.append(Refusal(parcel.line_no, redemption.number, "state", str(state.label)))
    elif state is RedemptionState.SHIPPED:
        found.correct.append(parcel)
    else:
        found.ship.append(parcel)


def _number(parcel: Parcel) -> str:
    return redemption_number(parcel.redemption_id)


def send(
    parcels: Sequence[Parcel], *, actor_id: int, at: datetime, reason: str = Because.SHIPMENT_FILE, file: str = ""
) -> Shipments:
    """Write parcels down; return what became of them. What is so already stays as it is."""
    total = Shipments()
    ordered = sorted(parcels, key=lambda parcel: parcel.redemption_id)
    for start in range(0, len(ordered), _AT_ONCE):
        done = _send_some(ordered[start : start + _AT_ONCE], actor_id, at, reason)
        total.ship += done.ship
        total.correct += done.correct
        total.same += done.same
        total.refused += done.refused
    if total.changes or file:
        log_action(
            "redemptions.shipments", actor_id=actor_id, at=at, file=file, shipped=len(total.ship),
            corrected=len(total.correct), same=total.same, refused=len(total.refused),
        )  # fmt: skip
    return total


def _send_some(parcels: Sequence[Parcel], actor_id: int, at: datetime, reason: str) -> Shipments:
    for _try in range(_TRIES):
        found = judge_parcels(parcels)
        try:
            _write(found.changes, actor_id, at, reason)
        except MovedMeanwhile:
            continue
        return found
    moved = [Refusal(parcel.line_no, _number(parcel), "moved") for parcel in parcels]
    return Shipments(refused=moved)


_SHIP = """
UPDATE redemption_redemption AS r
   SET state = 'shipped', carrier = d.carrier, tracking_number = d.tracking, moved_at = %(at)s,
       moved_by_id = %(actor)s, move_reason = %(reason)s
  FROM (
      SELECT x.id, x.carrier, x.tracking, x.state
        FROM unnest(%(ids)s::bigint[], %(carriers)s::text[], %(tracking)s::text[], %(states)s::text[])
             AS x (id, carrier, tracking, state)
       ORDER BY x.id
  ) AS d
 WHERE r.id = d.id AND r.state = d.state
"""


def _write(parcels: Sequence[Parcel], actor_id: int, at: datetime, reason: str) -> None:
    """Raises MovedMeanwhile, with nothing written, when one of the redemptions is no longer as it was just now."""
    if not parcels:
        return
    redemptions = Redemption.objects.select_related("reward").in_bulk([parcel.redemption_id for parcel in parcels])
    leaving = [redemption for redemption in redemptions.values() if redemption.state != RedemptionState.SHIPPED]
    with transaction.atomic():
        record_shipped(leaving, at=at)
        with connection.cursor() as cursor:
            cursor.execute(
                _SHIP,
                {
                    "ids": [parcel.redemption_id for parcel in parcels],
                    "carriers": [parcel.carrier for parcel in parcels],
                    "tracking": [parcel.tracking_number for parcel in parcels],
                    "states": [redemptions[parcel.redemption_id].state for parcel in parcels],
                    "at": at,
                    "actor": actor_id,
                    "reason": reason,
                },
            )
            if cursor.rowcount != len(parcels):
                raise MovedMeanwhile
