"""Which members a part of a report is about. What is counted of members adds up only over parts that share none."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.db import connection

PART = 25_000  # Redemptions and coupons that are worked out at once, in about half a second.

_COUNTED = """
SELECT (SELECT count(*) FROM redemption_redemption AS r WHERE r.placed_at >= %(since)s AND r.placed_at < %(until)s)
     + (SELECT count(*) FROM redemption_coupon AS c WHERE c.issued_at >= %(since)s AND c.issued_at < %(until)s)
"""
_BORDERS = """
SELECT percentile_disc((SELECT array_agg(part::float8 / %(parts)s) FROM generate_series(1, %(parts)s - 1) AS part))
           WITHIN GROUP (ORDER BY t.member_id)
  FROM (SELECT r.member_id FROM redemption_redemption AS r WHERE r.placed_at >= %(since)s AND r.placed_at < %(until)s
         UNION ALL
        SELECT c.member_id FROM redemption_coupon AS c WHERE c.issued_at >= %(since)s AND c.issued_at < %(until)s) AS t
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The members whose ids are above one number, up to another."""

    above: int
    upto: int


EVERYBODY = Span(0, 2**63 - 1)


def how_many(since: datetime, until: datetime) -> int:
    """Return how many redemptions and coupons there are in a period. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {"since": since, "until": until})
        [counted] = cursor.fetchone()
    return int(counted)


def spans_of(since: datetime, until: datetime, counted: int) -> list[Span]:
    """Divide the members so that each span has about ``PART`` of what was ``counted`` in the period. One query; none
    where there is no more than that."""
    parts = -(-counted // PART)
    if parts <= 1:
        return [EVERYBODY]
    with connection.cursor() as cursor:
        cursor.execute(_BORDERS, {"since": since, "until": until, "parts": parts})
        [found] = cursor.fetchone()
    borders = [EVERYBODY.above, *sorted(set(found or ())), EVERYBODY.upto]
    return [Span(above, upto) for above, upto in pairwise(borders)]
