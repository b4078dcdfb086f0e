"""Shops, and how their own files map to our columns."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from crm.feeds import Profile, ProfileError
from crm.models import Channel, ImportProfile


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Channel
        fields = ("code", "name", "platform", "currency", "time_zone")

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name not in available_timezones():
            raise ValidationError(_("There is no such time zone. Write it as in Asia/Shanghai."))
        return name


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    """A shop's code stands in journal keys, so it never changes once it is given."""

    form = ChannelForm
    list_display = ("name", "code", "platform", "currency", "time_zone")
    search_fields = ("name", "code")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()


class ImportProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ImportProfile
        fields = ("code", "name", "settings")

    def clean_settings(self) -> Any:
        settings = self.cleaned_data["settings"]
        try:
            Profile.from_json(self.data.get("code", ""), settings)
        except ProfileError as error:
            raise ValidationError(str(error)) from error
        return settings


@admin.register(ImportProfile)
class ImportProfileAdmin(ModelAdmin):
    form = ImportProfileForm
    list_display = ("name", "code")
    search_fields = ("name", "code")
