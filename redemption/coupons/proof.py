"""The proof that coupons, the budgets of their plans, the journal and the pools of codes tell the same story."""

from dataclasses import dataclass

from django.db import connection

from redemption.rewards.proof import Fault

# What a plan has given out = its coupons that are not void.
_GIVEN_OUT = """
SELECT p.id, coalesce(u.coupons, -1), coalesce(u.yuan, -1), coalesce(c.coupons, 0), coalesce(c.yuan, 0)
  FROM redemption_couponplan AS p
  LEFT JOIN redemption_planuse AS u ON u.plan_id = p.id
  LEFT JOIN (
      SELECT x.plan_id, count(*) AS coupons, sum(x.yuan) AS yuan
        FROM redemption_coupon AS x
       WHERE x.state <> 'void'
       GROUP BY x.plan_id
  ) AS c ON c.plan_id = p.id
 WHERE u.plan_id IS NULL OR u.coupons <> coalesce(c.coupons, 0) OR u.yuan <> coalesce(c.yuan, 0)
 ORDER BY p.id
"""

# What was burned for a coupon is its price, and what came back is what the coupon says.
_POINTS = """
SELECT c.id, c.points, coalesce(-e.points, 0), c.points_back, b.points
  FROM redemption_coupon AS c
  LEFT JOIN loyalty_entry AS e ON e.id = c.entry_id AND e.account_id = c.member_id AND e.kind = 'burn'
 CROSS JOIN LATERAL (
      SELECT coalesce(sum(x.points), 0)::bigint AS points
        FROM loyalty_entry AS x
       WHERE x.about_id = e.id AND x.kind = 'reversal'
 ) AS b
 WHERE e.id IS NULL OR -e.points <> c.points OR b.points <> c.points_back
 ORDER BY c.id
"""

# A code of a pool that was given out is its coupon's, with the same worth and plan.
_CODES = """
SELECT k.id, k.coupon_id, coalesce(c.id, 0)
  FROM redemption_poolcode AS k
  LEFT JOIN redemption_coupon AS c
    ON c.id = k.coupon_id AND c.code = k.code AND c.yuan = k.yuan AND c.plan_id = k.plan_id
 WHERE k.coupon_id IS NOT NULL AND c.id IS NULL
 ORDER BY k.id
"""

_MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class CouponReport:
    """What was looked at, and the first hundred faults of each proof."""

    plans: int
    coupons: int
    faults: list[Fault]

    @property
    def ok(self) -> bool:
        return not self.faults


def prove_coupons() -> CouponReport:
    """Compare the counters of plans, the journal and the pools with the coupons."""
    proofs = (("given_out", _GIVEN_OUT), ("coupon_points", _POINTS), ("coupon_codes", _CODES))
    with connection.cursor() as cursor:
        faults = []
        for proof, statement in proofs:
            cursor.execute(statement)
            faults += [Fault(proof, pk, [int(n) for n in figures]) for pk, *figures in cursor.fetchmany(_MOST_NAMED)]
        cursor.execute("SELECT (SELECT count(*) FROM redemption_couponplan), (SELECT count(*) FROM redemption_coupon)")
        plans, coupons = cursor.fetchone()
    return CouponReport(plans, coupons, faults)
