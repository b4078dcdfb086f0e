"""Everything that the shop holds about the buyer: what that is, and the file with all of it."""

from allauth.core import ratelimit
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from crm.api import Buyer, everything_held, log_action, shown_tables
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers
from redemption.views.fresh_code import proof_first

ZIP = "application/zip"


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def own_data(request: HttpRequest, buyer: Buyer) -> HttpResponseBase:
    """Say what is in the file; on POST make it. Both ask for a fresh code first: it holds more than any page."""
    at = timezone.now()
    asked = proof_first(request, at)
    if asked is not None:
        return asked
    if request.method != "POST":
        titles = [table.shown_title() for table in shown_tables()]
        return render(request, "redemption/own_data.html", {"page": "me", "titles": titles})
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="own_data", user=request.user)
    if limited is not None:
        return limited
    log_action("member.data", actor_id=request.user.pk, at=at, member_id=buyer.member_id)
    day = at.astimezone(loyalty.programme_zone()).date()
    file = everything_held(buyer.member_id, at)
    return FileResponse(file, as_attachment=True, filename=f"my-data-{day}.zip", content_type=ZIP)
