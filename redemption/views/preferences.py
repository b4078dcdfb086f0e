"""What a buyer chooses about pages and mails, on one page."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm.api import Buyer, MailPreferences, mail_preferences, set_mail_preferences
from redemption.preferences import DARK, LIGHT, keep_language, keep_scheme, scheme_of
from redemption.views.buyers import for_buyers


class PreferencesForm(forms.Form):
    """The language of pages and mails, how pages are lit on this device, and the kinds of mail."""

    language = forms.ChoiceField(choices=settings.LANGUAGES, widget=forms.RadioSelect)
    scheme = forms.ChoiceField(
        choices=[
            ("", gettext_lazy("As the device is set")),
            (LIGHT, gettext_lazy("Always light")),
            (DARK, gettext_lazy("Always dark")),
        ],
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, said: MailPreferences, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(wish.kind.code, wish.kind.label) for wish in said.wishes]
        self.fields["mails"] = forms.MultipleChoiceField(
            choices=kinds, required=False, widget=forms.CheckboxSelectMultiple
        )


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def preferences(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Show what is chosen, and keep what is chosen anew."""
    said = mail_preferences(buyer.member_id)
    chosen = {
        "language": get_language(),
        "scheme": scheme_of(request),
        "mails": [wish.kind.code for wish in said.wishes if wish.wanted],
    }
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=chosen, said=said)
    if request.method == "POST" and form.is_valid():
        return _kept(request, buyer, form.cleaned_data)
    return render(request, "redemption/preferences.html", {"page": "me", "form": form, "kinds": bool(said.wishes)})


def _kept(request: HttpRequest, buyer: Buyer, chosen: dict[str, Any]) -> HttpResponse:
    set_mail_preferences(
        buyer.member_id,
        wanted=chosen["mails"],
        language=chosen["language"],
        at=timezone.now(),
        actor_id=request.user.pk,
    )
    with override(chosen["language"]):
        messages.success(request, _("Saved. Thank you."))
    response = redirect("redemption:preferences")
    keep_language(response, chosen["language"])
    keep_scheme(response, chosen["scheme"])
    return response
