"""What a scheme would do, shown: starting a preview, its progress, and who goes where."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from crm.admin.schemes import pages
from crm.adminkit import may, person
from crm.choices import SchemeState
from crm.models import Member, SchemePreview, TierScheme
from crm.price_words import percent_in_words
from crm.tiers import preview_jobs
from crm.tiers.preview import Discounts, Flow, Preview, RungPreview, When
from crm.tiers.schemebook import InvalidScheme, content_of, scheme_of

MEMBERS = "crm.view_member"

WAITS: dict[When, str | Promise] = {
    When.NOW: gettext_lazy("with the next review, at night or with an order"),
    When.CLAIM: gettext_lazy("when the member takes it"),
    When.NEXT_ORDER: gettext_lazy("with the next successful order"),
    When.REVIEW_DAY: gettext_lazy("on the next review day"),
    When.TERM_END: gettext_lazy("when the term ends"),
}


@dataclass(frozen=True, slots=True)
class FlowShown:
    """Members who go from one tier to another: when they would, and who some of them are (id and name)."""

    before: str
    after: str
    members: int
    waits: str
    turnover: Decimal
    examples: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class RungShown:
    """A tier: how many hold it now, and how many would in the end."""

    rung: RungPreview
    price: str

    @property
    def more(self) -> int:
        """How many more hold it in the end."""
        return self.rung.after - self.rung.before


@dataclass(frozen=True, slots=True)
class PreviewShown:
    """A preview as the page shows it."""

    members: int
    up: int
    down: int
    stay: int
    rungs: list[RungShown]
    rising: list[FlowShown]
    falling: list[FlowShown]
    discounts: Discounts
    chart: dict[str, Any]

    @property
    def costs_more(self) -> Decimal:
        """What member prices would have cost more than they do, in yuan; below zero: less."""
        return self.discounts.after - self.discounts.before

    @property
    def costs_less(self) -> Decimal:
        """The same the other way round."""
        return -self.costs_more


def card(request: HttpRequest, row: TierScheme) -> dict[str, Any]:
    """What the page of a scheme shows of its latest preview, under names for its template. ``seen`` says that the
    preview is of the scheme as it is now."""
    job = latest(row.pk)
    found = _shown(request, Preview.from_json(job.result)) if job is not None and job.result is not None else None
    now = timezone.now()
    return {
        "preview": job,
        "previewed": found,
        "preview_moves": job is not None and preview_jobs.is_moving(job),
        "preview_stalled": job is not None and preview_jobs.is_stalled(job, now),
        "preview_percent": _percent(job) if job else 0,
        "preview_error": _(job.error) if job is not None and job.error else "",
        "seen": found is not None and job is not None and job.content == content_of(scheme_of(row)),
        "may_preview": may(request, pages.CHANGE) or may(request, pages.PUBLISH),
    }


def latest(scheme_id: int) -> SchemePreview | None:
    """The preview of a scheme that was started last."""
    return SchemePreview.objects.filter(scheme=scheme_id).select_related("created_by").order_by("-pk").first()


def start_page(model_admin: ModelAdmin, request: HttpRequest, scheme_id: int) -> HttpResponse:
    """Have a worker see what a scheme would do; where one is at it already, that is enough."""
    pages.demand(request, pages.CHANGE, pages.PUBLISH)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    row = pages.find_scheme_row(scheme_id)
    begin(request, row)
    return HttpResponseRedirect(page_of(row))


def begin(request: HttpRequest, row: TierScheme) -> None:
    """Start a preview unless one is on its way; say what is wrong with a scheme that could not be published."""
    job = latest(row.pk)
    if job is not None and preview_jobs.is_moving(job):
        return
    try:
        preview_jobs.start(row.pk, actor_id=person(request), at=timezone.now())
    except InvalidScheme as invalid:
        for problem in invalid.problems:
            messages.error(request, str(problem.message))


def page_of(row: TierScheme) -> str:
    """Where the preview of a scheme is shown: a draft's review, a version's own page."""
    name = "review" if row.state == SchemeState.DRAFT else "change"
    return f"{reverse(f'admin:crm_tierscheme_{name}', args=[row.pk])}#preview"


def progress_page(model_admin: ModelAdmin, request: HttpRequest, scheme_id: int) -> HttpResponse:
    """The part of the page that moves. When the preview has stopped moving, the browser is told to load the page."""
    pages.demand(request, pages.VIEW, pages.CHANGE, pages.PUBLISH)
    job = latest(scheme_id)
    if job is None:
        raise Http404
    context = {"preview": job, "preview_percent": _percent(job), "scheme_id": scheme_id}
    response = TemplateResponse(request, "admin/crm/scheme/preview_progress.html", context)
    if not preview_jobs.is_moving(job) or preview_jobs.is_stalled(job, timezone.now()):
        response["HX-Refresh"] = "true"
    return response


def _percent(job: SchemePreview) -> int:
    return min(job.done * 100 // job.members, 100) if job.members else 0


def _shown(request: HttpRequest, found: Preview) -> PreviewShown:
    names = {rung.rank: rung.name for rung in found.rungs}
    people = _people(found.flows) if may(request, MEMBERS) else {}

    def flows(direction: int) -> list[FlowShown]:
        chosen = [flow for flow in found.flows if (flow.to_rank - flow.from_rank) * direction > 0]
        return [
            FlowShown(
                names.get(flow.from_rank, "–"),
                names.get(flow.to_rank, "–"),
                flow.members,
                str(WAITS.get(flow.when, "")),
                flow.turnover,
                [(member_id, people[member_id]) for member_id in flow.examples if member_id in people],
            )
            for flow in sorted(chosen, key=lambda flow: -flow.members)
        ]

    return PreviewShown(
        found.members,
        found.moving(1),
        found.moving(-1),
        found.moving(0),
        [RungShown(rung, percent_in_words(rung.discount_percent)) for rung in found.rungs],
        flows(1),
        flows(-1),
        found.discounts,
        _chart(found.rungs),
    )


def _people(flows: Sequence[Flow]) -> dict[int, str]:
    """The names of all examples, in one query."""
    ids = [member_id for flow in flows if flow.from_rank != flow.to_rank for member_id in flow.examples]
    return {pk: str(member) for pk, member in Member.objects.in_bulk(ids).items()}


def _chart(rungs: Sequence[RungPreview]) -> dict[str, Any]:
    return {
        "horizontal": True,
        "months": [rung.name for rung in rungs],
        "series": [
            {"name": _("Now"), "values": [rung.before for rung in rungs]},
            {"name": _("With this scheme"), "values": [rung.after for rung in rungs]},
        ],
    }
