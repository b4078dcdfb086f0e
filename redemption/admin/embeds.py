"""Embeds in the admin: choose a template, set it up beside its live preview, copy the snippet, revoke."""

from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.clickjacking import xframe_options_sameorigin
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from crm.adminkit import may, person
from redemption.admin.posters import posters_view
from redemption.embeds.choices import EmbedTemplate
from redemption.embeds.frames import content, frame, policy, spoken
from redemption.embeds.gallery import GALLERY, template_of
from redemption.embeds.goods import public_shelf
from redemption.embeds.keeping import look_as, looked_at, revoke_embed, save_embed
from redemption.embeds.snippets import snippet
from redemption.models import Embed

MAY_PREVIEW = "redemption.preview_embed"
MAY_REVOKE = "redemption.revoke_embed"


class EmbedForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a seller sets of an embed. The template is chosen before and never changes: pages reserve room for it."""

    class Meta:
        model = Embed
        fields = (
            "name", "channel", "origins", "reward", "size", "theme", "language", "colour",
            "title_zh", "title_en", "invitation_zh", "invitation_en",
        )  # fmt: skip
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "channel": UnfoldAdminSelectWidget,
            "origins": UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "https://www.example.com"}),
            "reward": UnfoldAdminSelectWidget,
            "size": UnfoldAdminSelectWidget,
            "theme": UnfoldAdminSelectWidget,
            "language": UnfoldAdminSelectWidget,
            "colour": UnfoldAdminColorInputWidget,
            "title_zh": UnfoldAdminTextInputWidget,
            "title_en": UnfoldAdminTextInputWidget,
            "invitation_zh": UnfoldAdminTextInputWidget,
            "invitation_en": UnfoldAdminTextInputWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.template == EmbedTemplate.BADGE:
            for text in ("invitation_zh", "invitation_en"):
                del self.fields[text]
        else:
            del self.fields["reward"]


class RevokeForm(forms.Form):
    """Why an embed is revoked."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("Kept in the staff log."),
    )


