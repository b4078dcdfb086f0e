"""The pages that publish: the review of a draft, and going back to a version."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.adminkit import person
from loyalty.admin.rules import pages
from loyalty.admin.rules.comparing import side_by_side
from loyalty.admin.rules.editing import find_draft
from loyalty.admin.rules.forms import PublishForm, ReasonForm
from loyalty.admin.rules.publishing import Shown, most_it_pays, publish_shown, roll_back_shown
from loyalty.admin.rules.vocabulary import of_sets
from loyalty.earning.ruleset import InvalidRules
from loyalty.rulebook import draft_problems, rules_of
from loyalty.validity import programme_zone


def review_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int) -> HttpResponse:
    """What publishing a draft would change, what is wrong with it, how much it can pay; and its publication."""
    pages.demand(request, pages.PUBLISH)
    shown = Shown.from_token(request.POST.get("token", "")) if request.method == "POST" else None
    if shown is not None and shown != Shown.now(set_id):
        return _too_late(request)
    draft = find_draft(set_id)
    now = timezone.now()
    current = pages.in_force(now)
    rules, before = rules_of(set_id), rules_of(current.pk if current else 0)
    vocabulary = of_sets(before, rules)
    problems = draft_problems(set_id)
    most = None if problems else most_it_pays(rules, vocabulary, now)
    form = PublishForm(request.POST if request.method == "POST" else None, now=now, warned=bool(most and most.high))
    if request.method == "POST" and shown is None:
        messages.error(request, _("The page had been open for too long. Nothing was published; please look again."))
        return HttpResponseRedirect(request.path)
    if shown is not None and not problems and form.is_valid():
        return _publish(request, shown, form)
    return pages.show(
        model_admin,
        request,
        "rule_review.html",
        _("Publish rules"),
        draft=draft,
        draft_name=pages.set_name(draft),
        current_name=pages.set_name(current),
        coming=list(pages.sets().filter(effective_from__gt=now).order_by("effective_from")),
        comparison=side_by_side(before, rules, vocabulary, now.astimezone(programme_zone()).date()),
        cards=pages.cards_of(rules, vocabulary, problems),
        problems=problems,
        most=most,
        form=form,
        token=Shown.now(set_id).token(),
        backtest=pages.backtest_page(request, set_id),
    )


def _publish(request: HttpRequest, shown: Shown, form: PublishForm) -> HttpResponse:
    now = timezone.now()
    try:
        published = publish_shown(
            shown,
            effective_from=form.begins(),
            at=now,
            actor_id=person(request),
            reason=form.cleaned_data["reason"],
        )
    except InvalidRules:  # A budget was overdrawn since the page was made; the review says so.
        return HttpResponseRedirect(request.path)
    if published is None or published.effective_from is None:
        return _too_late(request)
    facts = {"version": published.version, "moment": _moment(published.effective_from)}
    if published.effective_from > now:
        messages.success(request, _("Published as version %(version)s. It counts from %(moment)s on.") % facts)
    else:
        messages.success(request, _("Published as version %(version)s. It counts from now on.") % facts)
    return HttpResponseRedirect(reverse("admin:loyalty_ruleset_changelist"))


def roll_back_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int) -> HttpResponse:
    """Publish an earlier version again, from now on: one click, with a reason."""
    pages.demand(request, pages.PUBLISH)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    row = pages.find_set(set_id)
    back = HttpResponseRedirect(reverse("admin:loyalty_ruleset_change", args=[set_id]))
    shown = Shown.from_token(request.POST.get("token", ""))
    form = ReasonForm(request.POST)
    if row is not None and row.version is None:
        messages.error(request, _("A draft was never published, so there is no way back to it."))
        return back
    if shown is None or shown.set_id != set_id:
        messages.error(request, _("The page had been open for too long. Nothing was published; please look again."))
        return back
    if not form.is_valid():
        messages.error(request, _("Say why: going back needs a reason of at most 300 characters."))
        return back
    version = row.version if row and row.version else 0
    try:
        published = roll_back_shown(
            shown, version, at=timezone.now(), actor_id=person(request), reason=form.cleaned_data["reason"]
        )
    except InvalidRules as invalid:
        for problem in invalid.problems:
            facts = {"rule": problem.rule, "problem": problem.message}
            messages.error(request, _("These rules cannot come back as they were. %(rule)s: %(problem)s") % facts)
        return back
    if published is None:
        return _too_late(request)
    version_made = {"name": pages.set_name(row), "version": published.version}
    messages.success(request, _("%(name)s is in force again, as version %(version)s.") % version_made)
    return HttpResponseRedirect(reverse("admin:loyalty_ruleset_changelist"))


def _too_late(request: HttpRequest) -> HttpResponse:
    messages.info(
        request,
        _("The rules have been changed or published since this page was opened. Nothing was published again."),
    )
    return HttpResponseRedirect(reverse("admin:loyalty_ruleset_changelist"))


def _moment(at: object) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")  # type: ignore[arg-type]
