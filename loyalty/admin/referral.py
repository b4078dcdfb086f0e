"""Who brought whom, and the queue of referrals that a person should look at."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminkit import EndlessAdmin, may, person
from loyalty.choices import ReferralState
from loyalty.models import Referral
from loyalty.referral import deciding
from loyalty.referral.review import NotToBeDecided, decide, may_decide

REVIEW = "loyalty.review_referral"

SIGNS = {
    deciding.CIRCLE: gettext_lazy("The promoter was himself brought by this buyer, directly or through others."),
    deciding.SAME_DEVICE: gettext_lazy("The promoter has been signed in on the same device."),
    deciding.SAME_PHONE: gettext_lazy("Both have the same phone number."),
    deciding.SAME_EMAIL: gettext_lazy("Both have the same mail address."),
    deciding.SAME_ADDRESS: gettext_lazy("Both have goods sent to the same postal address."),
    deciding.SHARED_DEVICE: gettext_lazy("Other members have been signed in on the buyer's device."),
    deciding.MANY_IN_A_DAY: gettext_lazy("The promoter brought unusually many buyers within a day."),
    deciding.BOUGHT_AT_ONCE: gettext_lazy("The order was paid within a minute of opening the link."),
}
_COLOURS = {
    ReferralState.COUNTING: "success",
    ReferralState.REVIEW: "warning",
    ReferralState.REFUSED: "danger",
    ReferralState.REJECTED: "danger",
}


class DecisionForm(forms.Form):
    """Why a referral is approved or rejected."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For the staff log; neither the promoter nor the buyer sees it."),
    )


@admin.register(Referral)
class ReferralAdmin(EndlessAdmin):
    """Shown, never edited: what a person decides goes through the page for deciding."""

    list_display = ("tied_at", "promoter", "buyer", "shown_state", "points", "visited_at")
    list_filter = ("state",)
    list_select_related = ("promoter", "buyer")
    search_fields = ("promoter__name", "buyer__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Referral]:
        referrals: QuerySet[Referral] = super().get_queryset(request)
        return referrals.annotate(kept=Sum("shares__kept", default=0))

    @display(description=gettext_lazy("state"), label={str(state): colour for state, colour in _COLOURS.items()})
    def shown_state(self, referral: Referral) -> tuple[str, str]:
        return referral.state, str(ReferralState(referral.state).label)

    @display(description=gettext_lazy("points"))
    def points(self, referral: Referral) -> int:
        kept: int = getattr(referral, "kept", 0)
        return kept

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One referral: who, when, what speaks against it, what it brought, and the decision."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not (object_id.isascii() and object_id.isdecimal()):
            raise Http404
        found = self.get_queryset(request).filter(pk=int(object_id))
        referral = found.select_related("promoter", "buyer", "link__channel", "link__product", "decided_by").first()
        if referral is None:
            raise Http404
        form = DecisionForm(request.POST or None)
        if request.method == "POST":
            if not may(request, REVIEW):
                raise PermissionDenied
            if form.is_valid():
                return self._decided(request, referral, form.cleaned_data["reason"])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Referral of %(buyer)s") % {"buyer": referral.buyer},
            "opts": self.opts,
            "referral": referral,
            "signs": [SIGNS[sign] for sign in referral.signs if sign in SIGNS],
            "shares": referral.shares.select_related("order", "product"),
            "form": form,
            "may_approve": may(request, REVIEW) and may_decide(referral, approve=True),
            "may_reject": may(request, REVIEW) and may_decide(referral, approve=False),
        }
        return TemplateResponse(request, "admin/loyalty/referral.html", context)

    def _decided(self, request: HttpRequest, referral: Referral, reason: str) -> HttpResponse:
        approve = "approve" in request.POST
        try:
            points = decide(referral.pk, approve=approve, reason=reason, actor_id=person(request), at=timezone.now())
        except NotToBeDecided:
            messages.error(request, _("This referral has been decided meanwhile. Nothing was changed."))
        else:
            messages.success(request, _decision(points, approve=approve))
        return HttpResponseRedirect(reverse("admin:loyalty_referral_changelist"))


def _decision(points: int, *, approve: bool) -> str:
    if approve:
        return _("Approved. Points given so far: %(points)s.") % {"points": points}
    return _("Rejected. Points taken back: %(points)s.") % {"points": -points}
