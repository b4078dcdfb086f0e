"""The keys with which shops vouch for their buyers: made, shown once, revoked."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm.admin.bulk import ReasonForm
from crm.adminkit import may, person
from crm.choices import SsoAlgorithm
from crm.models import ShopKey
from crm.sso.judging import Purpose, audience
from crm.sso.keys import NotAPublicKey, make_key, read_public_key, revoke_key

MAY_REVOKE = "crm.revoke_shopkey"


class ShopKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new key: for which shop, signed how, and the public key where there is one."""

    class Meta:
        model = ShopKey
        fields = ("channel", "name", "algorithm", "public_key", "makes_members")
        widgets = {
            "channel": UnfoldAdminSelectWidget,
            "name": UnfoldAdminTextInputWidget,
            "algorithm": UnfoldAdminSelectWidget,
            "public_key": UnfoldAdminTextareaWidget(attrs={"rows": 4}),
            "makes_members": UnfoldBooleanSwitchWidget,
        }

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if ShopKey.objects.filter(channel=said.get("channel"), name=said.get("name"), revoked_at=None).exists():
            self.add_error(
                "name", _("The shop has a key of this name already. Revoke it first, or choose another name.")
            )
        pasted = said.get("public_key", "").strip()
        if said.get("algorithm") != SsoAlgorithm.EDDSA:
            if pasted:
                self.add_error("public_key", _("HS256 has no public key: the secret is made here and shown once."))
            return said
        try:
            said["public_key"] = read_public_key(pasted)
        except NotAPublicKey as error:
            self.add_error("public_key", ValidationError(error.args[0]))
        return said


@admin.register(ShopKey)
class ShopKeyAdmin(ModelAdmin):
    """A key is made and revoked, never changed: whoever holds it goes by what it was made for."""

    list_display = ("name", "channel", "key_id", "algorithm", "standing", "last_used_at")
    list_select_related = ("channel",)
    list_filter = ("channel", "algorithm")
    search_fields = ("name", "key_id")
    ordering = ("-id",)
    actions = None
    actions_detail = ("revoke",)
    readonly_fields = (
        "key_id", "audiences", "standing", "made_at", "made_by", "revoked_at", "revoked_by",
        "last_used_at", "last_refused_at", "last_refusal",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: ShopKey) -> tuple[Any, ...]:
        material = () if obj.secret else ("public_key",)
        ended = ("revoked_at", "revoked_by") if obj.revoked_at else ()
        refused = ("last_refused_at", "last_refusal") if obj.last_refused_at else ()
        return (
            "name", "channel", "standing", "key_id", "algorithm", *material, "audiences", "makes_members",
            "made_at", "made_by", *ended, "last_used_at", *refused,
        )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: ShopKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ShopKey | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, MAY_REVOKE)

    @display(description=_("state"), label={"ready": "success", "revoked": "danger"})
    def standing(self, key: ShopKey) -> tuple[str, str]:
        return ("ready", str(_("In use"))) if key.revoked_at is None else ("revoked", str(_("Revoked")))

    @display(description=_("audience"))
    def audiences(self, key: ShopKey) -> str:
        return " · ".join(audience(key.channel.code, purpose) for purpose in Purpose)

    @display(description=_("why it was refused"))
    def last_refusal(self, key: ShopKey) -> str:
        return f"{key.get_last_fault_display()} {key.last_claim and f'({key.last_claim})'}".strip()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the key's data, make it and show it. The secret is on that page only: it is in no address, no cookie
        and no later page."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ShopKeyForm(request.POST or None)
        if form.is_valid():
            return self._made(request, form.cleaned_data)
        context = {
            **self.admin_site.each_context(request),
            "title": _("New shop key"),
            "opts": self.opts,
            "form": form,
            "list_page": reverse("admin:crm_shopkey_changelist"),
        }
        return TemplateResponse(request, "admin/crm/shopkey/new.html", context)

    def _made(self, request: HttpRequest, said: dict[str, Any]) -> HttpResponse:
        key, secret = make_key(
            channel_id=said["channel"].pk,
            name=said["name"],
            algorithm=SsoAlgorithm(said["algorithm"]),
            public_key=said["public_key"],
            makes_members=said["makes_members"],
            actor_id=person(request),
            at=timezone.now(),
        )
        context = {
            **self.admin_site.each_context(request),
            "title": _("The key is made"),
            "opts": self.opts,
            "key": key,
            "secret": secret,
            "audience": audience(said["channel"].code, Purpose.SIGN_IN),
            "embed_audience": audience(said["channel"].code, Purpose.EMBED),
            "address": request.build_absolute_uri(reverse("sso")),
            "key_page": reverse("admin:crm_shopkey_change", args=[key.pk]),
        }
        return TemplateResponse(request, "admin/crm/shopkey/made.html", context)

    @action(description=_("Revoke"), permissions=["revoke"], icon="key_off", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and revoke."""
        key = ShopKey.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if key is None:
            raise Http404
        page = reverse("admin:crm_shopkey_change", args=[key.pk])
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            if revoke_key(key.pk, actor_id=person(request), reason=form.cleaned_data["reason"], at=timezone.now()):
                messages.success(request, _("The key is revoked. Tokens signed with it are refused from now on."))
            else:
                messages.info(request, _("The key had been revoked before."))
            return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Revoke the key"),
            "opts": self.opts,
            "key": key,
            "form": form,
            "key_page": page,
        }
        return TemplateResponse(request, "admin/crm/shopkey/revoke.html", context)
