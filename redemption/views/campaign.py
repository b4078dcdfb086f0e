"""Where a buyer types the code of a campaign."""

from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy
from django.views.decorators.http import require_http_methods

from crm.api import Buyer
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers
from redemption.ways import Way, is_open


class CampaignForm(forms.Form):
    """A code as somebody types it."""

    code = forms.CharField(
        label=pgettext_lazy("of a campaign", "Code"),
        max_length=loyalty.LONGEST_CODE,
        widget=forms.TextInput(
            attrs={"class": "field", "autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def campaign(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The form, and what became of a code. A wrong one is not told from one that ended or is meant for others."""
    if not is_open(Way.CAMPAIGN, timezone.now()):
        raise Http404
    form = CampaignForm(request.POST or None)
    if request.method == "POST":
        limited: HttpResponse | None = ratelimit.consume_or_429(request, action="campaign_code", user=request.user)
        if limited is not None:
            return limited
        if form.is_valid() and _redeemed(request, buyer, form):
            return redirect("redemption:campaign")
    return render(request, "redemption/campaign.html", {"page": "home", "form": form})


def _redeemed(request: HttpRequest, buyer: Buyer, form: CampaignForm) -> bool:
    try:
        given = loyalty.redeem_code(buyer.member_id, form.cleaned_data["code"], timezone.now())
    except loyalty.NoGift:
        form.add_error("code", _("No points for this code: it is mistyped, has ended or is not meant for you."))
        return False
    if given.repeated:
        messages.info(request, _("You have used this code already. It counts once."))
    else:
        messages.success(
            request,
            ngettext("The code brought you %(points)s point.", "The code brought you %(points)s points.", given.points)
            % {"points": given.points},
        )
    return True
