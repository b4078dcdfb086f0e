"""What a points page shows of a member's points: all of it as one value of a statement that the page puts together.

The page of the store reads its own things, and those of the ground floor, in the same statement. What all members share
it has read before and brings along.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from loyalty.checkin import CheckInBoard, SignedDay, board_from
from loyalty.explain_award import tells_names
from loyalty.gifts import profile_key
from loyalty.rulebook import PublishedSets, names_in
from loyalty.statement import POINTS_SUMMARY, AccountSummary, StatementLine, line_of, summary_of
from loyalty.validity import programme_zone

_LATELY = timedelta(days=30)  # What an older order brought is for who asks.
_TIMES = ("effective_at", "recorded_at", "lot__expires_at", "about__lot__expires_at")

# The columns of entries are named as those of ``loyalty.statement``; how they are found is explained there.
_OVERVIEW = """
json_build_object(
  'summary', {summary},
  'nothing', (
    SELECT o.id
      FROM (SELECT o.id, o.status, o.placed_at
              FROM crm_order AS o
             WHERE o.member_id = m.id AND o.placed_at <= %(at)s
             ORDER BY o.placed_at DESC, o.id DESC
             LIMIT 1) AS o
     WHERE o.status IN ('paid', 'shipped', 'completed') AND o.placed_at > %(lately)s
       AND NOT EXISTS (SELECT FROM loyalty_entry AS e WHERE e.order_id = o.id AND e.account_id = m.id)),
  'days', (
    SELECT json_agg(json_build_array(c.day, c.streak, coalesce(given.points, 0)))
      FROM loyalty_checkin AS c LEFT JOIN loyalty_entry AS given ON given.id = c.entry_id
     WHERE c.member_id = m.id AND c.day >= %(first_day)s AND c.day <= %(today)s),
  'profile', EXISTS (SELECT FROM loyalty_entry AS gift WHERE gift.key = %(profile_key)s),
  'lines', (
    SELECT json_agg(row_to_json(latest))
      FROM (SELECT e.id, e.kind, e.points, e.pending, e.held, e.balance_after, e.effective_at, e.recorded_at,
                   o.external_no AS order__external_no, o.title AS order__title, ch.name AS order__channel__name,
                   e.reference, e.reason, e.trace, own.expires_at AS lot__expires_at, own.remaining AS lot__remaining,
                   other.expires_at AS about__lot__expires_at, other.remaining AS about__lot__remaining,
                   NULL AS actor__username
              FROM loyalty_entry AS e
              LEFT JOIN crm_order AS o ON o.id = e.order_id
              LEFT JOIN crm_channel AS ch ON ch.id = o.channel_id
              LEFT JOIN loyalty_lot AS own ON own.entry_id = e.id
              LEFT JOIN loyalty_lot AS other ON other.entry_id = e.about_id
             WHERE e.account_id = ANY (ARRAY[m.id])
             ORDER BY e.account_id, e.id DESC
             LIMIT {lines}) AS latest)
)::text
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """A member's points on one page: the sums, the latest lines, the sign-ins (None where none is rewarded), whether he
    has had his gift for the profile, and the id of his newest order where it is of late and has brought nothing."""

    summary: AccountSummary
    lines: list[StatementLine]
    board: CheckInBoard | None
    profile_rewarded: bool
    empty_order_id: int | None = None


def overview_sql(*, lines: int) -> str:
    """SQL text: what ``overview_of`` reads of the member ``m``, with so many of his latest entries and the parameters
    of ``overview_values``. The number stands in the text: as a parameter it would have each look planned anew."""
    return _OVERVIEW.replace("{summary}", POINTS_SUMMARY).replace("{lines}", str(int(lines)))


def overview_values(member_id: int, at: datetime) -> dict[str, Any]:
    """The parameters of ``overview_sql``."""
    today = at.astimezone(programme_zone()).date()
    first = min(today.replace(day=1), today - timedelta(days=1))
    return {
        "at": at, "lately": at - _LATELY, "today": today, "first_day": first, "profile_key": profile_key(member_id),
    }  # fmt: skip


def overview_of(value: str, member_id: int, at: datetime, sets: PublishedSets) -> Overview:
    """Read what ``overview_sql`` found. No query, but for what capped rules and those on members ask of a sign-in."""
    found = json.loads(value)
    return Overview(
        summary=summary_of(found["summary"]),
        lines=_lines(found["lines"] or (), sets),
        board=board_from(_days(found["days"] or ()), member_id, at, sets),
        profile_rewarded=found["profile"],
        empty_order_id=found["nothing"],
    )


def _lines(rows: Collection[dict[str, Any]], sets: PublishedSets) -> list[StatementLine]:
    for row in rows:
        row.update((name, datetime.fromisoformat(row[name])) for name in _TIMES if row[name])
    names = names_in(sets, {row["trace"]["set"] for row in rows if tells_names(row["trace"])})
    return [line_of(row, names.get(row["trace"].get("set"), {})) for row in rows]


def _days(rows: Collection[tuple[str, int, int]]) -> dict[date, SignedDay]:
    return {date.fromisoformat(day): SignedDay(streak, points) for day, streak, points in rows}
