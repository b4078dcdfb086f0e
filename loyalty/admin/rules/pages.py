"""What is shown: the list of sets, one set with its rules, two versions side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.adminkit import may
from loyalty.admin.rules.comparing import side_by_side
from loyalty.admin.rules.forms import ReasonForm
from loyalty.admin.rules.publishing import Shown
from loyalty.admin.rules.sentences import Words, in_words
from loyalty.admin.rules.vocabulary import Vocabulary, of_sets
from loyalty.choices import RuleSetState
from loyalty.earning.ruleset import Problem, Rule
from loyalty.earning.ruleset import RuleSet as PureRules
from loyalty.models import RuleSet
from loyalty.rulebook import draft_problems, rules_of
from loyalty.validity import programme_zone

VIEW, CHANGE, PUBLISH = "loyalty.view_ruleset", "loyalty.change_ruleset", "loyalty.publish_ruleset"
BACKTEST = "loyalty.add_backtestjob"
EARLIER_ON_A_PAGE = 20
_DIGITS = 18  # What a number of the database can have.


@dataclass(frozen=True, slots=True)
class Card:
    """A rule as the page of its set shows it."""

    rule: Rule
    words: Words
    problems: list[Problem]


def show(model_admin: ModelAdmin, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
    """A page of the rules, with what all of them have."""
    every = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "may_change": may(request, CHANGE),
        "may_publish": may(request, PUBLISH),
        "list_page": reverse("admin:loyalty_ruleset_changelist"),
    }
    return TemplateResponse(request, f"admin/loyalty/{template}", every | context)


def demand(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied unless the person has one of the permissions."""
    if not any(may(request, permission) for permission in permissions):
        raise PermissionDenied


def sets() -> "QuerySet[RuleSet]":
    """Sets with the people behind them and how many rules they have."""
    return RuleSet.objects.select_related("published_by", "created_by", "based_on").annotate(number=Count("rules"))


def in_force(now: datetime) -> RuleSet | None:
    """The set that counts at an instant; None for the one built in."""
    return sets().filter(effective_from__lte=now).order_by("-effective_from", "-version").first()


def list_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """What is in force, what is coming, what is being worked on, and what was."""
    demand(request, VIEW, CHANGE, PUBLISH)
    now = timezone.now()
    current = in_force(now)
    rules = rules_of(current.pk if current else 0)
    published = sets().filter(state=RuleSetState.PUBLISHED)
    earlier = published.filter(effective_from__lte=now).exclude(pk=current.pk if current else 0)
    page = Paginator(earlier.order_by("-effective_from", "-version"), EARLIER_ON_A_PAGE).get_page(
        request.GET.get("page")
    )
    return show(
        model_admin,
        request,
        "rules.html",
        _("Earning rules"),
        current=current,
        cards=cards_of(rules, of_sets(rules)),
        coming=list(published.filter(effective_from__gt=now).order_by("effective_from", "version")),
        drafts=list(sets().filter(state=RuleSetState.DRAFT).order_by("-created_at")),
        earlier=page,
    )


def set_page(model_admin: ModelAdmin, request: HttpRequest, set_id: int) -> HttpResponse:
    """One set: a draft to work on, or a version to read."""
    demand(request, VIEW, CHANGE, PUBLISH)
    row = find_set(set_id)
    if row is not None and row.state == RuleSetState.DRAFT:
        return draft_page(model_admin, request, row)
    now = timezone.now()
    current = in_force(now)
    rules = rules_of(set_id)
    return show(
        model_admin,
        request,
        "rule_version.html",
        set_name(row),
        set=row,
        set_id=set_id,
        version=row.version if row else 0,
        current=current,
        is_current=(current.pk if current else 0) == set_id,
        is_coming=bool(row and row.effective_from and row.effective_from > now),
        cards=cards_of(rules, of_sets(rules)),
        groups=groups_of(rules),
        form=ReasonForm(),
        token=Shown.now(set_id).token(),
        others=[each for each in comparable() if each[0] != set_id],
    )


