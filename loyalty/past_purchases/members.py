"""Names that nobody has yet become members, just before their points are posted."""

from datetime import date, datetime, time
from typing import NamedTuple

from django.db import connection, transaction

from crm.api import Newcomer, log_action, make_newcomers
from loyalty.models import Grant
from loyalty.past_purchases.checking import FACT
from loyalty.validity import programme_zone

_AT_ONCE = 5_000

_NEXT = """
SELECT id, detail #>> '{newcomer,channel}', detail #>> '{newcomer,name}', detail #>> '{newcomer,email}',
       detail #>> '{newcomer,phone}', detail ->> 'bought_on'
  FROM loyalty_grantrow
 WHERE grant_id = %s AND seq IS NOT NULL AND code = '' AND member_id IS NULL AND outcome = ''
 ORDER BY seq LIMIT %s
"""

# Somebody may have come by this name since the check; then it is his.
_FOUND = f"""
UPDATE loyalty_grantrow AS g
   SET member_id = i.member_id, fact = {FACT.format(member="i.member_id")}, detail = g.detail - 'newcomer'
  FROM crm_identity AS i
 WHERE g.id = ANY (%(rows)s) AND i.channel_id = (g.detail #>> '{{newcomer,channel}}')::bigint
   AND i.external_id = g.detail #>> '{{newcomer,name}}'
"""

# He may stand in this file by another name.
_TWICE = """
UPDATE loyalty_grantrow AS g
   SET code = 'past_twice', value = f.first_line::text
  FROM (
      SELECT r.id, row_number() OVER alike AS occurrence, first_value(r.line_no) OVER alike AS first_line
        FROM loyalty_grantrow AS r
       WHERE r.grant_id = %s AND r.code = '' AND r.fact IS NOT NULL
      WINDOW alike AS (PARTITION BY r.fact ORDER BY r.outcome = '', r.line_no)
  ) AS f
 WHERE g.id = f.id AND f.occurrence > 1 AND g.outcome = ''
"""


def make_missing_members(grant: Grant, at: datetime) -> None:
    """Make members of the names in a grant that nobody has, as far as the check has let them pass.

    Does nothing to grants of another kind, and nothing a second time: a run that is taken up again goes on with what is
    left.
    """
    if grant.source != Grant.Source.PAST or not grant.past.makes_members:
        return
    made = 0
    while rows := _next_rows(grant.pk):
        with transaction.atomic(), connection.cursor() as cursor:
            made += make_newcomers([_newcomer(row, at) for row in rows])
            cursor.execute(_FOUND, {"gap": grant.past.gap_id, "rows": [row.row_id for row in rows]})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TWICE, [grant.pk])
        if made:
            log_action("grant.members", actor_id=grant.made_by_id, at=at, grant=grant.pk, members=made)


class _Row(NamedTuple):
    row_id: int
    channel: str
    name: str
    email: str
    phone: str
    bought_on: str | None


def _next_rows(grant_id: int) -> list[_Row]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [grant_id, _AT_ONCE])
        return [_Row(*row) for row in cursor.fetchall()]


def _newcomer(row: _Row, at: datetime) -> Newcomer:
    joined = at
    if row.bought_on is not None:
        joined = datetime.combine(date.fromisoformat(row.bought_on), time.min, tzinfo=programme_zone())
    return Newcomer(int(row.channel), row.name, row.email, row.phone, joined)
