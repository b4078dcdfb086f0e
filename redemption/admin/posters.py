"""The promotion kit: a poster is chosen, looked at, and downloaded as SVG or PNG."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.adminkit import may
from loyalty import api as loyalty
from redemption.embeds.choices import EmbedLanguage
from redemption.embeds.goods import public_shelf
from redemption.models.embed import DEFAULT_COLOUR
from redemption.offers import current_offers
from redemption.posters.drawing import PosterKind, Words, coupon_words, draw, png, reward_words, sign_in_words
from redemption.posters.fonts import chinese_font
from redemption.posters.layout import PosterSize
from redemption.templatetags.shop import yuan

MAY_MAKE = "redemption.view_embed"
_MOST_REWARDS = 200


class PosterForm(forms.Form):
    """What the poster is for, and how it looks. ``subject`` lists what is offered at this moment."""

    subject = forms.ChoiceField(label=gettext_lazy("What it is for"), widget=UnfoldAdminSelectWidget)
    size = forms.ChoiceField(
        label=gettext_lazy("Size"),
        choices=[
            (PosterSize.PORTRAIT.value, pgettext_lazy("size of a poster", "Portrait, 1080 × 1440")),
            (PosterSize.SQUARE.value, pgettext_lazy("size of a poster", "Square, 1080 × 1080")),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=[(code.value, code.label) for code in EmbedLanguage if code is not EmbedLanguage.AUTO],
        widget=UnfoldAdminSelectWidget,
    )
    colour = forms.RegexField(
        r"\A#[0-9a-fA-F]{6}\Z",
        label=gettext_lazy("Colour"),
        initial=DEFAULT_COLOUR,
        widget=UnfoldAdminColorInputWidget,
        error_messages={"invalid": gettext_lazy("Write a colour as # and six digits, such as #a72c21.")},
    )
    address = forms.CharField(
        label=gettext_lazy("Where the QR code leads"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The points page, or a page of your shop."),
    )

    def __init__(self, *args: Any, subjects: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subject"].choices = subjects  # type: ignore[attr-defined]

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.netloc or " " in address:
            raise ValidationError(_("Write the whole address, as in the address bar: https://www.example.com/page"))
        return address


def posters_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The page with the form, the poster and its downloads; with ``?as=svg`` or ``?as=png`` the poster itself."""
    if not may(request, MAY_MAKE):
        raise PermissionDenied
    usual = {
        "size": PosterSize.PORTRAIT.value, "language": EmbedLanguage.CHINESE.value, "colour": DEFAULT_COLOUR,
        "address": request.build_absolute_uri(reverse("redemption:home")),
    }  # fmt: skip
    subjects = _subjects()
    form = PosterForm({**usual, **request.GET.dict()} if request.GET else None, subjects=subjects, initial=usual)
    ready = bool(request.GET) and form.is_valid()
    if ready and request.GET.get("as") in {"svg", "png"}:
        return _file(form.cleaned_data, request.GET["as"])
    said = form.cleaned_data if ready else {}
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Promotion kit"),
        "content_title": _("Promotion kit"),
        "form": form,
        "subjects": subjects,
        "picture": f"?{urlencode({**said, 'as': 'svg'})}" if ready else "",
        "downloads": [(kind.upper(), f"?{urlencode({**said, 'as': kind, 'save': 1})}") for kind in ("svg", "png")]
        if ready
        else [],
        "fontless": chinese_font(settings.POSTER_FONTS) is None,
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "admin/redemption/poster/page.html", context)


def _file(said: dict[str, Any], kind: str) -> HttpResponse:
    with translation.override(said["language"]):
        words = _words(said["subject"])
        drawn = draw(words, size=PosterSize(said["size"]), address=said["address"], colour=said["colour"])
    body = drawn.encode() if kind == "svg" else png(drawn)
    response = HttpResponse(body, content_type="image/svg+xml" if kind == "svg" else "image/png")
    name = f"poster-{said['subject'].replace(':', '-')}-{said['size']}.{kind}"
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def _subjects() -> list[tuple[str, str]]:
    """Return what a poster may be for: rewards, coupons and, where it is rewarded, the daily sign-in."""
    at = timezone.now()
    rewards = [(f"{PosterKind.REWARD}:{one.reward_id}", one.name) for one in public_shelf(at, most=_MOST_REWARDS)]
    coupons = [
        (f"{PosterKind.COUPON}:{one.plan_id}:{one.yuan}", f"{one.plan_name} {yuan(one.yuan)}")
        for one in current_offers(at)
    ]
    days = [(PosterKind.SIGN_IN.value, _("Daily sign-in"))] if loyalty.fixed_gift(loyalty.SIGN_IN, at) else []
    return [*days, *coupons, *rewards]


def _words(subject: str) -> Words:
    """Return the words for one of the subjects, which the form has found among those of this moment."""
    at = timezone.now()
    kind, *ids = subject.split(":")
    if kind == PosterKind.SIGN_IN:
        return sign_in_words(loyalty.fixed_gift(loyalty.SIGN_IN, at))
    if kind == PosterKind.COUPON:
        wanted = tuple(map(int, ids))
        return next(coupon_words(one) for one in current_offers(at) if (one.plan_id, one.yuan) == wanted)
    return next(reward_words(one) for one in public_shelf(at, most=_MOST_REWARDS) if [str(one.reward_id)] == ids)
