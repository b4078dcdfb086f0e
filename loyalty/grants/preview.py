"""What a grant would do, before anybody says yes: how many members and points, at what cost, with which problems."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from loyalty.liability import cost_on, yuan_to_fen_half_up
from loyalty.models import Grant

_EARLIER_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a grant: how many, of how many members, and what they give and take (both positive, in points)."""

    rows: int = 0
    members: int = 0
    gives: int = 0
    takes: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What a grant would do.

    ``usual`` are the rows that are posted in any case, ``repeats`` those that an earlier grant has given already, and
    ``duplicates`` those that say the same as another row; both are left out unless somebody means them. ``refused``
    rows cannot be posted at all. Of the usual ones ``short`` would be refused if it were now, for want of points.
    """

    rows: int = 0
    usual: Part = Part()
    repeats: Part = Part()
    duplicates: Part = Part()
    refused: int = 0
    short: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values, ready for a JSON column."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Preview":
        """Read what ``as_json`` wrote."""
        parts = {name: Part(**data[name]) for name in _PARTS if name in data}
        return cls(**{**data, **parts})


@dataclass(frozen=True, slots=True)
class Weight:
    """What a grant moves as it was confirmed: ``total`` points without regard to the sign, and for one member at most
    ``largest``."""

    rows: int
    members: int
    gives: int
    takes: int
    largest: int

    @property
    def total(self) -> int:
        return self.gives + self.takes


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier grant that gave some of the same."""

    grant: Grant
    rows: int


_PARTS = {
    "usual": "code = '' AND before_id IS NULL",
    "repeats": "code IN ('', 'duplicate') AND before_id IS NOT NULL",
    "duplicates": "code = 'duplicate' AND before_id IS NULL",
}
# Who is no member yet will be one of his own, once the grant runs.
_WHOM = "coalesce(member_id, -line_no)"
_FIGURES = ", ".join(
    f"count(*) FILTER (WHERE {rows}), count(DISTINCT {_WHOM}) FILTER (WHERE {rows}),"
    f" coalesce(sum(points) FILTER (WHERE {rows} AND points > 0), 0)::bigint,"
    f" coalesce(-sum(points) FILTER (WHERE {rows} AND points < 0), 0)::bigint"
    for rows in _PARTS.values()
)
_PREVIEW = f"""
SELECT count(*), count(*) FILTER (WHERE code NOT IN ('', 'duplicate')), count(*) FILTER (WHERE short), {_FIGURES}
  FROM loyalty_grantrow WHERE grant_id = %s
"""

# Rows that were given before weigh nothing, unless they are to be given again.
_WEIGHT = f"""
SELECT coalesce(sum(rows), 0)::bigint, count(*), coalesce(sum(gives), 0)::bigint, coalesce(sum(takes), 0)::bigint,
       coalesce(max(gives + takes), 0)::bigint
  FROM (
      SELECT count(*) AS rows, coalesce(sum(points) FILTER (WHERE points > 0), 0) AS gives,
             coalesce(-sum(points) FILTER (WHERE points < 0), 0) AS takes
        FROM loyalty_grantrow
       WHERE grant_id = %(grant)s AND (code = '' OR %(duplicates)s AND code = 'duplicate')
         AND (before_id IS NULL OR %(repeats)s)
       GROUP BY {_WHOM}
  ) AS member
"""


def preview(grant_id: int) -> Preview:
    """Add the rows of a grant up."""
    with connection.cursor() as cursor:
        cursor.execute(_PREVIEW, [grant_id])
        rows, refused, short, *figures = cursor.fetchone()
    parts = {name: Part(*figures[4 * place : 4 * place + 4]) for place, name in enumerate(_PARTS)}
    return Preview(rows=rows, refused=refused, short=short, **parts)


def weigh(grant_id: int, *, with_duplicates: bool, with_repeats: bool) -> Weight:
    """What a grant moves when duplicates and repeats are meant, or not."""
    with connection.cursor() as cursor:
        cursor.execute(_WEIGHT, {"grant": grant_id, "duplicates": with_duplicates, "repeats": with_repeats})
        return Weight(*cursor.fetchone())


def cost_in_yuan(points: int, at: datetime) -> Decimal:
    """What points cost the shop by the published cost of a point, to the fen."""
    return yuan_to_fen_half_up(points * cost_on(at).per_point)


def earlier_grants(grant_id: int) -> list[Earlier]:
    """The grants that gave what this one would give again, those with the most rows first; at most five."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT before_id, count(*) FROM loyalty_grantrow WHERE grant_id = %s AND before_id IS NOT NULL"
            " GROUP BY 1 ORDER BY 2 DESC, 1 DESC LIMIT %s",
            [grant_id, _EARLIER_SHOWN],
        )
        rows: dict[int, int] = dict(cursor.fetchall())
    grants = Grant.objects.select_related("made_by").in_bulk(rows)
    return [Earlier(grants[before], number) for before, number in rows.items()]


def same_file(grant: Grant) -> Grant | None:
    """The latest other upload of the very same file that was not called off."""
    if not grant.sha256:
        return None
    off = (Grant.State.REJECTED, Grant.State.CANCELLED, Grant.State.FAILED)
    others = Grant.objects.filter(sha256=grant.sha256, pk__lt=grant.pk).exclude(state__in=off)
    return others.select_related("made_by").order_by("-pk").first()
