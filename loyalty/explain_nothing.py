"""Why an order brought nothing, in sentences for the buyer (law 11)."""

from decimal import Decimal

from django.utils.translation import gettext as _

from crm.api import OrderStatus
from loyalty.earning.award import Award, Miss
from loyalty.explain_award import Names, explain_award, explain_miss
from loyalty.without_points import OrderWithoutPoints

# First what the buyer can still do something about, then what he might do otherwise next time.
_NEAREST = ("amount_short", "not_yet", "paid_late", "confirmed_late", "tier_rank", "tier", "no_birthday", "cap_reached")
# They follow from another rule's giving nothing, and say nothing to the buyer.
_FOLLOWING = frozenset({"nothing_to_multiply", "outdone", "displaced"})
_MOST = 5
_FEN = 100
# How late is little, by what the rule counts lateness in.
_LITTLE_LATE = {"paid_late": 60, "confirmed_late": 3}  # Minutes; days.


def explain_nothing(found: OrderWithoutPoints) -> list[str]:
    """Say why, the nearest reason first; at least one sentence."""
    order = found.order
    if order.status is OrderStatus.PLACED:
        return [_("It is not paid yet. Points are worked out when it is.")]
    if order.status is OrderStatus.CLOSED:
        return [_("The order was closed, so it brings no points.")]
    if not order.paid:
        return [_("Nothing was paid for it, and points come from what is paid.")]
    if order.refunded >= order.paid:
        return [_("All the money went back, so it brings no points.")]
    sentences = _told(found.award, found.rule_names) if found.award else []
    if order.status in (OrderStatus.PAID, OrderStatus.SHIPPED):
        sentences.append(_("It has not been received yet; some rules count only then."))
    return sentences or [_("It brought nothing under the rules of the day it was paid.")]


def nearly_brought(found: OrderWithoutPoints) -> str:
    """Return the sentence of the rule that an order missed by the least; "" where none missed it by little.

    Little is no more money than half of what was paid, an hour, or three days; and what is decided on receipt.
    """
    if found.award is None or found.award.points:
        return ""
    near = [miss for miss in found.award.misses if _by_little(miss, found)]
    return explain_miss(min(near, key=_distance), found.rule_names) if near else ""


def _by_little(miss: Miss, found: OrderWithoutPoints) -> bool:
    if miss.code == "amount_short":
        return Decimal(miss.params["short"]) * 2 <= found.order.paid * _FEN
    if miss.code in _LITTLE_LATE:
        return int(miss.params["late"]) <= _LITTLE_LATE[miss.code]
    return miss.code == "not_yet"


def _told(award: Award, names: Names) -> list[str]:
    # With points, it would be worth something by what is known today, and was not by what was known then.
    if award.points:
        return []
    goods = [sentence for line in award.lines for sentence in explain_award(award._replace(lines=(line,)), names)]
    misses = [miss for miss in award.misses if miss.code not in _FOLLOWING]
    if award.lines:
        # The goods that count nothing have been told; that other rules do not see them, follows.
        misses = [miss for miss in misses if miss.code != "no_line"]
    misses.sort(key=_distance)
    return list(filter(None, [*goods, *(explain_miss(miss, names) for miss in misses)]))[:_MOST]


def _distance(miss: Miss) -> int:
    return _NEAREST.index(miss.code) if miss.code in _NEAREST else len(_NEAREST)
