"""Giving points to many members as pages: upload or choice, preview, confirmation, approval, progress, report."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from crm.adminkit import PERSONAL_DATA, EndlessAdmin, MemberAction, add_member_action, may, person
from crm.api import log_action
from crm.filekit import MAX_ROWS, Cell, csv_pieces, is_packed
from loyalty.admin import grant_page as pages
from loyalty.admin.grant_forms import ConfirmForm, PointsForm, ReasonForm, RemarkForm, UploadForm
from loyalty.admin.past_page import past_terms
from loyalty.grants import approval, jobs, making
from loyalty.grants.preview import Preview, cost_in_yuan, earlier_grants, same_file
from loyalty.models import Grant

State = Grant.State
ADD, VIEW, APPROVE, ADJUST = "loyalty.add_grant", "loyalty.view_grant", approval.APPROVE, "loyalty.adjust_points"

# Smaller uploads are checked while the person waits; larger and packed ones by a worker, with the page polling.
CHECK_AT_ONCE = 2 * 1024**2
_EXAMPLES = 10

STATE_COLOURS = {
    State.CHECKING: "info",
    State.READY: "warning",
    State.WAITING: "warning",
    State.QUEUED: "info",
    State.RUNNING: "primary",
    State.DONE: "success",
    State.FAILED: "danger",
    State.REJECTED: "danger",
    State.CANCELLED: "default",
}


@admin.register(Grant)
class GrantAdmin(EndlessAdmin):
    """Whoever makes grants sees his own; those who may view or approve them see all. Every step is checked once more
    where it is taken (``loyalty.grants.approval``)."""

    list_display = ("number", "what", "state_label", "points_moved", "made_by", "made_at", "decided_by", "reason")
    list_select_related = ("made_by", "decided_by")
    list_filter = ("state",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        grants: QuerySet[Grant] = super().get_queryset(request)
        return grants if _sees_all(request) else grants.filter(made_by=person(request))

    @display(description=gettext_lazy("grant"))
    def number(self, grant: Grant) -> str:
        return str(grant)

    @display(description=gettext_lazy("of what"))
    def what(self, grant: Grant) -> str:
        return grant.name or grant.get_source_display()

    @display(description=gettext_lazy("state"), label={str(state): colour for state, colour in STATE_COLOURS.items()})
    def state_label(self, grant: Grant) -> tuple[str, str]:
        return grant.state, grant.get_state_display()

    # Unlike other read-only tables, this one is added to: by uploading.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, ADD)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _sees_all(request) or may(request, ADD) or may(request, ADJUST)

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(view)
            return path(route, wrapped, name=f"loyalty_grant_{name}")

        return [
            page("sample.csv", "sample", self.sample_view),
            page("<int:grant_id>/progress/", "progress", self.progress_view),
            page("<int:grant_id>/rows.csv", "rows", self.rows_view),
            page("<int:grant_id>/confirm/", "confirm", self.confirm_view),
            page("<int:grant_id>/approve/", "approve", self.approve_view),
            page("<int:grant_id>/reject/", "reject", self.reject_view),
            page("<int:grant_id>/cancel/", "cancel", self.cancel_view),
            page("<int:grant_id>/resume/", "resume", self.resume_view),
            *super().get_urls(),
        ]

    # --- upload ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        if form.is_valid():
            file = form.cleaned_data["upload"]
            now = timezone.now()
            grant = making.upload(file, actor_id=person(request), at=now)
            if file.size <= CHECK_AT_ONCE and not is_packed(file):
                making.check(grant.pk, at=now)
            else:
                jobs.check_later(grant.pk)
            return _to(grant.pk)
        limits = approval.limits()
        context = {**self._context(request, _("Give points to many")), "form": form, "limits": limits}
        return TemplateResponse(request, "admin/loyalty/grant/upload.html", context)

    def sample_view(self, request: HttpRequest) -> HttpResponse:
        """A file to begin with."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        titles = [_("channel"), _("name on the platform"), _("points"), _("reason"), _("valid through")]
        rows: list[list[Cell]] = [["tea", "buyer_1", 100, "", ""], ["tea", "buyer_2", 250, _("A broken cup"), ""]]
        response = HttpResponse("".join(csv_pieces(titles, rows)), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="points.csv"'
        return response

    # --- the page of a grant ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        return self._page(request, self._grant(request, object_id))

    def _page(self, request: HttpRequest, grant: Grant, **forms_filled_in: forms.Form) -> HttpResponse:
        full = may(request, PERSONAL_DATA)
        stalled = jobs.is_stalled(grant, timezone.now())
        own = grant.made_by_id == person(request)
        can = pages.steps(grant, stalled=stalled)
        figures = Preview.from_json(grant.figures)
        checked = bool(grant.figures)
        context = {
            **self._context(request, _("Points grant %(number)s") % {"number": grant}),
            "opts": self.opts,
            "original": grant,
            "grant": grant,
            "state_colour": STATE_COLOURS[State(grant.state)],
            "figures": figures if checked else None,
            "cost": cost_in_yuan(figures.usual.gives, grant.made_at) if figures.usual.gives else None,
            "unreadable": pages.unreadable(grant),
            "error": _(grant.error) if grant.error else "",
            "busy": grant.state in jobs.MOVING,
            "stalled": stalled,
            "progress": pages.progress(grant),
            "result": pages.result(grant) if grant.counts or grant.state == State.DONE else [],
            "above_limit": checked and approval.limits().exceeded_by(grant.points_moved, grant.largest),
            "limits": approval.limits(),
            "refused": self._refused(request, grant, full=full),
            "short": pages.short_rows(grant, full=full) if can["can_confirm"] or can["can_decide"] else [],
            "sample": pages.sample_rows(grant, full=full) if can["can_confirm"] or can["can_decide"] else [],
            "earlier": earlier_grants(grant.pk) if can["can_confirm"] or grant.repeat_reason else [],
            "same_file": same_file(grant) if can["can_confirm"] else None,
            "own": own,
            "nobody_else": can["can_decide"] and own and not _approvers(grant).exists(),
            "resume": can["can_resume"] and (own or _sees_all(request)),
            "past": past_terms(grant) if grant.source == Grant.Source.PAST else None,
            "repeated": pages.repeated_rows(grant, full=full) if can["can_confirm"] or can["can_decide"] else [],
            **self._forms(request, grant, can, forms_filled_in),
        }
        return TemplateResponse(request, "admin/loyalty/grant/grant.html", context)

    def _forms(
        self, request: HttpRequest, grant: Grant, can: dict[str, bool], given: dict[str, forms.Form]
    ) -> dict[str, Any]:
        """The steps that this person may take now, each with its form; those that were filled in wrongly come back."""
        own = grant.made_by_id == person(request)
        decide = can["can_decide"] and not own and may(request, APPROVE)
        steps: dict[str, forms.Form] = {}
        if can["can_confirm"] and own:
            steps["confirm"] = _confirm_form(grant)
        if decide:
            steps |= {"approve": RemarkForm(), "reject": ReasonForm()}
        if can["can_cancel"] and own:
            steps["cancel"] = ReasonForm()
        return {f"{name}_form": given.get(name, form) for name, form in steps.items()}

    def _refused(self, request: HttpRequest, grant: Grant, *, full: bool) -> dict[str, Any] | None:
        page = Paginator(pages.refused_rows(grant), pages.ROWS_SHOWN).get_page(request.GET.get("p"))
        if not page.paginator.count:
            return None
        return {"page": page, "rows": [pages.shown_row(row, full=full) for row in page.object_list]}

    def progress_view(self, request: HttpRequest, grant_id: int) -> HttpResponse:
        """The part of the page that moves. When the grant has stopped moving, the browser is told to load the page."""
        grant = self._grant(request, grant_id)
        stalled = jobs.is_stalled(grant, timezone.now())
        context = {"grant": grant, "progress": pages.progress(grant)}
        response = TemplateResponse(request, "admin/loyalty/grant/progress.html", context)
        if grant.state not in jobs.MOVING or stalled:
            response["HX-Refresh"] = "true"
        return response

    def rows_view(self, request: HttpRequest, grant_id: int) -> StreamingHttpResponse:
        """Every row of the grant with what became of it as CSV, streamed; ``?only=refused`` those that were refused."""
        grant = self._grant(request, grant_id)
        refused_only = request.GET.get("only") == "refused"
        log_action(
            "grant.export", actor_id=person(request), at=timezone.now(), grant=grant_id, refused_only=refused_only
        )
        rows = pages.report(grant, full=may(request, PERSONAL_DATA), refused_only=refused_only)
        response = StreamingHttpResponse(csv_pieces(pages.titles(), rows), content_type="text/csv; charset=utf-8")
        name = f"grant-{grant_id}-refused.csv" if refused_only else f"grant-{grant_id}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    # --- steps ---

    @method_decorator(require_POST)
    def confirm_view(self, request: HttpRequest, grant_id: int) -> HttpResponse:
        """The maker's word."""
        grant = self._grant(request, grant_id)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = _confirm_form(grant, request.POST)
        if not form.is_valid():
            return self._page(request, grant, confirm=form)

        def step(**who: Any) -> None:
            if approval.confirm(grant_id, **who, **form.choices()) == State.WAITING:
                messages.info(request, _("Above the limit: a second person has to approve this grant now."))

        return self._take(request, grant_id, step)

    @method_decorator(require_POST)
    def approve_view(self, request: HttpRequest, grant_id: int) -> HttpResponse:
        """The second person's yes."""
        grant = self._grant(request, grant_id)
        form = RemarkForm(request.POST)
        if not may(request, APPROVE):
            raise PermissionDenied
        if not form.is_valid():
            return self._page(request, grant, approve=form)
        remark = form.cleaned_data["remark"]
        return self._take(request, grant_id, lambda **who: approval.approve(grant_id, **who, remark=remark))

    @method_decorator(require_POST)
    def reject_view(self, request: HttpRequest, grant_id: int) -> HttpResponse:
        """The second person's no."""
        if not may(request, APPROVE):
            raise PermissionDenied
        return self._with_reason(request, grant_id, "reject", approval.reject)

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, grant_id: int) -> HttpResponse:
        """The maker calls it off."""
        return self._with_reason(request, grant_id, "cancel", approval.cancel)

    @method_decorator(require_POST)
    def resume_view(self, request: HttpRequest, grant_id: int) -> HttpResponse:
        """Go on with a grant that broke off."""
        self._grant(request, grant_id)
        return self._take(request, grant_id, lambda **who: jobs.resume(grant_id, **who))

    def _with_reason(self, request: HttpRequest, grant_id: int, name: str, step: Callable[..., None]) -> HttpResponse:
        grant = self._grant(request, grant_id)
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._page(request, grant, **{name: form})
        return self._take(request, grant_id, lambda **who: step(grant_id, **who, reason=form.cleaned_data["reason"]))

    def _take(self, request: HttpRequest, grant_id: int, step: Callable[..., None]) -> HttpResponse:
        """Take a step and say why when it is refused."""
        try:
            step(actor_id=person(request), at=timezone.now())
        except approval.WrongState:
            messages.warning(request, _("This step is no longer possible: the grant has moved on in the meantime."))
        except (approval.NotTheMaker, approval.MayNotApprove):
            raise PermissionDenied from None
        except approval.SamePerson:
            messages.error(request, _("Nobody approves or rejects what he made himself. Ask a colleague."))
        except approval.NothingToGive:
            messages.error(request, _("No row is left that could be posted: all were given before, or are refused."))
        return _to(grant_id)

    def _grant(self, request: HttpRequest, grant_id: int | str) -> Grant:
        if not self.has_view_permission(request):
            raise PermissionDenied
        grant = None
        if str(grant_id).isdecimal():
            grant = self.get_queryset(request).select_related("made_by", "decided_by").filter(pk=grant_id).first()
        if grant is None:
            raise Http404
        return grant

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "title": title, "model_admin": self}


