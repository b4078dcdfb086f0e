"""The pages that publish: the review of a draft, and going back to a version; and two schemes side by side."""

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.admin.bulk import ReasonForm
from crm.admin.schemes import pages, previews, words
from crm.admin.schemes.editing import to_list, to_scheme
from crm.admin.schemes.forms import PublishForm
from crm.admin.schemes.publishing import Shown, publish_shown, roll_back_shown
from crm.adminkit import may, person
from crm.choices import SchemeState
from crm.models import TierScheme
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import InvalidScheme, draft_problems, scheme_of


def review_page(model_admin: ModelAdmin, request: HttpRequest, scheme_id: int) -> HttpResponse:
    """What a draft changes, what it would do to the members, what is wrong with it; and its publication."""
    pages.demand(request, pages.VIEW, pages.CHANGE, pages.PUBLISH)
    shown = None
    if request.method == "POST":
        pages.demand(request, pages.PUBLISH)
        shown = Shown.from_token(request.POST.get("token", ""))
        if shown is not None and (shown.scheme_id != scheme_id or not shown.still_is()):
            return _too_late(request)
    draft = pages.find_draft(scheme_id)
    now = timezone.now()
    current = pages.in_force(now)
    preview = previews.card(request, draft)
    problems = draft_problems(scheme_id)
    form = PublishForm(request.POST if request.method == "POST" else None, now=now, seen=preview["seen"])
    if request.method == "POST" and shown is None:
        messages.error(request, _("The page had been open for too long. Nothing was published; please look again."))
        return HttpResponseRedirect(request.path)
    if shown is not None and not problems and form.is_valid():
        return _publish(request, shown, form)
    scheme, tiers = scheme_of(draft), words.tiers_by_code()
    return pages.show(
        model_admin,
        request,
        "review.html",
        _("Preview and publish"),
        draft=draft,
        scheme_id=scheme_id,
        draft_name=pages.scheme_name(draft),
        current_name=pages.scheme_name(current) if current else "",
        coming=_coming(now),
        said=words.settings_in_words(scheme),
        rungs=words.rungs_in_words(scheme, tiers),
        **(_compared(scheme_of(current), scheme) if current else {}),
        problems=[(tiers[p.tier].name if p.tier in tiers else p.tier, p.message) for p in problems],
        form=form,
        token=Shown.now(scheme_id).token() if may(request, pages.PUBLISH) else "",
        **preview,
    )


def _publish(request: HttpRequest, shown: Shown, form: PublishForm) -> HttpResponse:
    now = timezone.now()
    try:
        published = publish_shown(
            shown,
            effective_from=max(form.begins(), now),
            at=now,
            actor_id=person(request),
            reason=form.cleaned_data["reason"],
        )
    except InvalidScheme:  # A tier was taken away since the page was made; the review says so.
        return HttpResponseRedirect(request.path)
    if published is None or published.effective_from is None:
        return _too_late(request)
    facts = {"version": published.version, "moment": _moment(published.effective_from)}
    if published.effective_from > now:
        messages.success(request, _("Published as version %(version)s. It counts from %(moment)s on.") % facts)
    else:
        messages.success(
            request,
            _("Published as version %(version)s. Members move when they are next looked at: with an order, or tonight.")
            % facts,
        )
    return to_list()


def version_page(model_admin: ModelAdmin, request: HttpRequest, row: TierScheme) -> HttpResponse:
    """A published scheme in words, with a way back to it where it is not in force."""
    now = timezone.now()
    current = pages.in_force(now)
    is_current = current is not None and current.pk == row.pk
    is_coming = row.effective_from is not None and row.effective_from > now
    scheme = scheme_of(row)
    tiers = words.tiers_by_code()
    against = None if is_current or current is None else current
    return pages.show(
        model_admin,
        request,
        "version.html",
        pages.scheme_name(row),
        row=row,
        scheme_id=row.pk,
        is_current=is_current,
        is_coming=is_coming,
        said=words.settings_in_words(scheme),
        rungs=words.rungs_in_words(scheme, tiers),
        **(_compared(scheme_of(against), scheme) if against else {}),
        current_name=pages.scheme_name(current) if current else "",
        form=ReasonForm(),
        token=Shown.now(row.pk).token() if may(request, pages.PUBLISH) else "",
        others=[each for each in comparable() if each[0] != row.pk],
        **previews.card(request, row),
    )


