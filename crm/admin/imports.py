"""Importing orders as pages: upload, preview, confirmation, live progress, result."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.contrib import admin, messages
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
from unfold.decorators import display

from crm.admin.import_forms import UploadForm
from crm.admin.import_page import (
    PROBLEMS_A_PAGE,
    figures,
    mapped_columns,
    masked,
    progress,
    shown_file,
    shown_problem,
    stored_problem,
    tools_reading,
)
from crm.adminkit import PERSONAL_DATA, EndlessAdmin, may, person
from crm.imports import jobs
from crm.imports.reports import RefusedRow, csv_lines
from crm.imports.uploads import is_packed
from crm.models import Channel, ImportJob, ImportProblem
from crm.order_grades import REMARKS

State = ImportJob.State

# Smaller uploads are checked while the person waits; larger and packed ones by a worker, with the page polling.
CHECK_AT_ONCE = 5 * 1024**2

STATE_COLOURS = {
    State.CHECKING: "info",
    State.READY: "warning",
    State.QUEUED: "info",
    State.RUNNING: "primary",
    State.DONE: "success",
    State.FAILED: "danger",
    State.CANCELLED: "default",
}


@admin.register(ImportJob)
class ImportJobAdmin(EndlessAdmin):
    """Seeing imports needs the permission to view them, every step of an import the permission to add one."""

    list_display = ("number", "channel", "file_names", "state_label", "created_by", "created_at", "finished_at")
    list_select_related = ("channel", "created_by")
    list_filter = ("state", "channel")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("files")

    @display(description=gettext_lazy("import"))
    def number(self, job: ImportJob) -> str:
        return str(job)

    @display(description=gettext_lazy("files"))
    def file_names(self, job: ImportJob) -> str:
        return "、".join(file.name for file in job.files.all())

    @display(description=gettext_lazy("state"), label={str(state): colour for state, colour in STATE_COLOURS.items()})
    def state_label(self, job: ImportJob) -> tuple[str, str]:
        return job.state, job.get_state_display()

    # Unlike other read-only tables, this one is added to: by uploading.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, "crm.add_importjob")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_add_permission(request)

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(view)
            return path(f"<int:job_id>/{route}", wrapped, name=f"crm_importjob_{name}")

        return [
            page("progress/", "progress", self.progress_view),
            page("refused.csv", "refused", self.refused_view),
            page("confirm/", "confirm", partial(self.step_view, step=jobs.confirm)),
            page("discard/", "discard", partial(self.step_view, step=jobs.discard)),
            page("resume/", "resume", partial(self.step_view, step=jobs.resume)),
            page("again/", "again", partial(self.step_view, step=jobs.run_again)),
            *super().get_urls(),
        ]

    # --- upload ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            return self._upload(request, form)
        context = {
            **self._context(request, _("Import orders")),
            "form": form,
            "no_channel": not Channel.objects.exists(),
            "may_add_channel": may(request, "crm.add_channel"),
        }
        return TemplateResponse(request, "admin/crm/importjob/upload.html", context)

    def _upload(self, request: HttpRequest, form: UploadForm) -> HttpResponse:
        now = timezone.now()
        uploads = form.cleaned_data["uploads"]
        job = jobs.create(
            channel=form.cleaned_data["channel"],
            profile=form.cleaned_data["profile"],
            uploads=uploads,
            actor_id=person(request),
            at=now,
        )
        if sum(upload.size for upload in uploads) <= CHECK_AT_ONCE and not any(map(is_packed, uploads)):
            jobs.check(job.pk, at=now)
        else:
            jobs.check_later(job.pk)
        return HttpResponseRedirect(_url("change", job.pk))

    # --- the page of a job ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        job = self._job(request, object_id)
        files = list(job.files.all())
        full = may(request, PERSONAL_DATA)
        now = timezone.now()
        state = job.state
        removed_at = max((file.removed_at for file in files if file.removed_at), default=None)
        readable = removed_at is None and not any("unreadable" in file.inspection for file in files)
        started = any(file.next_line for file in files)
        counts = jobs.totals(job)
        tools = tools_reading(job)
        context = {
            **self._context(request, _("Order import %(number)s") % {"number": job}),
            "opts": self.opts,
            "original": job,
            "job": job,
            "state_colour": STATE_COLOURS[State(state)],
            "files": [shown_file(job, file, tools, full=full) for file in files],
            "masked": not full,
            "busy": state in (State.CHECKING, State.QUEUED, State.RUNNING),
            "progress": progress(files),
            "stalled": jobs.is_stalled(job, now),
            "error": _(job.error) if job.error else "",
            "figures": figures(counts) if started or state == State.DONE else [],
            "may_act": self.has_add_permission(request),
            "can_confirm": state == State.READY,
            "can_discard": state in (State.CHECKING, State.READY, State.FAILED) and not started,
            "can_resume": readable and (state == State.FAILED or jobs.is_stalled(job, now)),
            "can_again": state == State.DONE and removed_at is None,
            "removed_at": removed_at,
            "refused": self._refused(request, job, counts.rejected, full=full),
            "remarks": self._remarks(job, full=full) if started else None,
        }
        return TemplateResponse(request, "admin/crm/importjob/job.html", context)

    def _refused(self, request: HttpRequest, job: ImportJob, number: int, *, full: bool) -> dict[str, Any] | None:
        if not number:
            return None
        problems = _problems(job).exclude(code__in=REMARKS)
        page = Paginator(problems, PROBLEMS_A_PAGE).get_page(request.GET.get("p"))
        mapped = mapped_columns(job)
        rows = [shown_problem(row.file.name, stored_problem(row), mapped, full=full) for row in page.object_list]
        return {"page": page, "rows": rows, "number": number}

    def _remarks(self, job: ImportJob, *, full: bool) -> dict[str, Any] | None:
        """The first remarks on rows that were recorded, and how many there are."""
        remarks = _problems(job).filter(code__in=REMARKS)
        first = list(remarks[:PROBLEMS_A_PAGE])
        if not first:
            return None
        mapped = mapped_columns(job)
        rows = [shown_problem(row.file.name, stored_problem(row), mapped, full=full) for row in first]
        return {"rows": rows, "number": len(first) if len(first) < PROBLEMS_A_PAGE else remarks.count()}

    def progress_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The part of the page that moves. When the job has stopped moving, the browser is told to load the page."""
        job = self._job(request, job_id)
        files = list(job.files.all())
        context = {"job": job, "progress": progress(files), "stalled": jobs.is_stalled(job, timezone.now())}
        response = TemplateResponse(request, "admin/crm/importjob/progress.html", context)
        if job.state not in (State.CHECKING, State.QUEUED, State.RUNNING) or context["stalled"]:
            response["HX-Refresh"] = "true"
        return response

    def refused_view(self, request: HttpRequest, job_id: int) -> StreamingHttpResponse:
        """Every refused row of the job and every remark as CSV, streamed."""
        job = self._job(request, job_id)
        full = may(request, PERSONAL_DATA)
        mapped = mapped_columns(job)

        def rows() -> Iterator[RefusedRow]:
            for row in _problems(job).iterator(chunk_size=2000):
                yield RefusedRow(row.file.name, masked(stored_problem(row), mapped, full=full))

        response = StreamingHttpResponse(csv_lines(rows()), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="refused-rows-{job.pk}.csv"'
        return response

    # --- steps ---

    @method_decorator(require_POST)
    def step_view(self, request: HttpRequest, job_id: int, step: Callable[..., None]) -> HttpResponse:
        """Confirm, discard, resume or repeat a job."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        self._job(request, job_id)
        try:
            step(job_id, actor_id=person(request), at=timezone.now())
        except jobs.WrongState:
            messages.warning(request, _("This step is no longer possible: the import has moved on in the meantime."))
        return HttpResponseRedirect(_url("change", job_id))

    def _job(self, request: HttpRequest, job_id: int | str) -> ImportJob:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = None
        if str(job_id).isdecimal():
            job = ImportJob.objects.select_related("channel", "profile", "created_by").filter(pk=job_id).first()
        if job is None:
            raise Http404
        return job

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "title": title, "model_admin": self}


def _problems(job: ImportJob) -> "QuerySet[ImportProblem]":
    found = ImportProblem.objects.filter(file__job=job.pk).select_related("file")
    return found.order_by("file_id", "line_no", "id")


def _url(name: str, job_id: int) -> str:
    return reverse(f"admin:crm_importjob_{name}", args=[job_id])
