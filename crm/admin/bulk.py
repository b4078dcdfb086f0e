"""Doing something to all selected rows of a list: a form asks what and why, then it is done to all of them at once."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from crm.admin.exchange import reason_field
from crm.adminkit import Text

_EXAMPLES = 10


class ReasonForm(forms.Form):
    """What an act on many rows always asks: why."""

    reason = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([*(name for name in self.fields if name != "reason"), "reason"])


def ask_then_do(
    model_admin: ModelAdmin,
    request: HttpRequest,
    queryset: "QuerySet[Any]",
    form_class: type[forms.Form],
    *,
    action: str,
    title: Text,
    do: Callable[[dict[str, Any], list[int]], None],
) -> HttpResponse | None:
    """Serve an action of a list. First a page with the form; once that is filled in, ``do`` gets its cleaned data and
    the ids of the rows, and the list is shown again.

    The page posts to the address of the list, filters included, so "all rows that match" still means the same.
    """
    form = form_class(request.POST) if "apply" in request.POST else form_class()
    if form.is_bound and form.is_valid():
        do(form.cleaned_data, list(queryset.order_by("pk").values_list("pk", flat=True)))
        return None
    number = queryset.count()
    examples = list(queryset[:_EXAMPLES])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "form": form,
        "action": action,
        "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
        "across": request.POST.get("select_across", "0"),
        "number": number,
        "examples": examples,
        "more": number > len(examples),
    }
    return TemplateResponse(request, "admin/crm/bulk.html", context)
