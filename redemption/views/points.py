"""The points page and the history of points."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from crm.api import Buyer, ClaimState, claim_member, find_claim, note_visit
from loyalty import api as loyalty
from redemption.home_page import COUPONS, read_by_all, read_own
from redemption.kept_pages import kept_page, stamped_buyer
from redemption.offers import current_offers, of_several_plans, offers_of, shelf, worth_rounded_down
from redemption.views.buyers import before_id, for_buyers
from redemption.visitors import recognise
from redemption.ways import ways_to_earn

PAGE = 20
SHOWN_OFFERS = 4


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of history with its words."""

    line: loyalty.StatementLine
    headline: str
    explanation: list[str]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The shop window for strangers, the points page for members, and a helping hand for logins without a member."""
    at = timezone.now()
    found = stamped_buyer(request.user.pk) if request.user.pk is not None else None
    if found is None:
        response = _without_member(request, at)
        add_never_cache_headers(response)
        return response
    note_visit(request, at)
    recognise(request, found.buyer.member_id, at)
    return kept_page(request, "redemption/home.html", found, lambda: _home_context(found.buyer, at), at)


def _without_member(request: HttpRequest, at: datetime) -> HttpResponse:
    if not request.user.is_authenticated:
        offers = current_offers(at)
        return render(request, "redemption/welcome.html", {"offers": offers, "named": of_several_plans(offers)})
    if request.user.is_staff:
        return render(request, "redemption/staff.html")
    return render(request, "redemption/no_member.html", {"claim": find_claim(request.user.pk)})


def _home_context(buyer: Buyer, at: datetime) -> dict[str, Any]:
    """What the page shows. Whatever of it may change must be in the buyer's stamp, or may show a minute later."""
    shared = read_by_all(at)
    own = read_own(buyer.member_id, at, shared)
    summary = own.points.summary
    offers = offers_of(shared.terms, rank=own.tier.tier.rank if own.tier.tier else 0)
    return {
        "page": "home",
        "buyer": buyer,
        "summary": summary,
        "expiring_day": summary.expiring_at and summary.expiring_at - timedelta(microseconds=1),
        "worth": worth_rounded_down(summary.spendable, offers),
        "offers": shelf(offers, summary.spendable - summary.debt)[:SHOWN_OFFERS],
        "more_offers": len(offers) > SHOWN_OFFERS,
        "named": of_several_plans(offers),
        "tier": own.tier,
        "board": own.points.board,
        "ways": ways_to_earn(shared.sets, at, profile_rewarded=own.points.profile_rewarded),
        "coupons": own.coupons[: COUPONS - 1],
        "more_coupons": len(own.coupons) == COUPONS,
        "lines": _shown(own.points.lines),
        "nearly": _nearly(buyer.member_id, own.points.empty_order_id, at),
    }


@require_safe
@for_buyers
def history(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """All that ever happened to the member's points, newest first, a page at a time."""
    found = loyalty.history(buyer.member_id, before_id=before_id(request), limit=PAGE + 1)
    context = {
        "page": "history",
        "part": "all",
        "lines": _shown(found[:PAGE]),
        "older": found[PAGE - 1].entry_id if len(found) > PAGE else None,
    }
    only_lines = getattr(request, "htmx", False)
    return render(request, "redemption/_lines.html" if only_lines else "redemption/history.html", context)


@require_POST
@never_cache
def claim(request: HttpRequest) -> HttpResponse:
    """Look once more for the member of a login that has none, after the shop has put its data in order."""
    if request.user.is_authenticated:
        found = claim_member(request.user.pk, timezone.now())
        if found.state is not ClaimState.TIED:
            messages.info(request, _("Nothing has changed yet: the shop's data still does not lead to your points."))
    return redirect("redemption:home")


def _nearly(member_id: int, order_id: int | None, at: datetime) -> str:
    """Say by how little the newest order brought nothing; "" where it brought something, or was far from it."""
    if order_id is None:
        return ""
    latest = loyalty.orders_without_points(member_id, at, limit=1)
    return loyalty.nearly_brought(latest[0]) if latest and latest[0].order.order_id == order_id else ""


def _shown(lines: list[loyalty.StatementLine]) -> list[ShownLine]:
    return [ShownLine(line, loyalty.headline(line), loyalty.explain(line)) for line in lines]
