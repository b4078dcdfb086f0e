"""What the check of a grant thinks of rows about past purchases: who is a repeat, who is there twice, who is new."""

from datetime import datetime

from django.db import connection

from crm.filekit import Columns, Table, find_columns, read_table
from loyalty.choices import ValidityKind
from loyalty.grants.making import Reading
from loyalty.grants.staging import CHANNELS, stage_records
from loyalty.models import Grant, PastPurchases
from loyalty.past_purchases.rows import AMOUNT, TITLES, Terms, rate, read_row
from loyalty.policies import policy_in_force
from loyalty.rulebook import published_sets, set_of
from loyalty.validity import programme_zone

# Names that nobody has yet become members when the grant runs. Not when the row names a member otherwise, too: then
# somebody has to say who is meant.
_NEWCOMERS = f"""
UPDATE loyalty_grantrow AS g
   SET code = v.verdict,
       "column" = CASE WHEN v.verdict = '' THEN '' ELSE g.column END,
       value = CASE WHEN v.verdict = '' THEN '' ELSE g.value END,
       detail = CASE WHEN v.verdict = '' THEN g.detail || jsonb_build_object('newcomer', jsonb_build_object(
           'channel', v.channel_id, 'name', v.name, 'email', v.email, 'phone', v.phone
       )) ELSE g.detail END
  FROM (
      SELECT r.line_no, r.name, r.email, r.phone, k.id AS channel_id, CASE
                 WHEN r.name LIKE '%%*%%' THEN 'past_masked'
                 WHEN r.email <> '' AND (
                     EXISTS (SELECT FROM crm_member AS m WHERE lower(m.email) = r.email AND m.email <> '')
                     OR EXISTS (SELECT FROM crm_identity AS i WHERE i.email = r.email AND i.email <> '')
                 ) OR r.phone <> '' AND (
                     EXISTS (SELECT FROM crm_member AS m WHERE m.phone = r.phone AND m.phone <> '')
                     OR EXISTS (SELECT FROM crm_identity AS i WHERE i.phone = r.phone AND i.phone <> '')
                 ) THEN 'past_contact_known'
                 ELSE ''
             END AS verdict
        FROM loyalty_grant_raw AS r
        JOIN ({CHANNELS}) AS k ON k.given = r.channel
       WHERE r.code = '' AND r.name <> '' AND r.member_no IS NULL
  ) AS v
 WHERE g.grant_id = %(grant)s AND g.line_no = v.line_no AND g.code = 'unknown_name'
"""

# Once for each member and time, whatever else a row says: the fact is made from these two alone.
FACT = "sha256(convert_to(concat_ws('|', 'past', %(gap)s::text, {member}::text), 'UTF8'))"

_ONCE = f"""
UPDATE loyalty_grantrow AS g
   SET seq = f.place, fact = f.fact, before_id = b.grant_id,
       code = CASE WHEN f.occurrence > 1 THEN 'past_twice' ELSE '' END, "column" = '',
       value = CASE WHEN f.occurrence > 1 THEN f.first_line::text ELSE '' END
  FROM (
      SELECT p.id, p.member_id, row_number() OVER alike AS occurrence, first_value(p.line_no) OVER alike AS first_line,
             row_number() OVER (ORDER BY p.member_id NULLS LAST, p.line_no) AS place,
             CASE WHEN p.member_id IS NOT NULL THEN {FACT.format(member="p.member_id")} END AS fact
        FROM loyalty_grantrow AS p
       WHERE p.grant_id = %(grant)s AND p.code IN ('', 'duplicate')
      WINDOW alike AS (
          PARTITION BY p.member_id, p.detail #>> '{{newcomer,channel}}', p.detail #>> '{{newcomer,name}}'
          ORDER BY p.line_no
      )
  ) AS f
  LEFT JOIN LATERAL (
      SELECT x.grant_id FROM loyalty_grantrow AS x WHERE x.fact = f.fact AND x.outcome = 'given' LIMIT 1
  ) AS b ON TRUE
 WHERE g.id = f.id
"""


def terms_of(grant: Grant, at: datetime) -> Terms:
    """What the rows of a grant are worth, and until when."""
    past = grant.past
    basis: dict[str, str | int] = {"past": past.gap.name}
    if past.per is not None and past.points is not None:
        worth = rate(past.per, past.points, past.rounding)
        basis |= {"per": str(past.per), "points": past.points, "rounding": past.rounding}
    else:
        basis["set"] = past.rule_version or 0
        worth = set_of(published_sets(), past.rule_version or 0).base_for
    policy = policy_in_force(at)
    counts = past.counts_from == PastPurchases.CountsFrom.PURCHASE and policy.kind is not ValidityKind.NEVER
    return Terms(worth, policy if counts else None, basis, at.astimezone(programme_zone()).date())


def _stage(grant: Grant, table: Table, at: datetime) -> Columns:
    columns = find_columns(table.header, TITLES, AMOUNT, "past_columns")
    terms = terms_of(grant, at)
    stage_records(read_table(table, columns, lambda row: read_row(row, terms)))
    return columns


def _judge(grant: Grant, at: datetime) -> None:
    parameters = {"grant": grant.pk, "gap": grant.past.gap_id}
    with connection.cursor() as cursor:
        if grant.past.makes_members:
            cursor.execute(_NEWCOMERS, parameters)
        cursor.execute(_ONCE, parameters)


READING = Reading(_stage, _judge)
