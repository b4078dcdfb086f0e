"""Orders that brought no points, and why."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from crm.api import Buyer
from loyalty import api as loyalty
from redemption.views.buyers import before_id, for_buyers

PAGE = 20


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order with the reasons, the nearest first."""

    found: loyalty.OrderWithoutPoints
    reasons: list[str]


@require_safe
@for_buyers
def no_points(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The member's orders that brought nothing, newest first, a page at a time."""
    found = loyalty.orders_without_points(buyer.member_id, timezone.now(), before_id=before_id(request), limit=PAGE + 1)
    context = {
        "page": "history",
        "part": "nothing",
        "orders": [ShownOrder(order, loyalty.explain_nothing(order)) for order in found[:PAGE]],
        "older": found[PAGE - 1].order.order_id if len(found) > PAGE else None,
    }
    only_lines = getattr(request, "htmx", False)
    return render(request, "redemption/_no_points.html" if only_lines else "redemption/no_points.html", context)
