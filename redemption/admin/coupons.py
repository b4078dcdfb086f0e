"""Issued coupons, and the desk where a coupon is taken."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminkit import EndlessAdmin, Panel, add_member_panel, may, names_field, person
from redemption import desk
from redemption.choices import Standing
from redemption.codes import read_code
from redemption.models import Coupon

USE_COUPON = "redemption.use_coupon"
LATEST = 20

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
    list_filter = ("state", "plan")
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
        return queryset.filter(code=read_code(search_term) or ""), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.check_view)
        return [path("check/", view, name="redemption_coupon_check"), *super().get_urls()]

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Look a code up, and take the coupon on a second press."""
        if not may(request, USE_COUPON):
            raise PermissionDenied
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
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def clean_code(self) -> str:
        typed: str = self.cleaned_data["code"]
        if read_code(typed) is None:
            raise ValidationError(
                _("This code was mistyped: its check character does not fit. Please compare it with the buyer's.")
            )
        if desk.look_up(typed) is None:
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
