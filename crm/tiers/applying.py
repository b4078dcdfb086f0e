"""Making grants and offers of what ``crm.tiers.staging`` has staged, a statement a table."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from crm.events import TierChanges, tiers_changed
from crm.tiers.figures_sql import Members
from crm.tiers.scheme import Scheme

_LOCK = "SELECT id FROM crm_member WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE"


def lock_members(cursor: CursorWrapper, member_ids: Sequence[int]) -> None:
    """Let others who would change these members' tiers wait until this transaction ends (docs/locking.md)."""
    cursor.execute(_LOCK, [list(member_ids)])


# Grants and moves are told apart from offers by their outcomes.
_OFFERS = "('offer', 'renewal')"

_REPLACE = f"""
UPDATE crm_tiergrant AS g
   SET ended_at = s.as_of
  FROM crm_stage_move AS s
 WHERE g.id = s.grant_id AND s.outcome NOT IN {_OFFERS} AND g.ended_at IS NULL
   AND (g.ends_at IS NULL OR g.ends_at > s.as_of)
"""

_GRANT = f"""
INSERT INTO crm_tiergrant (
    member_id, tier_id, begins_at, ends_at, source, reason, figures, granted_at, replaced_id, locked, scheme_id, move,
    qualified_from, qualified_until, restart_at
)
SELECT s.member_id, t.id, s.as_of, s.ends_at, s.source, '', s.figures, %(at)s, s.grant_id, s.locked, %(scheme)s,
       s.outcome, s.qualified_from, s.qualified_until, s.restart_at
  FROM crm_stage_move AS s
  JOIN crm_tier AS t ON t.rank = s.target
 WHERE s.outcome NOT IN {_OFFERS}
 ORDER BY s.member_id
RETURNING id, move
"""

# Another term is no longer to be had once the tier has changed, nor a tier that the member now holds or has passed. A
# higher one still is.
_OVERTAKE = f"""
UPDATE crm_tieroffer AS o
   SET state = 'replaced', closed_at = greatest(s.as_of, o.opened_at)
  FROM crm_stage_move AS s, crm_tier AS t
 WHERE o.member_id = s.member_id AND o.state = 'open' AND t.id = o.tier_id
   AND (s.outcome IN {_OFFERS} OR o.kind = 'renewal' OR t.rank <= s.target)
"""

_OFFER = f"""
INSERT INTO crm_tieroffer (
    member_id, tier_id, scheme_id, kind, state, opened_at, until, qualified_from, qualified_until, figures
)
SELECT s.member_id, t.id, %(scheme)s, CASE s.outcome WHEN 'offer' THEN 'up' ELSE 'renewal' END, 'open', s.as_of,
       s.until, s.qualified_from, s.qualified_until, s.figures
  FROM crm_stage_move AS s
  JOIN crm_tier AS t ON t.rank = s.target
 WHERE s.outcome IN {_OFFERS}
 ORDER BY s.member_id
RETURNING id, kind
"""


def apply_moves(cursor: CursorWrapper, scheme: Scheme, *, at: datetime) -> Counter[str]:
    """Write what is staged and tell the handlers of ``on_tiers_changed``. The members are locked. Returns how many
    moved in which way; those who were offered a tier count as "offered"."""
    values: dict[str, Any] = {"scheme": scheme.id, "at": at}
    cursor.execute(_REPLACE)
    cursor.execute(_GRANT, values)
    grants = cursor.fetchall()
    cursor.execute(_OVERTAKE)
    cursor.execute(_OFFER, values)
    offers = cursor.fetchall()
    counts = Counter(move for _id, move in grants)
    if offers:
        counts["offered"] = len(offers)
    if grants or offers:
        tiers_changed(TierChanges(tuple(pk for pk, _ in grants), tuple(pk for pk, _ in offers)), at)
    return counts


_LAPSING = """
SELECT DISTINCT o.member_id FROM crm_tieroffer AS o
 WHERE o.state = 'open' AND o.until <= %(at)s AND {members} ORDER BY o.member_id
"""
_LAPSE = """
UPDATE crm_tieroffer AS o SET state = 'lapsed', closed_at = o.until
 WHERE o.state = 'open' AND o.until <= %(at)s AND {members}
"""


def lapsing(cursor: CursorWrapper, members: Members, at: datetime) -> list[int]:
    """Who of these members has a claim whose time is over, ascending."""
    cursor.execute(_LAPSING.format(members=members.condition("o.member_id")), members.values | {"at": at})
    return [member_id for (member_id,) in cursor.fetchall()]


def lapse(cursor: CursorWrapper, members: Members, at: datetime) -> int:
    """End the claims of these members whose time is over. The members are locked. Returns how many there were."""
    cursor.execute(_LAPSE.format(members=members.condition("o.member_id")), members.values | {"at": at})
    return int(cursor.rowcount)


# In ascending order, as every review writes them.
_STANDINGS = """
INSERT INTO crm_tierstanding AS ts (member_id, next_rank, next_share, keep_share, keep_due_at, seen_order_at)
SELECT * FROM crm_stage_standing ORDER BY member_id
    ON CONFLICT (member_id) DO UPDATE
   SET next_rank = excluded.next_rank, next_share = excluded.next_share, keep_share = excluded.keep_share,
       keep_due_at = excluded.keep_due_at, seen_order_at = greatest(ts.seen_order_at, excluded.seen_order_at)
"""


def write_standings(cursor: CursorWrapper) -> None:
    """Write the staged standings."""
    cursor.execute(_STANDINGS)
