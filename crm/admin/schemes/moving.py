"""The lists of who is about to move, as a page and as CSV."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from crm.admin.schemes import pages, words
from crm.adminkit import may, person
from crm.stafflog import log_action
from crm.tablefiles import csv_pieces
from crm.tiers.lists import (
    COUNTED_AT_MOST,
    ROWS_ON_A_PAGE,
    Asked,
    Row,
    Which,
    all_of,
    key_in_words,
    metrics_of,
    number_of,
    page_of,
    read_key,
)
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import scheme_at

MEMBERS, EXPORT = "crm.view_member", "crm.export_member"

TITLES: dict[Which, str | Promise] = {
    Which.NEAR: gettext_lazy("About to upgrade"),
    Which.FALLING: gettext_lazy("To be demoted in 30 days"),
    Which.UNCLAIMED: gettext_lazy("Not claimed yet"),
}
_INPUT = {"class": "pk-input"}


class NearForm(forms.Form):
    """How near the next tier is near: a part of its mark, or an amount."""

    percent = forms.IntegerField(
        label=gettext_lazy("Missing at most, in percent"), min_value=1, max_value=100, required=False, initial=20,
        widget=forms.NumberInput(attrs=_INPUT),
    )  # fmt: skip
    gap = forms.DecimalField(
        label=gettext_lazy("or an amount"), min_value=0, max_digits=12, decimal_places=2, required=False,
        widget=forms.NumberInput(attrs=_INPUT | {"step": "any"}),
    )  # fmt: skip
    metric = forms.ChoiceField(
        label=gettext_lazy("of"), required=False, widget=forms.Select(attrs={"class": "pk-select"})
    )

    def __init__(self, data: Any, *, scheme: Scheme | None) -> None:
        super().__init__(data)
        codes = metrics_of(scheme) if scheme else ()
        self.fields["metric"].choices = [(code, words.metric_label(code)) for code in codes]  # type: ignore[attr-defined]

    def asked(self) -> Asked:
        """What is asked; the usual where nothing was typed."""
        said = self.cleaned_data
        metric = said["metric"] or next((code for code, _label in self.fields["metric"].choices), "")  # type: ignore[attr-defined]
        return Asked(Which.NEAR, said["percent"] or 20, said["gap"], metric)


@dataclass(frozen=True, slots=True)
class Shown:
    """A row in words."""

    row: Row
    percent: int | None
    missing: str


def moving_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """One of the lists: ``?list=`` is near, falling or unclaimed, ``?after=`` where the page begins."""
    scheme, form, asked = _asked(request)
    now = timezone.now()
    valid = form is None or form.is_valid()
    after = read_key(asked.which, request.GET.get("after", ""))
    found = page_of(asked, scheme, at=now, after=after, rows=ROWS_ON_A_PAGE + 1) if valid else []
    rows = found[:ROWS_ON_A_PAGE]
    number = number_of(asked, scheme, at=now) if valid else 0
    query = {name: request.GET[name] for name in ("list", "percent", "gap", "metric") if request.GET.get(name)}
    following = urlencode(query | {"after": key_in_words(rows[-1].key)}) if len(found) > len(rows) else ""
    here = reverse("admin:crm_tierscheme_moving")
    return pages.show(
        model_admin,
        request,
        "moving.html",
        str(TITLES[asked.which]),
        which=asked.which.value,
        tabs=[(f"{here}?list={which.value}", str(title), which is asked.which) for which, title in TITLES.items()],
        form=form,
        scheme=scheme,
        rows=[_shown(row) for row in rows],
        number=number,
        counted_at_most=COUNTED_AT_MOST,
        following=following,
        first_page=f"{here}?{urlencode(query)}" if after else "",
        download=f"{reverse('admin:crm_tierscheme_moving_csv')}?{urlencode(query)}",
        may_export=may(request, EXPORT),
        may_see_schemes=any(may(request, each) for each in (pages.VIEW, pages.CHANGE, pages.PUBLISH)),
    )


def moving_csv(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    """All rows of a list as CSV. The staff log says who took it."""
    scheme, form, asked = _asked(request)
    if not may(request, EXPORT) or (form is not None and not form.is_valid()):
        raise PermissionDenied
    now = timezone.now()
    log_action(
        "tier_list.export", actor_id=person(request), at=now, list=asked.which.value, percent=asked.percent,
        gap=None if asked.gap is None else str(asked.gap), metric=asked.metric,
    )  # fmt: skip
    lines = csv_pieces(_titles(), _cells(all_of(asked, scheme, at=now)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="tiers-{asked.which.value}.csv"'
    return response


def _asked(request: HttpRequest) -> tuple[Scheme | None, NearForm | None, Asked]:
    """The scheme in force, the form of the list where it has one, and what is asked. Raises PermissionDenied."""
    pages.demand(request, MEMBERS)
    scheme = scheme_at(timezone.now())
    known = {which.value: which for which in Which}
    which = known.get(request.GET.get("list", ""), Which.NEAR)
    if which is not Which.NEAR:
        return scheme, None, Asked(which)
    form = NearForm({"percent": 20} | request.GET.dict(), scheme=scheme)
    return scheme, form, form.asked() if form.is_valid() else Asked(which)


def _shown(row: Row) -> Shown:
    percent = None if row.share is None else words.percent_rounded_down(row.share)
    missing = words.figure_in_words(row.metric, row.missing) if row.missing is not None else ""
    return Shown(row, percent, missing)


def _titles() -> list[str]:
    return [
        _("Member number"), _("Member"), _("Tier now"), _("Tier"), _("Percent of the mark"), _("Missing"), _("Until"),
        _("Another term"),
    ]  # fmt: skip


def _cells(rows: Iterable[Row]) -> Iterator[list[Any]]:
    for shown in map(_shown, rows):
        row = shown.row
        due = f"{localtime(row.due):%Y-%m-%d %H:%M}" if row.due else ""
        percent = "" if shown.percent is None else shown.percent
        again = _("yes") if row.renewal else ""
        yield [row.member_id, row.name, row.held, row.tier, percent, shown.missing, due, again]