@admin.register(Embed)
class EmbedAdmin(ModelAdmin):
    list_display = ("name", "template", "channel", "standing", "public_key")
    list_filter = ("template", "channel")
    list_select_related = ("channel",)
    search_fields = ("name", "public_key")
    ordering = ("-id",)
    actions = None
    actions_detail = ("revoke",)

    def has_delete_permission(self, request: HttpRequest, obj: Embed | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, MAY_REVOKE)

    @display(description=gettext_lazy("state"), label={"ready": "success", "revoked": "danger"})
    def standing(self, embed: Embed) -> tuple[str, str]:
        return ("ready", _("In use")) if embed.revoked_at is None else ("revoked", _("Revoked"))

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("preview/", self.admin_site.admin_view(self.preview_view), name="redemption_embed_preview"),
            path("look-as/", self.admin_site.admin_view(self.look_as_view), name="redemption_embed_look_as"),
        ]
        posters = self.admin_site.admin_view(partial(posters_view, self))
        return [*own, path("posters/", posters, name="redemption_posters"), *super().get_urls()]

    # --- choosing and setting up ----------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The gallery; with ``?template=`` the form of a new embed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("template", "")
        if chosen not in EmbedTemplate.values:
            context = {**self._page(request, _("Choose a template")), "gallery": GALLERY}
            return TemplateResponse(request, "admin/redemption/embed/gallery.html", context)
        return self._form_page(request, _new(chosen), _("New embed"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of an embed beside its preview, with the snippets to copy."""
        embed = _embed(object_id)
        if not self.has_view_or_change_permission(request, embed):
            raise PermissionDenied
        return self._form_page(request, embed, embed.name)

    def _form_page(self, request: HttpRequest, embed: Embed, title: str) -> HttpResponse:
        changing = embed.pk is None or self.has_change_permission(request, embed)
        form = EmbedForm(request.POST if request.method == "POST" else None, instance=embed)
        if form.is_bound:
            if not changing or embed.revoked_at is not None:
                raise PermissionDenied
            if form.is_valid():
                save_embed(form.instance, actor_id=person(request), at=timezone.now())
                messages.success(request, _("The embed is saved. Pages that show it follow within half a minute."))
                return redirect("admin:redemption_embed_change", form.instance.pk)
        context = {
            **self._page(request, title),
            "form": form,
            "embed": embed,
            "kind": template_of(embed.template),
            "changing": changing and embed.revoked_at is None,
            "snippets": _snippets(request, embed) if embed.pk and embed.revoked_at is None else None,
            "may_revoke": embed.pk and embed.revoked_at is None and may(request, MAY_REVOKE),
            "may_preview": may(request, MAY_PREVIEW),
            "pass": request.GET.get("as", ""),
            "looked_as": looked_at(request.GET.get("as", ""), actor_id=person(request), at=timezone.now()),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/redemption/embed/form.html", context)

    # --- preview --------------------------------------------------------------------------------------------------

    @method_decorator(xframe_options_sameorigin)
    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The embed as the form says, in a frame of this very page; as a member with a pass that allows it."""
        if not self.has_view_or_change_permission(request) and not self.has_add_permission(request):
            raise PermissionDenied
        sent = request.POST if request.method == "POST" else request.GET
        template = sent.get("template", "")
        if template not in EmbedTemplate.values:
            raise Http404
        embed = _new(template)
        if request.method == "POST":
            # What is good goes into the embed; a field that is wrong keeps the usual, and the form says what is wrong.
            EmbedForm(request.POST, instance=embed).full_clean()
        if template == EmbedTemplate.BADGE and embed.reward_id is None:
            embed.reward_id = _example(timezone.now())
        member_id = None
        if sent.get("as"):
            if not may(request, MAY_PREVIEW):
                raise PermissionDenied
            member_id = looked_at(sent["as"], actor_id=person(request), at=timezone.now())
        with translation.override(spoken(embed, translation.get_language() or "")):
            shown = content(embed, member_id, timezone.now(), preview=True)
            page, style_hash = frame(embed, shown, base="", preview=True)
        response = HttpResponse(page)
        response["Content-Security-Policy"] = policy(style_hash, ["'self'"])
        return response

    def look_as_view(self, request: HttpRequest) -> HttpResponse:
        """Choose the member to look at the preview as; it is logged, and goes back to the form."""
        if not may(request, MAY_PREVIEW) or request.method != "POST":
            raise PermissionDenied
        back = request.POST.get("back", "")
        embed = Embed.objects.filter(pk=back).first() if back.isdecimal() else None
        address = (
            reverse("admin:redemption_embed_change", args=[embed.pk])
            if embed
            else f"{reverse('admin:redemption_embed_add')}?template={request.POST.get('template', '')}"
        )
        signed = look_as(
            request.POST.get("member", ""),
            embed.channel_id if embed else None,
            actor_id=person(request),
            at=timezone.now(),
        )
        if signed is None:
            messages.error(request, _("There is no such member. Write his name on the platform, or # and his number."))
            return redirect(address)
        return redirect(f"{address}{'&' if '?' in address else '?'}as={signed}")

    # --- ending ---------------------------------------------------------------------------------------------------

    @action(description=gettext_lazy("Revoke"), permissions=["revoke"], icon="link_off", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and revoke."""
        embed = _embed(object_id)
        form = RevokeForm(request.POST or None)
        if form.is_valid():
            if revoke_embed(embed.pk, actor_id=person(request), reason=form.cleaned_data["reason"], at=timezone.now()):
                messages.success(request, _("The embed is revoked. Where it was pasted, an empty place stays."))
            return redirect("admin:redemption_embed_change", embed.pk)
        page = reverse("admin:redemption_embed_change", args=[embed.pk])
        context = {**self._page(request, _("Revoke the embed")), "embed": embed, "form": form, "back": page}
        return TemplateResponse(request, "admin/redemption/embed/revoke.html", context)

    def _page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}


def _embed(object_id: str) -> Embed:
    found = Embed.objects.select_related("channel").filter(pk=object_id).first() if object_id.isdecimal() else None
    if found is None:
        raise Http404
    return found


def _new(template: str) -> Embed:
    """An embed that is not saved yet, for the shop that there is, in the usual looks of its template."""
    channel = apps.get_model("crm", "Channel").objects.first()
    return Embed(template=template, channel=channel, size=template_of(template).default_size)


def _example(at: datetime) -> int | None:
    """Return the reward that shows what a badge looks like as long as none is chosen; None where the store is empty."""
    return next((one.reward_id for one in public_shelf(at, most=1)), None)


def _snippets(request: HttpRequest, embed: Embed) -> dict[str, str]:
    home = request.build_absolute_uri("/").rstrip("/")
    title = embed.text("title", translation.get_language() or "") or _("My points")
    return {
        name: snippet(
            embed.template, key=embed.public_key, home=home, height=embed.height, title=title, signed_in=signed_in
        )
        for name, signed_in in (("plain", False), ("signed", True))
    }
