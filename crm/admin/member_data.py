"""What a buyer may ask the shop for: everything held about him as a file, and the erasure of it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.admin.bulk import ReasonForm
from crm.adminkit import PERSONAL_DATA, may, person
from crm.models import Member
from crm.personal.erasing import EraseRefused, erase_member, look_ahead
from crm.personal.file import everything_held
from crm.personal.making import ask_for_file, asked_file, made_at_once, opened
from crm.personal.registry import Erasure
from crm.stafflog import log_action

MAY_ERASE = "crm.erase_member"
MAY_EXPORT = "crm.export_member"


class EraseForm(ReasonForm):
    """Why, and the member's number once more: nobody erases the wrong one by a slip."""

    number = forms.CharField(
        label=_("Number of the member"),
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Type it once more, as it stands above. This cannot be undone."),
    )

    def __init__(self, *args: Any, member_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._member_id = member_id

    def clean_number(self) -> str:
        typed: str = self.cleaned_data["number"].strip().lstrip("#")
        if typed != str(self._member_id):
            raise forms.ValidationError(_("This is not the number of this member."))
        return typed


def data_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """What a person may do here for the member."""
    may_export = may(request, MAY_EXPORT) and may(request, PERSONAL_DATA)
    return {
        "file": asked_file(member_id, person(request), timezone.now()) if may_export else None,
        "erased_at": Member.objects.filter(pk=member_id).values_list("erased_at", flat=True).first(),
        "may_export": may_export,
        "may_erase": may(request, MAY_ERASE),
        "member_id": member_id,
    }


def data_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponseBase:
    """Everything held about a member, for him who asked the shop for it. The staff log says who took it."""
    if not (may(request, MAY_EXPORT) and may(request, PERSONAL_DATA)):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _member(member_id)
    now = timezone.now()
    asked = asked_file(member_id, person(request), now)
    if asked is None or not asked.is_being_made:
        log_action("member.data", actor_id=person(request), at=now, member_id=member_id)
        if made_at_once(member_id):
            return FileResponse(everything_held(member_id, now), as_attachment=True, filename=_name(member_id))
        ask_for_file(member_id, person(request), now)
    messages.info(request, _("The file is being made, which takes some minutes. It is offered here when it is ready."))
    return HttpResponseRedirect(f"{reverse('admin:crm_member_change', args=[member_id])}#data")


def data_file_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponseBase:
    """The file that a worker has made, for the person who asked for it."""
    if not (may(request, MAY_EXPORT) and may(request, PERSONAL_DATA)):
        raise PermissionDenied
    file = asked_file(member_id, person(request), timezone.now())
    held = opened(file) if file is not None else None
    if held is None:
        messages.info(request, _("This file is not there any more. Please have it made anew."))
        return HttpResponseRedirect(f"{reverse('admin:crm_member_change', args=[member_id])}#data")
    return FileResponse(held, as_attachment=True, filename=_name(member_id))


def _name(member_id: int) -> str:
    return f"member-{member_id}.zip"


def erase_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponse:
    """What would be lost and what has to end first; then, with a reason and the number typed once more, the erasure."""
    if not may(request, MAY_ERASE):
        raise PermissionDenied
    member = _member(member_id)
    page = reverse("admin:crm_member_change", args=[member_id])
    if member.erased_at is not None:
        messages.info(request, _("The data of this member was erased before."))
        return HttpResponseRedirect(page)
    now = timezone.now()
    form = EraseForm(request.POST if request.method == "POST" else None, member_id=member_id)
    if request.method == "POST" and form.is_valid():
        try:
            erase_member(Erasure(member_id, now, person(request), form.cleaned_data["reason"]))
        except EraseRefused:
            pass  # The page says what stands against it now.
        else:
            messages.success(request, _("The data of this member is erased."))
            return HttpResponseRedirect(page)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Erase a member's data"),
        "opts": model_admin.opts,
        "member": member,
        "member_page": page,
        "form": form,
        "outlook": look_ahead(member_id, now),
    }
    return TemplateResponse(request, "admin/crm/member/erase.html", context)


def _member(member_id: int) -> Member:
    member = Member.objects.filter(pk=member_id).first()
    if member is None:
        raise Http404
    return member
