"""What can be counted of a member: the metrics that thresholds are about, and the rows that they are summed from.

The ground floor counts orders and money. Whoever has another figure registers a source from ``AppConfig.ready``, as the
points floor does with the points earned. A source is a query and not a number for each member: a review sums it over
the windows of a million members at a time, and always from the facts themselves, so that there is no counter that
could be wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

SPEND, ORDER_COUNT = "spend", "order_count"


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is counted. ``code`` is a column of its source and stands in schemes; ``places`` is how many
    decimals its figures have; ``unit`` follows a figure in a sentence."""

    code: str
    label: str | Promise
    unit: str | Promise
    places: int = 0


@dataclass(frozen=True, slots=True)
class MetricSource:
    """Where metrics come from.

    ``rows`` is a SELECT that gives ``member_id``, ``at`` (the instant from which a row counts; ``-infinity`` where none
    is known) and a number for each metric, in a column of its code. ``{members}`` in it is the condition on
    ``member``, the expression that its rows are found by. Parameters that it may use: ``success_after`` (an interval
    or NULL) and ``currency`` of the scheme. A percent sign is doubled.
    """

    code: str
    metrics: tuple[Metric, ...]
    rows: str
    member: str


# When an order has succeeded: receipt was confirmed, or the scheme's number of days has passed since it was shipped. An
# order that the platform calls completed without any instant counts since ever.
SUCCEEDED_AT = """
       least(CASE WHEN o.status = 'completed'
                  THEN coalesce(o.completed_at, o.shipped_at, o.paid_at, o.placed_at, '-infinity') END,
             o.shipped_at + %(success_after)s::interval)"""

# Orders as they stand: what went back counts as never paid, at the instant of the order and not of the refund. Returns
# that name no order take their amount off at their own instant.
_ORDERS = f"""
SELECT o.member_id, {SUCCEEDED_AT} AS at, greatest(o.paid - o.refunded, 0) AS spend,
       CASE WHEN o.paid > o.refunded THEN 1 ELSE 0 END AS order_count
  FROM crm_order AS o
 WHERE o.status IN ('completed', 'shipped') AND {{members}}
   AND o.channel_id IN (SELECT c.id FROM crm_channel AS c WHERE c.currency = %(currency)s)
"""
_RETURNS = """
SELECT o.member_id, coalesce(o.at, '-infinity'), -o.amount, 0
  FROM crm_refund AS o
 WHERE o.order_id IS NULL AND o.status = 'success' AND {members}
   AND o.channel_id IN (SELECT c.id FROM crm_channel AS c WHERE c.currency = %(currency)s)
"""

ORDERS = MetricSource(
    "orders",
    (
        Metric(SPEND, pgettext_lazy("metric of tiers", "Spent"), pgettext_lazy("after a number", "yuan"), places=2),
        Metric(ORDER_COUNT, _("Successful orders"), pgettext_lazy("after a number", "orders")),
    ),
    f"{_ORDERS} UNION ALL {_RETURNS}",
    "o.member_id",
)

_sources: dict[str, MetricSource] = {ORDERS.code: ORDERS}


def register_metrics(source: MetricSource) -> None:
    """Let schemes ask about the metrics of a source; the same code replaces the earlier one."""
    _sources[source.code] = source


def all_metrics() -> list[Metric]:
    """Every metric that a scheme may ask about, those of orders first."""
    return [metric for source in _sources.values() for metric in source.metrics]


def find_metric(code: str) -> Metric:
    """The metric of a code. Raises LookupError where nobody has registered it."""
    for metric in all_metrics():
        if metric.code == code:
            return metric
    raise LookupError(f"no metric is called {code!r}")


def sources_of(codes: Iterable[str]) -> list[MetricSource]:
    """The sources of these metrics, each once, in the order they were registered. Raises LookupError."""
    wanted = set(codes)
    for code in wanted:
        find_metric(code)
    return [source for source in _sources.values() if wanted & {metric.code for metric in source.metrics}]
