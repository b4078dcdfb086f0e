"""Where the buyer is signed in, and how to end it there."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from crm.api import Buyer, devices_of, known_sites, linked_accounts, open_sites, sign_out_device, sign_out_others
from redemption.views.buyers import for_buyers


@require_safe
@for_buyers
def devices(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """All browsers in which the buyer's login is signed in, and the accounts of other sites that open it."""
    found = devices_of(request, timezone.now())
    sites, connectable = known_sites(), open_sites(request)
    linked = {account.site: account for account in linked_accounts(request.user.pk or 0)} if sites else {}
    context = {
        "page": "me",
        "devices": found,
        "others": len(found) > 1,
        # One that opens within WeChat only is shown elsewhere as well, and can be taken off there.
        "accounts": [(site, linked.get(site)) for site in sites if site in linked or site in connectable],
    }
    return render(request, "redemption/devices.html", context)


@require_POST
@for_buyers
def sign_out(request: HttpRequest, buyer: Buyer, number: int) -> HttpResponse:
    """End one of the other sessions. Somebody else's cannot be reached from here."""
    if sign_out_device(request, number, timezone.now()):
        messages.success(request, _("That device is signed out."))
    else:
        messages.info(request, _("That device was signed out already."))
    return redirect("redemption:devices")


@require_POST
@for_buyers
def sign_out_all(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """End all sessions but this one."""
    ended = sign_out_others(request, timezone.now())
    messages.success(
        request,
        ngettext("%(devices)s other device is signed out.", "%(devices)s other devices are signed out.", ended)
        % {"devices": ended},
    )
    return redirect("redemption:devices")
