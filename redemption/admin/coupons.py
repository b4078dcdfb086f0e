"""Issued coupons, and the desk where a coupon is taken."""

from collections.abc import Callable
from functools import partial
from typing import Any

from allauth.core import ratelimit
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminacts import ReasonForm, ask_then_do
from crm.adminkit import EndlessAdmin, Panel, add_member_panel, may, names_field, person
from redemption import desk
from redemption.admin import coupon_pages
from redemption.choices import Standing
from redemption.codes import read_code
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon

USE_COUPON = "redemption.use_coupon"
LATEST = 20
MOST_VOID = 5_000

STANDING_COLOURS = {
    Standing.ISSUED: "success",
    Standing.USED: "default",
    Standing.VOID: "danger",
    Standing.EXPIRED: "warning",
}


def shown_code(coupon: Coupon, *, full: bool) -> str:
    """Return the code in groups; for those who may not take coupons only its end, as the code is worth money."""
    return coupon.spoken_code if full else f"••••-••••-{coupon.code[-4:]}"


def _code_field(request: HttpRequest) -> str:
    return "full_code" if may(request, USE_COUPON) else "end_of_code"


@admin.register(Coupon)
class CouponAdmin(EndlessAdmin):
    list_select_related = ("member", "plan")
    list_filter = ("state", "plan", "used_in")
    actions = ("make_void",)
    search_fields = ("code",)
    search_help_text = gettext_lazy("The whole code")
    readonly_fields = ("full_code", "end_of_code", "standing_in_words")
    list_before_template = "admin/redemption/check_link.html"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        hidden = names_field(lookup, "code", "key") and not may(request, USE_COUPON)
        return not hidden and bool(super().lookup_allowed(lookup, value, request))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        rest = ("member", "plan", "yuan", "points", "standing", "issued_at", "expires_at", "used_at")
        return (_code_field(request), *rest)

    def get_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[Any, ...]:
        rest = (
            "member",
            "plan",
            ("yuan", "points"),
            "standing_in_words",
            "issued_at",
            "expires_at",
            ("used_at", "used_by"),
            ("used_in", "order_no"),
            ("void_at", "void_by"),
            "void_reason",
            "points_back",
            "entry",
        )
        return (_code_field(request), *rest)

    @display(description=pgettext_lazy("of a coupon", "code"))
    def full_code(self, coupon: Coupon) -> str:
        return shown_code(coupon, full=True)

    @display(description=pgettext_lazy("of a coupon", "code"))
    def end_of_code(self, coupon: Coupon) -> str:
        return shown_code(coupon, full=False)

    @display(
        description=gettext_lazy("state"), label={str(state): colour for state, colour in STANDING_COLOURS.items()}
    )
    def standing(self, coupon: Coupon) -> tuple[str, str]:
        standing = coupon.standing(timezone.now())
        return standing.value, str(standing.label)

    @display(description=gettext_lazy("state"))
    def standing_in_words(self, coupon: Coupon) -> str:
        return str(coupon.standing(timezone.now()).label)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Coupon], search_term: str
    ) -> tuple[QuerySet[Coupon], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(code=read_code(search_term) or search_term.strip()), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.check_view)

        def page(route: str, name: str, of: Callable[..., HttpResponseBase]) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(partial(of, self))
            return path(route, wrapped, name=f"redemption_coupon_{name}")

        return [
            path("check/", view, name="redemption_coupon_check"),
            page("used/", "used", coupon_pages.used_view),
            page("export/", "export", coupon_pages.export_view),
            *super().get_urls(),
        ]

    @action(description=gettext_lazy("Make void…"), permissions=["void"])
    def make_void(self, request: HttpRequest, queryset: QuerySet[Coupon]) -> HttpResponse | None:
        """Ask why, and make those of the selected coupons void that can still be used."""

        def do(said: dict[str, Any], ids: list[int]) -> None:
            done = void_coupons(ids, reason=said["reason"], actor_id=person(request), at=timezone.now())
            text = ngettext("%(number)s coupon is void.", "%(number)s coupons are void.", done.coupons)
            messages.success(request, text % {"number": number_format(done.coupons, force_grouping=True)})
            if done.points:
                text = ngettext("%(points)s point went back.", "%(points)s points went back.", done.points)
                messages.info(request, text % {"points": number_format(done.points, force_grouping=True)})
            if done.left_alone:
                text = ngettext(
                    "%(number)s is used or over and was left alone.",
                    "%(number)s are used or over and were left alone.",
                    done.left_alone,
                )
                messages.warning(request, text % {"number": number_format(done.left_alone, force_grouping=True)})

        if queryset.count() > MOST_VOID:
            messages.error(
                request,
                _("At most %(most)s coupons at once. Choose fewer by the filters.") % {"most": f"{MOST_VOID:,}"},
            )
            return None
        return ask_then_do(
            self,
            request,
            queryset,
            ReasonForm,
            action="make_void",
            title=_("Make coupons void? The members see the reason. It cannot be undone."),
            do=do,
        )

    def has_void_permission(self, request: HttpRequest) -> bool:
        return may(request, "redemption.void_coupon")

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Look a code up, and take the coupon on a second press."""
        # Before anything is looked up: to whoever may not look, all codes are alike.
        if not may(request, USE_COUPON):
            raise PermissionDenied
        if request.method == "POST" or request.GET.get("code"):
            limited: HttpResponse | None = ratelimit.consume_or_429(
                request, action="check_coupon", user=request.user, limit_get=True
            )
            if limited is not None:
                return limited
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("Check a coupon"),
        }
        now = timezone.now()
        if request.method == "POST":
            result = desk.use(request.POST.get("code", ""), actor_id=person(request), at=now)
            context |= {"result": result, "coupon": result.coupon, "form": CodeForm()}
        else:
            form = CodeForm(request.GET or None)
            coupon = desk.look_up(form.cleaned_data["code"]) if form.is_valid() else None
            context |= {"form": form, "coupon": coupon}
        if context["coupon"] is not None:
            standing = context["coupon"].standing(now)
            context |= {"standing": standing, "standing_colour": STANDING_COLOURS[standing]}
            context["usable"] = standing is Standing.ISSUED
        return TemplateResponse(request, "admin/redemption/check.html", context)


class CodeForm(forms.Form):
    """A code as somebody types it."""

    code = forms.CharField(
        label=gettext_lazy("Coupon code"),
        max_length=80,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def clean_code(self) -> str:
        typed: str = self.cleaned_data["code"]
        if desk.look_up(typed) is None:
            if read_code(typed) is None:
                raise ValidationError(
                    _("This code was mistyped: its check character does not fit. Please compare it with the buyer's.")
                )
            raise ValidationError(_("There is no coupon with this code. Ask the buyer to show it in his points page."))
        return typed


def _coupons(request: HttpRequest, member_id: int) -> dict[str, Any]:
    full = may(request, USE_COUPON)
    now = timezone.now()
    coupons = Coupon.objects.filter(member=member_id).select_related("plan").order_by("-pk")[:LATEST]
    rows = []
    for coupon in coupons:
        standing = coupon.standing(now)
        rows.append(
            {
                "coupon": coupon,
                "code": shown_code(coupon, full=full),
                "standing": standing.label,
                "colour": STANDING_COLOURS[standing],
            }
        )
    return {"rows": rows}


def register() -> None:
    """Show a member's coupons on his page."""
    add_member_panel(
        Panel("coupons", gettext_lazy("Coupons"), "admin/redemption/panel.html", _coupons, "redemption.view_coupon", 40)
    )
