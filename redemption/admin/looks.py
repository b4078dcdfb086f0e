"""The look of the buyer's pages: one row, so the list leads straight to it."""

import re
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.contrib.staticfiles import finders
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminRadioSelectWidget

from crm.adminkit import person
from crm.api import log_action
from redemption.choices import Theme
from redemption.looks import Dress, forget_look
from redemption.models import Look

_LACQUER = re.compile(r"--(lacquer-1|lacquer-2|foil): (#[0-9a-f]{6});")


def swatch(theme: Theme) -> SafeString:
    """A little card in a theme's colours, which are read from its style sheet."""
    stylesheet = Dress(theme, festive=False).stylesheet or "buyer/tokens.css"
    colours = dict(_LACQUER.findall(Path(str(finders.find(stylesheet))).read_text(encoding="utf-8")))
    return format_html(
        '<svg width="56" height="34" viewBox="0 0 56 34" aria-hidden="true">'
        '<defs><linearGradient id="swatch-{name}" x2="1" y2="1"><stop stop-color="{dark}"/>'
        '<stop offset="1" stop-color="{bright}"/></linearGradient></defs>'
        '<rect width="56" height="34" rx="5" fill="url(#swatch-{name})"/>'
        '<rect x="7" y="9" width="22" height="6" rx="3" fill="{foil}"/>'
        '<rect x="7" y="20" width="34" height="3" rx="1.5" fill="{foil}" opacity=".6"/></svg>',
        name=theme.value,
        dark=colours["lacquer-1"],
        bright=colours["lacquer-2"],
        foil=colours["foil"],
    )


def _labelled(value: str, label: Any) -> tuple[str, Any]:
    if value not in Theme.values:
        return value, label
    picture = swatch(Theme(value))
    return value, format_html('<span class="look-choice">{} {}</span>', picture, label)


@admin.register(Look)
class LookAdmin(ModelAdmin):
    """There is one look: it is changed, never added or deleted."""

    fields = ("theme", "festive")

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        choices = [_labelled(value, label) for value, label in db_field.get_choices(include_blank=False)]
        return super().formfield_for_choice_field(
            db_field, request, **{**kwargs, "choices": choices, "widget": UnfoldAdminRadioSelectWidget()}
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Make the row where there is none yet, and show it."""
        if not self.has_view_or_change_permission(request):
            answer: HttpResponse = super().changelist_view(request, extra_context)  # Refuses.
            return answer
        look, _made = Look.objects.get_or_create(pk=1)
        return redirect(reverse("admin:redemption_look_change", args=[look.pk]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Look | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Look, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            log_action(
                "look.change",
                actor_id=person(request),
                at=timezone.now(),
                theme=str(obj.theme),
                festive=str(obj.festive),
            )
        transaction.on_commit(forget_look)
