"""The pages that change drafts: beginning and discarding one, adding and editing its rules."""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from unfold.admin import ModelAdmin

from crm.adminkit import may, person
from crm.api import log_action
from loyalty.admin.rules import pages, vocabulary
from loyalty.admin.rules.drafts import ACTS, NoSuchRule, act_on_rule, add_rule, blank_rule, put_rule
from loyalty.admin.rules.forms import DraftForm, RuleForm
from loyalty.choices import RuleSetState
from loyalty.earning.kinds import KINDS
from loyalty.models import RuleSet
from loyalty.presets import load_preset
from loyalty.rulebook import NotADraft, discard_draft, draft_of, draft_problems, points_paid, rows_of
from loyalty.validity import programme_zone

PRODUCTS_A_PAGE = 30
# Kinds in the order in which a shop needs them, by what they are about.
_KINDS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_lazy("Points for what is bought"), ("spend", "payment_kind", "product_policy")),
    (_lazy("More points"), ("festival", "tier_multiplier", "birthday_order", "first_order", "steps")),
    (_lazy("For good habits"), ("early_payment", "early_confirmation", "signin", "profile", "birthday")),
    (_lazy("For spreading the word"), ("referral", "campaign")),
)


def begin_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Begin a draft with the rules of a version, or with a preset."""
    pages.demand(request, pages.CHANGE)
    now = timezone.now()
    current = pages.in_force(now)
    version = current.version if current and current.version else 0
    choices = [(row_version, pages.set_name(row)) for row_version, row in _versions()]
    initial = request.GET.get("start", f"version:{version}")
    form = DraftForm(request.POST or None, versions=choices, initial=initial)
    if request.method == "POST" and form.is_valid():
        way, _colon, what = form.cleaned_data["start"].partition(":")
        note = form.cleaned_data["note"]
        if way == "preset":
            schemes = may(request, "crm.change_tierscheme")
            loaded = load_preset(what, at=now, actor_id=person(request), note=note, with_scheme=schemes)
            for line in loaded.notes:
                messages.info(request, line)
            return _to(loaded.draft.pk)
        return _to(draft_of(int(what), at=now, actor_id=person(request), note=note).pk)
    return pages.show(model_admin, request, "rule_begin.html", _("Begin a draft"), form=form)


def _versions() -> list[tuple[int, RuleSet | None]]:
    rows = RuleSet.objects.filter(state=RuleSetState.PUBLISHED).order_by("-version")
    return [*((row.version or 0, row) for row in rows), (0, None)]


def kinds_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int) -> HttpResponse:
    """Choose what sort of rule to add."""
    pages.demand(request, pages.CHANGE)
    draft = find_draft(set_id)
    return pages.show(
        model_admin,
        request,
        "rule_kinds.html",
        _("Add a rule"),
        draft=draft,
        draft_name=pages.set_name(draft),
        groups=[(title, [(code, KINDS[code].label, KINDS[code].about) for code in codes]) for title, codes in _KINDS],
    )


def add_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int, kind: str) -> HttpResponse:
    """A rule of one kind, to be filled in."""
    pages.demand(request, pages.CHANGE)
    draft = find_draft(set_id)
    if kind not in KINDS:
        raise Http404
    title = _("Add a rule: %(kind)s") % {"kind": KINDS[kind].label}
    rule = blank_rule(kind, request.POST.get("code", ""))
    return _rule_page(model_admin, request, draft, rule, title, new=True)


def edit_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int, code: str) -> HttpResponse:
    """A rule of a draft, to be changed."""
    pages.demand(request, pages.CHANGE)
    draft = find_draft(set_id)
    rule = next((row for row in rows_of(set_id) if row["code"] == code), None)
    if rule is None:
        raise Http404
    title = _("Change the rule: %(rule)s") % {"rule": rule["name"] or KINDS[rule["kind"]].label}
    return _rule_page(model_admin, request, draft, rule, title)


def _rule_page(
    model_admin: ModelAdmin,
    request: HttpRequest,
    draft: RuleSet,
    rule: Mapping[str, Any],
    title: str,
    *,
    new: bool = False,
) -> HttpResponse:
    others = [row for row in rows_of(draft.pk) if row["code"] != rule["code"]]
    form = RuleForm(
        request.POST if request.method == "POST" else None,
        rule=rule,
        others=others,
        vocabulary=vocabulary.of_shop(_products_named(request, rule)),
        today=timezone.now().astimezone(programme_zone()).date(),
        paid=points_paid(),
        products_page=reverse("admin:loyalty_ruleset_products"),
        notes=[problem for problem in draft_problems(draft.pk) if problem.rule == rule["code"]],
    )
    if request.method == "POST" and form.is_valid():
        code = rule["code"]
        try:
            if new:
                code = add_rule(draft.pk, form.rule())
            else:
                put_rule(draft.pk, form.rule())
        except (NotADraft, NoSuchRule):
            return gone(request)
        messages.success(request, _("The rule is saved in the draft. Nothing changes for buyers until you publish it."))
        return _to(draft.pk, code)
    context = {
        "form": form,
        "draft": draft,
        "draft_name": pages.set_name(draft),
        "code": rule["code"],
        "about": form.kind.about,
    }
    return pages.show(model_admin, request, "rule_edit.html", title, **context)


def _products_named(request: HttpRequest, rule: Mapping[str, Any]) -> set[int]:
    """The products that the form must know by name: those of the rule, and those just picked."""
    config = rule.get("config", {}).get("products", {})
    found = {*rule.get("conditions", {}).get("products", ()), *config}
    for name in ("conditions_products", "config_products_product"):
        found |= set(request.POST.getlist(name))
    return {int(number) for number in found if str(number).isdecimal() and len(str(number)) < 19}


def act(model_admin: ModelAdmin, request: HttpRequest, set_id: int, code: str) -> HttpResponse:
    """Move a rule, switch it, copy it, delete it."""
    pages.demand(request, pages.CHANGE)
    if request.method != "POST" or request.POST.get("act") not in ACTS:
        return HttpResponseBadRequest()
    try:
        found = act_on_rule(set_id, code, request.POST["act"])
    except NotADraft:
        return gone(request)
    except NoSuchRule:
        messages.info(request, _("This rule is not in the draft any more."))
        found = ""
    return _to(set_id, found)


def discard_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int) -> HttpResponse:
    """Throw a draft away, once it was asked whether that is meant."""
    pages.demand(request, pages.CHANGE)
    draft = find_draft(set_id)
    if request.method != "POST":
        return pages.show(
            model_admin, request, "rule_discard.html", _("Discard a draft"), draft=draft, name=pages.set_name(draft)
        )
    name = pages.set_name(draft)
    try:
        discard_draft(set_id)
    except NotADraft:
        return gone(request)
    log_action("rule.discard", actor_id=person(request), at=timezone.now(), draft=set_id, name=name)
    messages.success(request, _("%(name)s was discarded.") % {"name": name})
    return HttpResponseRedirect(reverse("admin:loyalty_ruleset_changelist"))


def products_found(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Products by a part of their title or article number, for the list that asks while one types."""
    pages.demand(request, pages.CHANGE)
    products = apps.get_model("crm", "Product").objects.order_by("channel_id", "code", "pk")
    for word in request.GET.get("term", "").split():
        products = products.filter(Q(title__icontains=word) | Q(code__icontains=word))
    page = request.GET.get("page", "1")
    begin = (min(int(page), 1000) - 1 if page.isdecimal() and int(page) else 0) * PRODUCTS_A_PAGE
    rows = list(products.values_list("pk", "title", "code")[begin : begin + PRODUCTS_A_PAGE + 1])
    return JsonResponse(
        {
            "results": [{"id": number, "text": f"{title} · {code}"} for number, title, code in rows[:PRODUCTS_A_PAGE]],
            "pagination": {"more": len(rows) > PRODUCTS_A_PAGE},
        }
    )


def find_draft(set_id: int) -> RuleSet:
    """The draft with this id. Raises Http404."""
    draft = pages.find_set(set_id)
    if draft is None or draft.state != RuleSetState.DRAFT:
        raise Http404
    return draft


def gone(request: HttpRequest) -> HttpResponse:
    """Say that somebody else was faster, and show the list."""
    messages.info(
        request, _("The draft, or this rule, is not there any more: it was published, discarded or deleted meanwhile.")
    )
    return HttpResponseRedirect(reverse("admin:loyalty_ruleset_changelist"))


def _to(set_id: int, code: str = "") -> HttpResponseRedirect:
    page = reverse("admin:loyalty_ruleset_change", args=[set_id])
    return HttpResponseRedirect(f"{page}#rule-{code}" if code else page)
