"""Accounts of other sites that open the buyer's login: connected after a yes of his, taken off again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm.api import (
    Buyer,
    Linking,
    Unlinking,
    link_account,
    pending_account,
    take_pending_account,
    unlink_account,
)
from redemption.views.buyers import for_buyers
from redemption.views.fresh_code import proof_first


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def connect(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Ask whether the account that the buyer came back with is to open his login. On a borrowed device it may be
    somebody else's, so its nickname is shown; and who he is himself has to be proven by a code."""
    at = timezone.now()
    asked = (request.POST if request.method == "POST" else request.GET).get("next", "")
    own = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    target = asked if own else reverse("redemption:devices")
    if "no" in request.POST:
        take_pending_account(request, at)
        return redirect(target)
    vouched = pending_account(request, at)
    if vouched is None:
        messages.info(request, _("There is nothing to connect any more. Please begin anew."))
        return redirect("redemption:devices")
    if proof := proof_first(request, at):
        return proof
    if request.method != "POST":
        context = {"page": "me", "account": vouched, "buyer": buyer, "next": target if own else ""}
        return render(request, "redemption/connect.html", context)
    take_pending_account(request, at)
    site = {"site": vouched.site.label}
    match link_account(request.user.pk or 0, buyer.member_id, vouched, at):
        case Linking.DONE:
            messages.success(request, _("Connected. From now on %(site)s is enough to sign in.") % site)
        case Linking.ALREADY:
            messages.info(request, _("This %(site)s account is connected already.") % site)
        case Linking.TAKEN:
            messages.error(
                request, _("This %(site)s account opens another buyer's points. Disconnect it there first.") % site
            )
        case Linking.FULL:
            messages.error(request, _("Another %(site)s account is connected. Disconnect that one first.") % site)
    return redirect(target)


@require_POST
@for_buyers
def disconnect(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """Take one of his accounts off. Somebody else's cannot be reached from here."""
    match unlink_account(request.user.pk or 0, buyer.member_id, pk, timezone.now()):
        case Unlinking.DONE:
            messages.success(request, _("Disconnected. It no longer opens your points."))
        case Unlinking.GONE:
            messages.info(request, _("It was disconnected already."))
        case Unlinking.LAST:
            messages.error(
                request,
                _("It is your only way in: the shop knows no mail address and no phone number that is yours alone."),
            )
    return redirect("redemption:devices")
