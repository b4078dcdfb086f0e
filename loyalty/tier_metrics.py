"""What the points floor counts for tier schemes: points earned. Never the balance: who spends his points stays what he
is."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.api import Metric, MetricSource

# Points count from when they became available; those of an order that is on its way are not there yet. What a return
# takes away counts as never earned, at the instant from which those points counted. Points that the shop gave by hand
# or carried over from elsewhere were not earned.
_EARNED = """
SELECT e.account_id AS member_id,
       CASE WHEN e.kind = 'reversal' THEN coalesce(
           (SELECT min(m.effective_at) FROM loyalty_entry AS m
             WHERE m.about_id = e.about_id AND m.kind = 'maturation'),
           (SELECT a.effective_at FROM loyalty_entry AS a WHERE a.id = e.about_id),
           e.effective_at
       ) ELSE e.effective_at END AS at,
       e.points AS points_earned
  FROM loyalty_entry AS e
 WHERE (e.kind IN ('accrual', 'maturation') OR (e.kind = 'reversal' AND e.points < 0)) AND {members}
"""

POINTS = MetricSource(
    "points",
    (Metric("points_earned", _("Points earned"), pgettext_lazy("after a number", "points")),),
    _EARNED,
    "e.account_id",
)