def roll_back_page(model_admin: ModelAdmin, request: HttpRequest, scheme_id: int) -> HttpResponse:
    """Publish an earlier version again, from now on: one click, with a reason."""
    pages.demand(request, pages.PUBLISH)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    row = pages.find_scheme_row(scheme_id)
    back = to_scheme(scheme_id)
    shown = Shown.from_token(request.POST.get("token", ""))
    form = ReasonForm(request.POST)
    if row.version is None:
        messages.error(request, _("A draft was never published, so there is no way back to it."))
        return back
    if shown is None or shown.scheme_id != scheme_id:
        messages.error(request, _("The page had been open for too long. Nothing was published; please look again."))
        return back
    if not form.is_valid():
        messages.error(request, _("Say why: going back needs a reason of at most 300 characters."))
        return back
    try:
        published = roll_back_shown(
            shown, row.version, at=timezone.now(), actor_id=person(request), reason=form.cleaned_data["reason"]
        )
    except InvalidScheme as invalid:
        for problem in invalid.problems:
            facts = {"problem": problem.message}
            messages.error(request, _("This scheme cannot come back as it was. %(problem)s") % facts)
        return back
    if published is None:
        return _too_late(request)
    made = {"name": pages.scheme_name(row), "version": published.version}
    messages.success(request, _("%(name)s is in force again, as version %(version)s.") % made)
    return to_list()


def compare_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Any two schemes side by side, drafts among them: ``?before=`` and ``?after=`` are their ids."""
    pages.demand(request, pages.VIEW, pages.CHANGE, pages.PUBLISH)
    choices = comparable()
    names = dict(choices)
    current = pages.in_force(timezone.now())
    usual = current.pk if current else (choices[-1][0] if choices else 0)
    before = _number(request.GET.get("before"), usual)
    after = _number(request.GET.get("after"), choices[0][0] if choices else 0)
    if choices and (before not in names or after not in names):
        raise Http404
    pair = [scheme_of(pages.find_scheme_row(pk)) for pk in (before, after)] if choices else []
    return pages.show(
        model_admin,
        request,
        "compare.html",
        _("Compare two schemes"),
        choices=choices,
        before=before,
        after=after,
        before_name=names.get(before, ""),
        after_name=names.get(after, ""),
        **(_compared(*pair) if pair else {}),
    )


def comparable() -> list[tuple[int, str]]:
    """All schemes by id, drafts first, then the versions from the latest on."""
    rows = list(TierScheme.objects.order_by("-version", "-pk").only("version", "note", "state"))
    drafts = [row for row in rows if row.state == SchemeState.DRAFT]
    versions = [row for row in rows if row.state != SchemeState.DRAFT]
    return [(row.pk, pages.scheme_name(row)) for row in [*drafts, *versions]]


def _compared(before: Scheme, after: Scheme) -> dict[str, list[words.Row]]:
    """Two schemes line by line, those lines apart that both have."""
    rows = words.side_by_side(before, after, words.tiers_by_code())
    return {"different": [row for row in rows if row.differs], "same": [row for row in rows if not row.differs]}


def _coming(now: datetime) -> list[TierScheme]:
    coming = pages.schemes().filter(state=SchemeState.PUBLISHED, effective_from__gt=now)
    return list(coming.order_by("effective_from", "version"))


def _too_late(request: HttpRequest) -> HttpResponse:
    messages.info(
        request,
        _("The schemes have been changed or published since this page was opened. Nothing was published again."),
    )
    return to_list()


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) <= pages.LONGEST_NUMBER else default
