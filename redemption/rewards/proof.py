"""The proof that stock, codes, points and redemptions tell the same story: set by set, for all of them."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

# What can be redeemed = what the shop put in − what redemptions hold.
_STOCK = """
SELECT s.reward_id, s.free, coalesce(c.pieces, 0) - coalesce(r.held, 0)
  FROM redemption_stock AS s
  LEFT JOIN (SELECT reward_id, sum(pieces) AS pieces FROM redemption_stockchange GROUP BY reward_id) AS c
    ON c.reward_id = s.reward_id
  LEFT JOIN (
      SELECT x.reward_id, sum(x.quantity - x.cancelled - x.restocked) AS held
        FROM redemption_redemption AS x
        JOIN redemption_reward AS w ON w.id = x.reward_id AND w.counted
       GROUP BY x.reward_id
  ) AS r ON r.reward_id = s.reward_id
 WHERE s.free <> coalesce(c.pieces, 0) - coalesce(r.held, 0)
 ORDER BY s.reward_id
"""

# What was drawn for a redemption is its price, and what came back is the price of the pieces that did. A hold that the
# night has released already waits for the sweep, which is no fault.
_POINTS = """
SELECT r.id, r.points, coalesce(-e.points, 0), (r.cancelled + r.returned) * (r.points / r.quantity), b.points
  FROM redemption_redemption AS r
  LEFT JOIN loyalty_entry AS e ON e.id = r.entry_id AND e.account_id = r.member_id AND e.kind IN ('burn', 'hold')
  LEFT JOIN loyalty_hold AS h ON h.entry_id = e.id
 CROSS JOIN LATERAL (
      SELECT coalesce(sum(x.points), 0)::bigint AS points
        FROM loyalty_entry AS x
       WHERE x.about_id = e.id AND x.kind IN ('release', 'reversal')
 ) AS b
 WHERE e.id IS NULL OR -e.points <> r.points
    OR b.points <> (r.cancelled + r.returned) * (r.points / r.quantity)
       AND NOT (r.state = 'awaiting' AND b.points = r.points)
    OR h.id IS NOT NULL AND r.state NOT IN ('awaiting', 'cancelled') AND h.open
 ORDER BY r.id
"""

# Every piece of a digital good has its code; those that were cancelled unseen went back to the pool.
_CODES = """
SELECT r.id, r.quantity - r.cancelled, count(c.id)
  FROM redemption_redemption AS r
  JOIN redemption_reward AS w ON w.id = r.reward_id AND w.kind = 'digital'
  LEFT JOIN redemption_rewardcode AS c ON c.redemption_id = r.id
 GROUP BY r.id
HAVING count(c.id) <> r.quantity - r.cancelled
 ORDER BY r.id
"""

_MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not add up: which of the three proofs, whose id, and what was found against what was due."""

    proof: str
    id: int
    found: list[int]


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What was looked at, and the first hundred faults of each proof."""

    rewards: int
    redemptions: int
    faults: list[Fault]

    @property
    def ok(self) -> bool:
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "ok": self.ok,
            "rewards": self.rewards,
            "redemptions": self.redemptions,
            "faults": [{"proof": fault.proof, "id": fault.id, "found": fault.found} for fault in self.faults],
        }


def prove_store() -> StoreReport:
    """Compare the stock, the journal and the codes with the redemptions."""
    with connection.cursor() as cursor:
        faults = []
        for proof, statement in (("stock", _STOCK), ("points", _POINTS), ("codes", _CODES)):
            cursor.execute(statement)
            faults += [Fault(proof, pk, [int(n) for n in figures]) for pk, *figures in cursor.fetchmany(_MOST_NAMED)]
        cursor.execute("SELECT (SELECT count(*) FROM redemption_reward), (SELECT count(*) FROM redemption_redemption)")
        rewards, redemptions = cursor.fetchone()
    return StoreReport(rewards, redemptions, faults)
