"""Earning rules: published, frozen, and followed by the next version."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from crm.adminkit import person
from crm.api import log_action
from loyalty.models import EarnRule
from loyalty.rulebook import publish_rate


class PublishForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = EarnRule
        fields = ("per", "points", "effective_from", "reason")
        help_texts = {
            "per": _("Whole steps only: with 10 yuan, an order of 99 yuan has nine steps."),
            "points": _("Points for each step."),
            "effective_from": _(
                "Counts for orders paid from then on. Orders that have earned already keep the rule of their day."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "effective_from" in self.fields:
            self.fields["effective_from"].initial = timezone.now
        if "per" in self.fields:
            self.fields["per"].initial = 1
            self.fields["points"].initial = 1

    def clean_per(self) -> Any:
        per = self.cleaned_data["per"]
        if per <= 0:
            raise ValidationError(_("A step must be more than nothing."))
        return per


@admin.register(EarnRule)
class EarnRuleAdmin(ModelAdmin):
    """Adding publishes the next version. No version is ever changed or deleted: orders of its day refer to it."""

    form = PublishForm
    list_display = ("version", "per", "points", "effective_from", "published_at", "published_by", "reason")
    list_select_related = ("published_by",)
    ordering = ("-version",)
    sortable_by = ()
    fields = (("per", "points"), "effective_from", "reason")

    def has_change_permission(self, request: HttpRequest, obj: EarnRule | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: EarnRule | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: EarnRule, form: "forms.ModelForm[EarnRule]", change: bool) -> None:
        now = timezone.now()
        published = publish_rate(
            obj.per,
            obj.points,
            effective_from=obj.effective_from,
            at=now,
            actor_id=person(request),
            reason=obj.reason,
        )
        obj.pk, obj.version = published.pk, published.version
        log_action("rule.publish", actor_id=person(request), at=now, reason=obj.reason, version=published.version)
