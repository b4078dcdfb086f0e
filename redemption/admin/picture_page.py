"""The page of a reward's pictures: upload, order, describe, delete."""

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from crm.adminkit import may, person
from redemption.admin.reward_pages import find_reward
from redemption.models import RewardPicture
from redemption.rewards.moving import MoveRefused
from redemption.rewards.picture_keeping import arrange_pictures, keep_picture
from redemption.rewards.pictures import WIDTHS

CHANGE = "redemption.change_reward"


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]
    """Place and words of a picture, and whether it goes."""

    gone = forms.BooleanField(label=gettext_lazy("Delete"), required=False, widget=UnfoldBooleanWidget)

    class Meta:
        model = RewardPicture
        fields = ("position", "alt")
        widgets = {"position": UnfoldAdminIntegerFieldWidget, "alt": UnfoldAdminTextInputWidget}


def picture_page(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show them; those who may change rewards change them here."""
    reward = find_reward(object_id)
    if not may(request, CHANGE):
        raise PermissionDenied
    here = reverse("admin:redemption_reward_pictures", args=[reward.pk])
    rows = list(reward.pictures.all())
    data = request.POST if request.method == "POST" and "arrange" in request.POST else None
    sheets = [(picture, PictureForm(data, instance=picture, prefix=f"p{picture.pk}")) for picture in rows]
    if request.FILES:
        _upload(request, reward.pk)
        return redirect(here)
    valid = [form.is_valid() for _picture, form in sheets]
    if data is not None and all(valid):
        said = [
            (picture.pk, form.cleaned_data["position"], form.cleaned_data["alt"], form.cleaned_data["gone"])
            for picture, form in sheets
        ]
        arrange_pictures(reward.pk, said, actor_id=person(request), at=timezone.now())
        messages.success(request, _("The pictures are saved."))
        return redirect(here)
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": _("Pictures of a reward"),
        "opts": model_admin.opts,
        "original": reward,
        "reward": reward,
        "page": reverse("admin:redemption_reward_change", args=[reward.pk]),
        "sheets": sheets,
        "small": min(WIDTHS),
    }
    return TemplateResponse(request, "admin/redemption/reward/pictures.html", context)


def _upload(request: HttpRequest, reward_id: int) -> None:
    kept = 0
    for file in request.FILES.getlist("pictures"):
        path = Path(file.temporary_file_path())  # type: ignore[attr-defined]
        try:
            keep_picture(reward_id, path, alt="", actor_id=person(request), at=timezone.now())
        except MoveRefused as refusal:
            messages.error(request, f"{file.name}: {refusal.message()}")
        else:
            kept += 1
    if kept:
        messages.success(request, _("The pictures are saved. Describe them for those who cannot see them."))
