"""The price check: what a member pays for some products at a moment, with every candidate and why it lost.

One form that is sent by GET, so that a check can be kept as an address. Members and products are searched for on the
server: what is found stands in the form to be ticked, and a single hit is ticked already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from crm.admin.member_search import find_members
from crm.adminkit import may
from crm.models import Member, Product
from crm.price_words import plain, source_in_words, verdict_in_words
from crm.pricing import Candidate, PricedLine, Verdict
from crm.quotes import LARGEST_ID, Asked, quote

CHECK = "crm.check_price"
HITS = 20
LONGEST = 120  # What is typed into a search.
MOST_PRODUCTS = 50
MOST_PIECES = 1_000_000


def may_check(request: HttpRequest) -> bool:
    """Whether a person may check prices; the page shows members, so seeing those is part of it."""
    return may(request, CHECK) and may(request, "crm.view_member")


class PriceCheckForm(forms.Form):
    """Whose price, of what, and when."""

    member_q = forms.CharField(
        label=gettext_lazy("Find a member"),
        required=False,
        max_length=LONGEST,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "search", "autocomplete": "off"}),
        help_text=gettext_lazy("Name, platform name or number, or a whole phone number or mail address"),
    )
    product_q = forms.CharField(
        label=gettext_lazy("Find a product"),
        required=False,
        max_length=LONGEST,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "search", "autocomplete": "off"}),
        help_text=gettext_lazy("Part of the title, or the article number"),
    )
    at = forms.DateTimeField(
        label=gettext_lazy("At"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: now."),
    )
    member = forms.ModelChoiceField(queryset=Member.objects.all(), required=False)
    product = forms.ModelMultipleChoiceField(queryset=Product.objects.select_related("channel"), required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self._quantities: dict[int, str] = {}
        for text in data.getlist("product")[:MOST_PRODUCTS]:
            if text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID:
                self._quantities[int(text)] = name = f"quantity_{int(text)}"
                self.fields[name] = forms.IntegerField(
                    label=gettext_lazy("Pieces"),
                    required=False,
                    min_value=1,
                    max_value=MOST_PIECES,
                    widget=UnfoldAdminIntegerFieldWidget(attrs={"inputmode": "numeric", "placeholder": "1"}),
                )

    def clean_product(self) -> list[Product]:
        chosen = list(self.cleaned_data["product"])
        if len(chosen) > MOST_PRODUCTS:
            raise forms.ValidationError(_("At most %(most)s products at once.") % {"most": MOST_PRODUCTS})
        return chosen

    def lines(self) -> list[tuple[Product, forms.BoundField, int]]:
        """The ticked products with the field for their pieces, and how many are meant."""
        chosen = self.cleaned_data.get("product", [])
        return [(product, self[name], self.cleaned_data.get(name) or 1) for product, name in self._named(chosen)]

    def _named(self, chosen: Sequence[Product]) -> list[tuple[Product, str]]:
        return [(product, self._quantities[product.pk]) for product in chosen if product.pk in self._quantities]


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found: at most ``HITS`` of them, and whether there are more."""

    rows: list[Any]
    more: bool

    @property
    def single(self) -> bool:
        """Whether it is clear what was meant."""
        return len(self.rows) == 1


def find_for_check(term: str) -> Hits:
    """Members by what a person at the desk has, their number included."""
    number = term.strip().removeprefix("#")
    found = find_members(Member.objects.all(), term)
    if number.isascii() and number.isdecimal() and int(number) <= LARGEST_ID:
        found = Member.objects.filter(Q(pk=int(number)) | Q(pk__in=found.order_by().values("pk")))
    return _hits(found.prefetch_related("identities").order_by("-pk")[: HITS + 1])


def find_products(term: str) -> Hits:
    """Products by a part of their title, or their article number."""
    found = Product.objects.filter(Q(title__icontains=term) | Q(code__iexact=term)).select_related("channel")
    return _hits(found.order_by("title", "pk")[: HITS + 1])


def _hits(found: Any) -> Hits:
    rows = list(found)
    return Hits(rows[:HITS], more=len(rows) > HITS)


def price_check_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The page."""
    if not may_check(request):
        raise PermissionDenied
    data = request.GET.copy()
    members = _search(data, "member_q", find_for_check)
    products = _search(data, "product_q", find_products)
    if members is not None and members.single:
        data["member"] = str(members.rows[0].pk)
    if products is not None and products.single and (only := str(products.rows[0].pk)) not in data.getlist("product"):
        data.appendlist("product", only)
    form = PriceCheckForm(data)
    form.is_valid()  # What is wrong stands beside its field; the rest counts all the same.
    member: Member | None = form.cleaned_data.get("member")
    lines = form.lines()
    chosen = {product.pk for product, _field, _pieces in lines}
    at = form.cleaned_data.get("at") or timezone.now()
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Price check"),
        "opts": model_admin.opts,
        "form": form,
        "member": member,
        "members": None if members is not None and members.single else members,
        "products": products,
        "found": [row for row in products.rows if row.pk not in chosen] if products is not None else [],
        "lines": lines,
        "at": at,
        **(_result(member, lines, at) if member is not None and lines and not form.errors else {}),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/crm/product/price_check.html", context)


def _search(data: QueryDict, name: str, find: Callable[[str], Hits]) -> Hits | None:
    """Search for what was typed; None when nothing was."""
    term = data.get(name, "").strip()[:LONGEST]
    return find(term) if term else None


def _result(member: Member, lines: Sequence[tuple[Product, forms.BoundField, int]], at: datetime) -> dict[str, Any]:
    found = quote(member.pk, [Asked(product.pk, pieces) for product, _field, pieces in lines], at)
    return {
        "result": [_shown(line) for line in found.lines],
        "totals": found.totals,
        "unpriced": len(found.unpriced),
    }


def _shown(line: PricedLine) -> dict[str, Any]:
    return {"line": line, "candidates": [_candidate(candidate) for candidate in line.candidates]}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "source": source_in_words(candidate),
        "name": candidate.name,
        "percent": plain(candidate.percent) if candidate.percent is not None else "",
        "price": candidate.unit_price,
        "verdict": verdict_in_words(candidate),
        "wins": candidate.verdict is Verdict.LOWEST,
    }
