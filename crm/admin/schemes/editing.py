"""The pages that change: beginning a draft, its one form, discarding it."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.admin.schemes import pages, previews
from crm.admin.schemes.forms import SECTIONS, BeginForm, RungForm, settings_form
from crm.adminkit import person
from crm.choices import SchemeState
from crm.models import Tier, TierScheme
from crm.stafflog import log_action
from crm.tiers.checking import SchemeProblem
from crm.tiers.presets import load_scheme_preset
from crm.tiers.schemebook import SETTINGS, NotADraft, discard_draft, draft_of, draft_problems, save_draft


def begin_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Begin a draft with a version, with a preset, or with nothing."""
    pages.demand(request, pages.CHANGE)
    now = timezone.now()
    current = pages.in_force(now)
    initial = request.GET.get("start", f"version:{current.version}" if current else "preset:linggou")
    form = BeginForm(request.POST or None, versions=_versions(), initial=initial)
    if request.method == "POST" and form.is_valid():
        way, _colon, what = form.cleaned_data["start"].partition(":")
        note = form.cleaned_data["note"]
        if way == "preset":
            loaded = load_scheme_preset(what, at=now, actor_id=person(request), note=note)
            for tier in loaded.made:
                messages.info(request, _("The tier “%(tier)s” was made.") % {"tier": tier.name})
            return to_scheme(loaded.draft.pk)
        return to_scheme(draft_of(int(what), at=now, actor_id=person(request), note=note).pk)
    return pages.show(model_admin, request, "begin.html", _("Begin a draft"), form=form)


def _versions() -> list[tuple[int, str]]:
    rows = TierScheme.objects.filter(state=SchemeState.PUBLISHED).order_by("-version").values_list("version", flat=True)
    return [
        *((version, _("Version %(version)s") % {"version": version}) for version in rows if version is not None),
        (0, _("An empty scheme: tiers move by hand only")),
    ]


def draft_page(model_admin: ModelAdmin, request: HttpRequest, draft: TierScheme) -> HttpResponse:
    """A draft in one form: its settings, and what each tier asks for."""
    editable = request.method == "POST"
    if editable:
        pages.demand(request, pages.CHANGE)
    tiers = list(Tier.objects.filter(rank__gt=0).order_by("rank"))
    known = {rung.tier.code: rung for rung in draft.rungs.all()}
    data = request.POST if editable else None
    settings = settings_form(model_admin, request, data, draft)
    rungs = [RungForm(data, tier=tier, rung=_rung_json(known.get(tier.code))) for tier in tiers]
    if editable and all([settings.is_valid(), *(rung.is_valid() for rung in rungs)]):
        return _save(request, draft, settings, rungs)
    _note(rungs, draft_problems(draft.pk))
    fresh = TierScheme.objects.prefetch_related("rungs__tier").get(pk=draft.pk)
    return pages.show(
        model_admin,
        request,
        "draft.html",
        pages.scheme_name(fresh),
        draft=fresh,
        settings=settings,
        sections=[(title, [settings[name] for name in names]) for title, names in SECTIONS],
        rungs=rungs,
        problems=[problem for problem in draft_problems(draft.pk) if not problem.tier],
        all_problems=draft_problems(draft.pk),
        shown=content_of(fresh),
        media=model_admin.media + settings.media,
        current=pages.in_force(timezone.now()),
    )


def _rung_json(rung: Any) -> dict[str, Any] | None:
    if rung is None:
        return None
    return {"reach": rung.reach, "reach_any": rung.reach_any, "keep": rung.keep, "keep_any": rung.keep_any}


def _note(rungs: Sequence[RungForm], problems: Sequence[SchemeProblem]) -> None:
    for rung in rungs:
        rung.notes = [problem.message for problem in problems if problem.tier == rung.tier.code]


def _save(
    request: HttpRequest, draft: TierScheme, settings: "ModelForm[TierScheme]", rungs: Sequence[RungForm]
) -> HttpResponse:
    """Write the draft, unless a colleague has written it since this page was opened."""
    values = {name: settings.cleaned_data[name] for name in (*SETTINGS, "note")}
    said = [rung for form in rungs if (rung := form.rung()) is not None]
    try:
        with transaction.atomic():
            row = TierScheme.objects.select_for_update().filter(pk=draft.pk).first()
            if row is None or content_of(row) != request.POST.get("shown"):
                messages.error(
                    request, _("The draft has been changed or published since this page was opened. Nothing was saved.")
                )
                return to_scheme(draft.pk) if row else to_list()
            found = save_draft(draft.pk, values, said)
    except NotADraft:
        messages.info(request, _("This draft is not there any more: it was published or discarded meanwhile."))
        return to_list()
    if found:
        messages.warning(request, _("The draft is saved. It cannot be published yet; the page says why."))
    else:
        messages.success(request, _("The draft is saved. Nothing changes for members until you publish it."))
    if "review" in request.POST and not found:
        previews.begin(request, draft)
        return HttpResponseRedirect(previews.page_of(draft))
    return to_scheme(draft.pk)


def content_of(row: TierScheme) -> str:
    """A digest of all that a draft says, to tell whether it is still what somebody has seen."""
    settings = {name: str(getattr(row, name)) for name in (*SETTINGS, "note", "state")}
    rungs = list(row.rungs.order_by("tier__rank").values_list("tier__code", "reach", "reach_any", "keep", "keep_any"))
    return hashlib.sha256(json.dumps([settings, rungs], sort_keys=True).encode()).hexdigest()


def discard_page(model_admin: ModelAdmin, request: HttpRequest, scheme_id: int) -> HttpResponse:
    """Throw a draft away, once it was asked whether that is meant."""
    pages.demand(request, pages.CHANGE)
    draft = pages.find_draft(scheme_id)
    name = pages.scheme_name(draft)
    if request.method != "POST":
        return pages.show(model_admin, request, "discard.html", _("Discard a draft"), draft=draft, name=name)
    try:
        discard_draft(scheme_id)
    except NotADraft:
        messages.info(request, _("This draft is not there any more: it was published or discarded meanwhile."))
        return to_list()
    log_action("tier_scheme.discard", actor_id=person(request), at=timezone.now(), draft=scheme_id, name=name)
    messages.success(request, _("%(name)s was discarded.") % {"name": name})
    return to_list()


def to_scheme(scheme_id: int) -> HttpResponseRedirect:
    """Lead to the page of a scheme."""
    return HttpResponseRedirect(reverse("admin:crm_tierscheme_change", args=[scheme_id]))


def to_list() -> HttpResponseRedirect:
    """Lead to all schemes."""
    return HttpResponseRedirect(reverse("admin:crm_tierscheme_changelist"))
