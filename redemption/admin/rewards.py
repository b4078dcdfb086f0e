"""Rewards: what they cost, whom they are for, how many there are."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from crm.adminacts import ReasonForm, ask_then_do
from crm.adminkit import may, person
from crm.api import log_action
from redemption.admin import reward_pages as pages
from redemption.admin.picture_page import CHANGE, picture_page
from redemption.admin.reward_forms import RewardForm
from redemption.models import Reward, RewardCategory, RewardCode
from redemption.rewards.choices import RewardKind
from redemption.rewards.keeping import duplicate, set_offered, set_tags
from redemption.rewards.pooling import FEW_CODES
from redemption.rewards.stocking import change_stock

STANDING_COLOURS = {"on": "success", "coming": "info", "over": "default", "off": "danger"}


@admin.register(RewardCategory)
class RewardCategoryAdmin(ModelAdmin):
    """The shelves of the store."""

    list_display = ("name", "position", "shown_rewards")
    fields = ("name", "position")
    ordering = ("position", "id")
    sortable_by = ()
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[RewardCategory]:
        categories: QuerySet[RewardCategory] = super().get_queryset(request)
        return categories.annotate(number=Count("rewards"))

    @display(description=_("rewards"))
    def shown_rewards(self, category: RewardCategory) -> int:
        number: int = category.number  # type: ignore[attr-defined]
        return number

    def save_model(self, request: HttpRequest, obj: RewardCategory, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        log_action("rewards.category", actor_id=person(request), at=timezone.now(), category=obj.name)

    def delete_model(self, request: HttpRequest, obj: RewardCategory) -> None:
        log_action(
            "rewards.category", actor_id=person(request), at=timezone.now(), category=obj.name, deleted=True
        )  # fmt: skip
        super().delete_model(request, obj)


class StandingFilter(admin.SimpleListFilter):
    """Filters by whether a reward can be had now."""

    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, Any]]:
        return list(pages.standing_words().items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reward]) -> QuerySet[Reward]:
        now = timezone.now()
        begun = Q(starts_at=None) | Q(starts_at__lte=now)
        over = Q(ends_at__lte=now)
        match self.value():
            case "on":
                return queryset.filter(begun, ~over | Q(ends_at=None), active=True)
            case "coming":
                return queryset.filter(active=True, starts_at__gt=now)
            case "over":
                return queryset.filter(over, active=True)
            case "off":
                return queryset.filter(active=False)
        return queryset


class LeftFilter(admin.SimpleListFilter):
    """Filters by how many pieces are left."""

    title = _("stock")
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, Any]]:
        return [("none", _("Sold out")), ("few", _("Running out"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reward]) -> QuerySet[Reward]:
        match self.value():
            case "none":
                return queryset.filter(_left(0, 0))
            case "few":
                return queryset.filter(_left(0, FEW_CODES - 1))
        return queryset


def _left(least: int, most: int) -> Q:
    return Q(left__range=(least, most))


def with_left(rewards: QuerySet[Reward]) -> QuerySet[Reward]:
    """Annotate rewards with ``left``: how many can be redeemed, None where they are not counted."""
    free_codes = RewardCode.objects.filter(reward=OuterRef("pk"), redemption=None).order_by().values("reward")
    codes = Coalesce(Subquery(free_codes.annotate(number=Count("pk")).values("number")), 0)
    return rewards.annotate(
        left=Case(
            When(kind=RewardKind.DIGITAL, then=codes),
            When(counted=True, then=Coalesce(F("stock__free"), 0)),
            output_field=IntegerField(),
        )
    )


@admin.register(Reward)
class RewardAdmin(ModelAdmin):
    """Rewards are taken off the store, never deleted: redemptions name them."""

    form = RewardForm
    list_display = ("name", "price", "shown_kind", "standing", "shown_left", "category", "min_tier", "position")
    list_filter = (StandingFilter, LeftFilter, "kind", "category", "min_tier", "visibility")
    list_select_related = ("category", "min_tier")
    list_per_page = 50
    show_full_result_count = False  # One count is enough, and that one reads the stock where it is filtered by it.
    search_fields = ("name",)
    ordering = ("position", "id")
    sortable_by = ()
    actions = ("offer", "withdraw")
    actions_detail = ("stock", "codes", "pictures", "preview", "copy")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reward]:
        rewards: QuerySet[Reward] = super().get_queryset(request)
        return with_left(rewards)

    def get_fieldsets(self, request: HttpRequest, obj: Reward | None = None) -> list[tuple[Any, dict[str, Any]]]:
        what = ("name", "kind", *(("counted",) if obj is None or obj.kind in _MAY_DO_WITHOUT else ()), "description")
        first = [(_("Stock"), {"fields": (("pieces", "safety"),)})] if obj is None else []
        tags = ("needed_tags", "barred_tags") if self.has_change_permission(request, obj) or obj is None else ()
        return [
            (None, {"fields": (*what, ("category", "position"))}),
            (_("Price"), {"fields": (("points", "cash"), ("list_price", "pay_hours"))}),
            (_("When"), {"fields": ("active", "starts_at", "ends_at")}),
            (pgettext_lazy("part of a reward", "Who"), {"fields": (("min_tier", "visibility"), *tags)}),
            (_("How many"), {"fields": (("limit_day", "limit_ever"), ("limit_window", "most_at_once"))}),
            *first,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Reward | None = None) -> tuple[str, ...]:
        return ("kind",) if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Reward | None = None) -> bool:
        return False

    @display(description=pgettext_lazy("of a reward", "price"))
    def price(self, reward: Reward) -> str:
        points = ngettext("%(points)s point", "%(points)s points", reward.points) % {
            "points": number_format(reward.points, force_grouping=True)
        }
        return f"{points} + ¥{reward.cash}" if reward.cash else points

    @display(description=_("kind"))
    def shown_kind(self, reward: Reward) -> str:
        return str(pages.kind_words()[reward.kind])

    @display(description=_("state"), label=STANDING_COLOURS)
    def standing(self, reward: Reward) -> tuple[str, str]:
        return pages.standing_of_reward(reward, timezone.now())

    @display(description=_("left"), label={"none": "danger", "few": "warning", "some": "default", "endless": "info"})
    def shown_left(self, reward: Reward) -> tuple[str, str]:
        return pages.left_words(reward.left)  # type: ignore[attr-defined]

    # --- saving ---------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Reward, form: Any, change: bool) -> None:
        said, now, actor = form.cleaned_data, timezone.now(), person(request)
        if "counted" in said:
            obj.counted = said["counted"]
        super().save_model(request, obj, form, change)
        set_tags(
            obj.pk,
            needed=[tag.pk for tag in said.get("needed_tags", ())],
            barred=[tag.pk for tag in said.get("barred_tags", ())],
        )
        changed = [name for name in form.changed_data if name not in {"pieces", "safety"}]
        if not change or changed:
            log_action(
                "rewards.change" if change else "rewards.add",
                actor_id=actor, at=now, reward=obj.pk, name=obj.name, fields=changed if change else [],
                points=obj.points, cash=str(obj.cash),
            )  # fmt: skip
        if not change and obj.counted:
            pieces, safety = said.get("pieces") or 0, said.get("safety") or 0
            if pieces:
                reason = gettext("First stock")
                change_stock(obj.pk, pieces, safety=safety, reason=reason, actor_id=actor, at=now)

    def response_add(self, request: HttpRequest, obj: Reward, post_url_continue: str | None = None) -> HttpResponse:
        """A digital good needs codes next."""
        if obj.kind == RewardKind.DIGITAL and "_addanother" not in request.POST and self.has_codes_permission(request):
            messages.success(request, gettext("The reward is made. Now upload its codes."))
            return redirect(reverse("admin:redemption_reward_codes", args=[obj.pk]))
        response: HttpResponse = super().response_add(request, obj, post_url_continue)
        return response

    # --- pages of one reward --------------------------------------------------------------------------------------

    def has_stock_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, "redemption.view_reward") and _is(object_id, counted=True)

    def has_codes_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, pages.ADD_CODES) and _is(object_id, kind=RewardKind.DIGITAL)

    def has_preview_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, pages.PREVIEW) and may(request, "crm.view_member")

    def has_copy_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, "redemption.add_reward")

    @action(description=_("Stock"), permissions=["stock"], icon="inventory")
    def stock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What is there, what changed it, and the form to change it."""
        return pages.stock_page(self, request, object_id)

    @action(description=_("Codes"), permissions=["codes"], icon="password")
    def codes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put codes into the pool."""
        return pages.codes_page(self, request, object_id)

    def has_pictures_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, CHANGE)

    @action(description=_("Pictures"), permissions=["pictures"], icon="image")
    def pictures(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Upload, order, describe and delete pictures."""
        return picture_page(self, request, object_id)

    @action(description=_("As a member sees it"), permissions=["preview"], icon="visibility")
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What a member would see at a moment, and why."""
        return pages.preview_page(self, request, object_id)

    @action(description=_("Make a copy"), permissions=["copy"], icon="content_copy")
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, and make a copy that is not offered yet."""
        reward = pages.find_reward(object_id)
        if request.method == "POST":
            made = duplicate(reward.pk, actor_id=person(request), at=timezone.now())
            messages.success(request, gettext("This is the copy. It is not offered yet, and has no stock."))
            return redirect(reverse("admin:redemption_reward_change", args=[made.pk]))
        return pages.copy_page(self, request, reward)

    # --- many rewards ---------------------------------------------------------------------------------------------

    @action(description=_("Offer to buyers"), permissions=["change"])
    def offer(self, request: HttpRequest, queryset: QuerySet[Reward]) -> HttpResponse | None:
        return self._set_offered(request, queryset, offered=True)

    @action(description=_("Take off the store"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Reward]) -> HttpResponse | None:
        return self._set_offered(request, queryset, offered=False)

    def _set_offered(self, request: HttpRequest, queryset: QuerySet[Reward], *, offered: bool) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            number = set_offered(
                ids, offered=offered, actor_id=person(request), reason=said["reason"], at=timezone.now()
            )
            text = ngettext("%(number)s reward was changed.", "%(number)s rewards were changed.", number)
            messages.success(request, text % {"number": number})

        title = _("Offer to buyers") if offered else _("Take off the store")
        name = "offer" if offered else "withdraw"
        return ask_then_do(self, request, queryset, ReasonForm, action=name, title=title, do=do)


_MAY_DO_WITHOUT = (RewardKind.TICKET, RewardKind.DONATION)


def _is(object_id: str | None, **what: Any) -> bool:
    """Whether a reward is of a kind that has such a page; asked for the button of one reward only."""
    if object_id is None:
        return True
    return str(object_id).isdecimal() and Reward.objects.filter(pk=object_id, **what).exists()
