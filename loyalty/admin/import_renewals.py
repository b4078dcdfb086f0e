"""Points of old orders that count from the day of their import: choice of the import, preview, confirmation, list."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.adminkit import EndlessAdmin, may, person
from crm.api import FinishedImport, finished_imports
from loyalty.grants.rows import MAX_REASON
from loyalty.models import ImportRenewal
from loyalty.past_purchases import renewing
from loyalty.validity import programme_zone

ADD = "loyalty.add_importrenewal"
_SHOWN = 50  # Older imports have had their day.


class ImportForm(forms.Form):
    """One of the latest imports whose points were not renewed yet."""

    job = forms.TypedChoiceField(label=gettext_lazy("Order import"), coerce=int, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        renewed = set(ImportRenewal.objects.values_list("job_id", flat=True))
        jobs = [job for job in finished_imports(_SHOWN) if job.job_id not in renewed]
        self.fields["job"].choices = [(job.job_id, _name(job)) for job in jobs]  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why the points of an import are renewed."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Kept in the staff log."),
    )


def _name(job: FinishedImport) -> str:
    finished = date_format(job.finished_at.astimezone(programme_zone()), "SHORT_DATETIME_FORMAT")
    return f"#{job.job_id} · {job.channel_name} · {finished} · {'、'.join(job.files)}"


@admin.register(ImportRenewal)
class ImportRenewalAdmin(EndlessAdmin):
    """What was renewed, and the page that renews. Both need a permission of their own."""

    list_display = ("number", "channel", "made_by", "made_at", "lots", "points", "last_day", "done", "reason")
    list_select_related = ("channel", "made_by")
    list_display_links = None

    @display(description=gettext_lazy("order import"))
    def number(self, renewal: ImportRenewal) -> str:
        return str(renewal)

    @display(description=gettext_lazy("valid through"))
    def last_day(self, renewal: ImportRenewal) -> str:
        return _last_day(renewal.valid_until)

    @display(description=gettext_lazy("finished"), boolean=True)
    def done(self, renewal: ImportRenewal) -> bool:
        return renewal.finished_at is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, ADD)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_add_permission(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        now = timezone.now()
        chosen = request.POST if request.method == "POST" else request.GET
        form = ImportForm(chosen if "job" in chosen else None)
        reason = ReasonForm(request.POST or None)
        job_id = form.cleaned_data["job"] if form.is_bound and form.is_valid() else None
        if job_id is not None and request.method == "POST" and reason.is_valid():
            self._start(request, job_id, reason.cleaned_data["reason"])
            return HttpResponseRedirect(reverse("admin:loyalty_importrenewal_changelist"))
        preview = renewing.preview(job_id, at=now) if job_id is not None else None
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": _("Let imported points count from today"),
            "model_admin": self,
            "form": form,
            "reason_form": reason,
            "job_id": job_id,
            "preview": preview,
            "last_day": _last_day(preview.until) if preview else "",
        }
        return TemplateResponse(request, "admin/loyalty/past_renewal.html", context)

    def _start(self, request: HttpRequest, job_id: int, reason: str) -> None:
        try:
            renewing.start(job_id, actor_id=person(request), at=timezone.now(), reason=reason)
        except (renewing.RenewedBefore, renewing.NotFinished):
            messages.warning(request, _("The points of this import were renewed already."))
        else:
            messages.success(request, _("The points of this import are being renewed."))


def _last_day(until: datetime | None) -> str:
    if until is None:
        return _("without end")
    # The end is the first instant that is over.
    return date_format((until - timedelta(seconds=1)).astimezone(programme_zone()), "SHORT_DATE_FORMAT")