def give_points(model_admin: ModelAdmin, request: HttpRequest, queryset: "QuerySet[Any]") -> HttpResponse:
    """The action of the member list: one number of points for all selected members, or for all that match the filter.

    The page posts to the address of the list, filters included, so "all that match" still means the same.
    """
    if not may(request, ADD):
        raise PermissionDenied
    form = PointsForm(request.POST if "apply" in request.POST else None)
    if form.is_bound and form.is_valid():
        try:
            grant = making.choose(queryset, **form.cleaned_data, actor_id=person(request), at=timezone.now())
        except making.TooManyMembers:
            form.add_error(None, _("These are more than %(limit)s members. Choose fewer.") % {"limit": f"{MAX_ROWS:,}"})
        else:
            return _to(grant.pk)
    number = queryset.count()
    examples = list(queryset[:_EXAMPLES])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Give points to the selected members"),
        "opts": model_admin.opts,
        "form": form,
        "action": give_points.__name__,
        "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
        "across": request.POST.get("select_across", "0"),
        "number": number,
        "examples": examples,
        "more": number > len(examples),
    }
    return TemplateResponse(request, "admin/crm/bulk.html", context)


def register() -> None:
    """Hand the action to the ground floor's member list."""
    add_member_action(
        MemberAction(give_points.__name__, gettext_lazy("Give points to the selected members"), give_points, ADD)
    )


def _sees_all(request: HttpRequest) -> bool:
    return may(request, VIEW) or may(request, APPROVE)


def _approvers(grant: Grant) -> "QuerySet[Any]":
    """Who could approve this grant."""
    users: Any = get_user_model().objects
    approvers: QuerySet[Any] = users.with_perm(APPROVE, backend="django.contrib.auth.backends.ModelBackend")
    return approvers.filter(is_staff=True).exclude(pk=grant.made_by_id)


def _confirm_form(grant: Grant, data: Any = None) -> ConfirmForm:
    figures = Preview.from_json(grant.figures)
    # For past purchases nothing is given again, whatever the reason.
    repeats = bool(figures.repeats.rows) and grant.source != Grant.Source.PAST
    return ConfirmForm(data, duplicates=bool(figures.duplicates.rows), repeats=repeats)


def _to(grant_id: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:loyalty_grant_change", args=[grant_id]))