def draft_page(model_admin: ModelAdmin, request: HttpRequest, draft: RuleSet) -> HttpResponse:
    """A draft: its rules as cards, with what keeps it from being published."""
    rules = rules_of(draft.pk)
    found = draft_problems(draft.pk)
    current = in_force(timezone.now())
    outdated = current is not None and draft.based_on_id != current.pk
    return show(
        model_admin,
        request,
        "rule_draft.html",
        set_name(draft),
        draft=draft,
        cards=cards_of(rules, of_sets(rules), found),
        problems=found,
        groups=groups_of(rules),
        current=current,
        outdated=outdated,
        backtest=backtest_page(request, draft.pk),
    )


def compare_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Any two sets side by side: ``?before=`` and ``?after=`` are their ids, 0 the one built in."""
    demand(request, VIEW, CHANGE, PUBLISH)
    choices = comparable()
    now = timezone.now()
    current = in_force(now)
    before = _number(request.GET.get("before"), current.pk if current else 0)
    after = _number(request.GET.get("after"), choices[0][0])
    names = dict(choices)
    if before not in names or after not in names:
        raise Http404
    one, other = rules_of(before), rules_of(after)
    return show(
        model_admin,
        request,
        "rule_compare.html",
        _("Compare two versions"),
        choices=choices,
        before=before,
        after=after,
        before_name=names[before],
        after_name=names[after],
        comparison=side_by_side(one, other, of_sets(one, other), now.astimezone(programme_zone()).date()),
    )


def comparable() -> list[tuple[int, str]]:
    """All sets by id, drafts and the latest version first, the one built in last."""
    rows = RuleSet.objects.order_by("-state", "-version", "-pk").only("version", "note", "state", "created_at")
    drafts = [row for row in rows if row.state == RuleSetState.DRAFT]
    versions = [row for row in rows if row.state != RuleSetState.DRAFT]
    return [*((row.pk, set_name(row)) for row in [*drafts, *versions]), (0, set_name(None))]


def find_set(set_id: int) -> RuleSet | None:
    """The set with this id; None for the one built in, whose id is 0. Raises Http404."""
    if not set_id:
        return None
    row = sets().filter(pk=set_id).first()
    if row is None:
        raise Http404
    return row


def set_name(row: RuleSet | None) -> str:
    """What a set is called on pages."""
    if row is None:
        return _("Built-in rules")
    if row.version is not None:
        return _("Version %(version)s") % {"version": row.version}
    if row.note:
        return _("Draft “%(note)s”") % {"note": row.note}
    return _("Draft no. %(number)s") % {"number": row.pk}


def cards_of(rules: PureRules, vocabulary: Vocabulary, problems: Sequence[Problem] = ()) -> list[Card]:
    """All rules in their order, those that are switched off included."""
    today = timezone.now().astimezone(programme_zone()).date()
    ordered = sorted(rules.rules, key=lambda rule: (rule.position, rule.code))
    return [
        Card(rule, in_words(rule, vocabulary, today), [each for each in problems if each.rule == rule.code])
        for rule in ordered
    ]


def groups_of(rules: PureRules) -> list[tuple[str, list[str], str]]:
    """The exclusive groups: their word, the names of their rules, and which of them counts."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules.in_order():
        if rule.group:
            groups.setdefault(rule.group, []).append(rule)
    return [
        (group, [rule.name or str(rule.kind.label) for rule in some], _who_counts(some))
        for group, some in groups.items()
    ]


def _who_counts(rules: Sequence[Rule]) -> str:
    if len(rules) == 1:
        return _("So far it is alone in its group, so the group changes nothing.")
    if rules[0].stage.name == "BASE":
        return _("Each product earns by the first of them, from top to bottom, whose conditions it meets.")
    if rules[0].kind.multiplies:
        return _("Of those that apply to a product the one with the largest factor counts.")
    return _("Of those that apply the one that gives most counts.")


def backtest_page(request: HttpRequest, draft_id: int) -> str:
    """Where the person can try a draft on past orders; "" when he may not."""
    if not may(request, BACKTEST):
        return ""
    return f"{reverse('admin:loyalty_backtest_start')}?draft={draft_id}"


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) <= _DIGITS else default
