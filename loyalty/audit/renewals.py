"""Every change of a lot's end is written down, and the last one is what the lot says.

Each ``LotRenewal`` begins with the end that the one before left, and a lot that was ever renewed ends when the last of
them says. In a mismatch instants are text in UTC, and ``never`` stands for no end.
"""

from collections.abc import Iterator

from loyalty.audit.reading import Piece, mismatches
from loyalty.audit.report import Findings
from loyalty.audit.scope import Scope


def check_renewals(scope: Scope, findings: Findings) -> Iterator[Piece]:
    """Prove the chain of each lot's renewals. With a scope, of lots whose account or validity was touched since."""
    lots = "TRUE" if scope.whole else _TOUCHED.format(accounts=scope.accounts("l.account_id"))
    query = _RENEWALS.format(lots=lots, expected=_INSTANT.format("t.expected"), actual=_INSTANT.format("t.actual"))
    yield mismatches("renewals", findings, query, {**scope.values, "since": scope.since})


# A change of policy renews lots and writes no entry, so that its accounts are not among those that were touched.
_TOUCHED = """x.lot_id IN (
                   SELECT l.id FROM loyalty_lot AS l WHERE {accounts}
                   UNION ALL
                   SELECT y.lot_id FROM loyalty_lotrenewal AS y WHERE y.recorded_at >= %(since)s
               )"""

_INSTANT = """coalesce(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'never')"""

_RENEWALS = """
    WITH chain AS (
        SELECT x.id, x.lot_id, x.before, x.after, lag(x.id) OVER steps AS earlier, lag(x.after) OVER steps AS left_by,
               lead(x.id) OVER steps AS later
          FROM loyalty_lotrenewal AS x
         WHERE {lots}
        WINDOW steps AS (PARTITION BY x.lot_id ORDER BY x.id)
    ), wrong AS (
        SELECT c.*, l.id IS NOT NULL AS known, coalesce(l.account_id, 0) AS account_id, l.expires_at
          FROM chain AS c
          LEFT JOIN loyalty_lot AS l ON l.id = c.lot_id
         WHERE l.id IS NULL
            OR (c.earlier IS NOT NULL AND c.before IS DISTINCT FROM c.left_by)
            OR (c.later IS NULL AND l.expires_at IS DISTINCT FROM c.after)
    ), told AS (
        SELECT w.*, o.*
          FROM wrong AS w
         CROSS JOIN LATERAL (
             VALUES ('renewal_has_its_lot', 'renewal ' || w.id, NULL::timestamptz, NULL::timestamptz, NOT w.known),
                    ('renewals_follow_each_other', 'renewal ' || w.id, w.left_by, w.before,
                     w.earlier IS NOT NULL AND w.before IS DISTINCT FROM w.left_by),
                    ('lot_ends_as_renewed', 'lot ' || w.lot_id, w.after, w.expires_at,
                     w.known AND w.later IS NULL AND w.expires_at IS DISTINCT FROM w.after)
         ) AS o (law, named, expected, actual, is_so)
    )
    SELECT t.law, t.account_id, t.named,
           CASE WHEN t.known THEN {expected} ELSE 'lot ' || t.lot_id END,
           CASE WHEN t.known THEN {actual} ELSE '' END
      FROM told AS t
     WHERE t.is_so
"""
