"""Sets of earning rules: published, frozen, and followed by the next version."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget

from crm.adminkit import person
from crm.api import log_action
from loyalty.models import EarnRule, RuleSet
from loyalty.rulebook import publish_rate


class PublishForm(forms.ModelForm):  # type: ignore[type-arg]
    """A set of one rule: a rate on what was paid."""

    per = forms.DecimalField(
        label=_("for every (yuan)"),
        max_digits=10,
        decimal_places=2,
        initial=1,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=_("Whole steps only: with 10 yuan, an order of 99 yuan has nine steps."),
    )
    points = forms.IntegerField(
        label=_("points"),
        min_value=1,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Points for each step."),
    )

    class Meta:
        model = RuleSet
        fields = ("effective_from", "reason")
        help_texts = {
            "effective_from": _(
                "Counts for orders paid from then on. Orders that have earned already keep the rule of their day."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("effective_from", "reason"):
            if name in self.fields:
                self.fields[name].required = True
        if "effective_from" in self.fields:
            self.fields["effective_from"].initial = timezone.now

    def clean_per(self) -> Any:
        per = self.cleaned_data["per"]
        if per <= 0:
            raise ValidationError(_("A step must be more than nothing."))
        return per


class RuleInline(TabularInline):
    """The rules of a set, to be read."""

    model = EarnRule
    extra = 0
    fields = ("position", "name", "kind", "enabled", "group", "config", "conditions", "caps")
    ordering = ("position", "id")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("loyalty.view_ruleset")


@admin.register(RuleSet)
class RuleSetAdmin(ModelAdmin):
    """Adding publishes the next version. No version is ever changed or deleted: orders of its day refer to it."""

    form = PublishForm
    inlines = (RuleInline,)
    list_display = ("__str__", "state", "effective_from", "published_at", "published_by", "reason")
    list_select_related = ("published_by",)
    ordering = ("-version",)
    sortable_by = ()

    def get_fieldsets(self, request: HttpRequest, obj: RuleSet | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": (("per", "points"), "effective_from", "reason")})]
        return [(None, {"fields": ("state", "effective_from", "published_at", "published_by", "reason", "note")})]

    def get_inlines(self, request: HttpRequest, obj: RuleSet | None) -> Any:
        return self.inlines if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: RuleSet | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RuleSet | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: RuleSet, form: "forms.ModelForm[RuleSet]", change: bool) -> None:
        now = timezone.now()
        rate = form.cleaned_data
        published = publish_rate(
            rate["per"],
            rate["points"],
            effective_from=rate["effective_from"],
            at=now,
            actor_id=person(request),
            reason=rate["reason"],
        )
        obj.pk, obj.version, obj.state = published.pk, published.version, published.state
        log_action(
            "rule.publish", actor_id=person(request), at=now, reason=rate["reason"], version=published.version or 0
        )
