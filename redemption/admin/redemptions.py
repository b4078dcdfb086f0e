"""The queue of redemptions: found, confirmed, sent, cancelled, one or many at a time."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from crm.adminacts import ask_then_do, find_for_check
from crm.adminkit import PERSONAL_DATA, EndlessAdmin, Panel, add_member_panel, may, names_field, person
from crm.filekit import read_phone
from redemption.admin import redemption_page, report_pages, shipping_pages
from redemption.admin.redemption_forms import STATE_COLOURS, CarrierForm, ReasonForm, SureForm
from redemption.models import Address, Redemption, Reward
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.handling import confirm
from redemption.rewards.many import MOST_AT_ONCE, Tally, cancel_many, pay_many, receive_many
from redemption.rewards.paid_orders import numbers_in
from redemption.rewards.shipments import Parcel, send
from redemption.rewards.todo import open_counts

HANDLE = "redemption.handle_redemption"
_LATEST = 20
_REWARDS_NAMED = 100
_LATE = timedelta(days=2)


class ToDoFilter(admin.SimpleListFilter):
    """Filters by what is to be done."""

    title = _("to be done")
    parameter_name = "todo"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, Any]]:
        return [("send", _("To be sent")), ("late", _("Waiting for more than two days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> QuerySet[Redemption]:
        waiting = Q(state__in=[RedemptionState.PLACED, RedemptionState.CONFIRMED])
        match self.value():
            case "send":
                return queryset.filter(waiting, reward__kind=RewardKind.GOODS)
            case "late":
                return queryset.filter(waiting, placed_at__lt=timezone.now() - _LATE)
        return queryset


class RewardFilter(admin.SimpleListFilter):
    """Filters by one of the first hundred rewards; for others the address does, as the page of a reward has it."""

    title = _("reward")
    parameter_name = "reward"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, Any]]:
        rewards = Reward.objects.order_by("-active", "position", "pk").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rewards[:_REWARDS_NAMED]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> QuerySet[Redemption]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(reward=int(value)) if value.isdecimal() else queryset.none()


@admin.register(Redemption)
class RedemptionAdmin(EndlessAdmin):
    """Nothing of a redemption is typed over: it moves by acts, and each is written into its history."""

    list_display = ("number", "reward", "shown_pieces", "member", "shown_points", "shown_state", "placed_at", "parcel")
    list_select_related = ("reward", "member")
    list_filter = ("state", ToDoFilter, "reward__kind", RewardFilter)
    list_before_template = "admin/redemption/redemption/counts.html"
    search_fields = ("id",)
    search_help_text = _("Redemption number, parcel number, member, or a whole phone number")
    actions = ("confirm_them", "ship_them", "receive_them", "pay_them", "cancel_them")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        personal = names_field(lookup, "address", "recipient", "phone", "region", "street", "email")
        hidden = personal and not may(request, PERSONAL_DATA)
        return not hidden and bool(super().lookup_allowed(lookup, value, request))

    @display(description=_("redemption"))
    def number(self, redemption: Redemption) -> str:
        return redemption.number

    @display(description=_("pieces"))
    def shown_pieces(self, redemption: Redemption) -> str:
        gone = redemption.quantity - redemption.left
        return f"{redemption.left} / {redemption.quantity}" if gone and redemption.left else str(redemption.quantity)

    @display(description=pgettext_lazy("of a reward", "price"))
    def shown_points(self, redemption: Redemption) -> str:
        return redemption_page.price(redemption)

    @display(description=_("state"), label={str(state): colour for state, colour in STATE_COLOURS.items()})
    def shown_state(self, redemption: Redemption) -> tuple[str, str]:
        return redemption.state, redemption.get_state_display()

    @display(description=_("parcel"))
    def parcel(self, redemption: Redemption) -> str:
        return f"{redemption.carrier} {redemption.tracking_number}".strip()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Redemption], search_term: str
    ) -> tuple[QuerySet[Redemption], bool]:
        """Find by the number of the redemption, else by the parcel, the member or the whole phone it is sent to."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if ids := numbers_in(term):
            return queryset.filter(pk__in=ids), False
        members = find_for_check(term).rows
        found = Q(member__in=[member.pk for member in members]) | Q(tracking_number=term)
        if phone := read_phone(term):
            found |= Q(address__in=list(Address.objects.filter(phone=phone).values_list("pk", flat=True)))
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(partial(view, self))
            return path(route, wrapped, name=f"redemption_redemption_{name}")

        return [
            page("picking/", "picking", shipping_pages.picking_view),
            page("labels/", "labels", shipping_pages.labels_view),
            page("shipments/", "shipments", shipping_pages.shipments_view),
            page("shipments/sample.csv", "shipments_sample", shipping_pages.sample_view),
            page("report/", "report", report_pages.report_view),
            page("report/export/", "report_export", report_pages.export_view),
            page("live/", "live", report_pages.live_view),
            page("<int:redemption_id>/act/<slug:act>/", "act", redemption_page.act_view),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        counts = open_counts()
        extra = {
            "counts": [(state, RedemptionState(state).label, number) for state, number in counts.items()],
            "may_handle": may(request, HANDLE),
            "may_export": may(request, shipping_pages.EXPORT),
        }
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **extra})
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        if not object_id.isdecimal():
            raise Http404
        return redemption_page.page(self, request, int(object_id))

    def has_handle_permission(self, request: HttpRequest) -> bool:
        return may(request, HANDLE)

    # --- many redemptions -----------------------------------------------------------------------------------------

    @action(description=_("Confirm"), permissions=["handle"])
    def confirm_them(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> Tally:
            done = len(confirm(ids, actor_id=person(request), at=timezone.now()))
            return _tally(done, len(ids), gettext("They were not waiting to be confirmed."))

        return self._ask(request, queryset, SureForm, do, name="confirm_them", title=_("Confirm"))

    @action(description=_("Mark as shipped"), permissions=["handle"])
    def ship_them(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> Tally:
            parcels = [Parcel(0, pk, said["carrier"], "") for pk in ids]
            done = send(parcels, actor_id=person(request), at=timezone.now(), reason="")
            tally = Tally(done=len(done.changes))
            tally.refused.update(refusal.message() for refusal in done.refused)
            return tally

        return self._ask(request, queryset, CarrierForm, do, name="ship_them", title=_("Mark as shipped"))

    @action(description=_("Mark as received"), permissions=["handle"])
    def receive_them(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> Tally:
            return receive_many(ids, actor_id=person(request), at=timezone.now())

        return self._ask(request, queryset, SureForm, do, name="receive_them", title=_("Mark as received"))

    @action(description=_("Mark as paid"), permissions=["handle"])
    def pay_them(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> Tally:
            return pay_many(ids, actor_id=person(request), reason=said["reason"], at=timezone.now())

        return self._ask(request, queryset, ReasonForm, do, name="pay_them", title=_("Mark as paid"))

    @action(description=_("Cancel"), permissions=["handle"])
    def cancel_them(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> Tally:
            return cancel_many(ids, actor_id=person(request), reason=said["reason"], at=timezone.now())

        title = _("Cancel: points go back to the buyers, pieces to the stock")
        return self._ask(request, queryset, ReasonForm, do, name="cancel_them", title=title)

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Redemption],
        form: type[forms.Form],
        do: Callable[[dict[str, Any], list[int]], Tally],
        *,
        name: str,
        title: Any,
    ) -> HttpResponse | None:
        def do_and_tell(said: dict[str, Any], ids: list[int]) -> None:
            if len(ids) > MOST_AT_ONCE:
                text = gettext("At most %(most)s redemptions at once. Narrow the list by a filter.")
                messages.error(request, text % {"most": MOST_AT_ONCE})
                return
            _tell(request, do(said, ids))

        return ask_then_do(self, request, queryset, form, action=name, title=title, do=do_and_tell)


def _tally(done: int, asked: int, why_not: str) -> Tally:
    tally = Tally(done=done)
    if asked > done:
        tally.refused[why_not] = asked - done
    return tally


def _tell(request: HttpRequest, tally: Tally) -> None:
    done = ngettext("%(number)s redemption was changed.", "%(number)s redemptions were changed.", tally.done)
    messages.success(request, done % {"number": tally.done})
    for why, number in tally.refused.most_common(5):
        left = ngettext("%(number)s was left as it is: %(why)s", "%(number)s were left as they are: %(why)s", number)
        messages.warning(request, left % {"number": number, "why": why})


def _redemptions(request: HttpRequest, member_id: int) -> dict[str, Any]:
    latest = Redemption.objects.filter(member=member_id).select_related("reward").order_by("-pk")[:_LATEST]
    rows = [(row, redemption_page.price(row), STATE_COLOURS[RedemptionState(row.state)]) for row in latest]
    return {"rows": rows}


def register() -> None:
    """Show a member's redemptions on his page."""
    title = _("Redemptions")
    template = "admin/redemption/redemption/panel.html"
    add_member_panel(Panel("redemptions", title, template, _redemptions, "redemption.view_redemption", 45))
