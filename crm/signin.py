"""How buyers sign in: a one-time code by mail, to addresses that the seller's data holds.

The answer to a request is the same whether or not the shop knows the address, and a mail goes out either way: with a
code, or with what to do next.
"""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ConfirmLoginCodeForm, RequestLoginCodeForm
from allauth.core import context, ratelimit
from django import forms
from django.conf import settings
from django.core.validators import EmailValidator, MaxLengthValidator
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from crm.claims import claim_member, login_for
from crm.devices import note_sign_in
from crm.mails.preferences import remember_language
from crm.models import User
from crm.own_profile import whole_phone
from crm.sms.gateway import sms_configured

LONGEST_ADDRESS = 254  # RFC 5321 allows no longer path.


class BuyerAdapter(DefaultAccountAdapter):
    """What differs from allauth's usual ways: nobody signs up, and who signs in is tied to his member."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "incorrect_code": _("This code is not right. Please compare it with the mail and try again."),
        "too_many_login_attempts": _("Too many attempts. Please wait a few minutes and ask for a new code."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def format_email_subject(self, subject: str) -> str:
        return f"[{settings.SHOP_NAME}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        shop = {
            "shop_name": settings.SHOP_NAME,
            "shop_contact": settings.SHOP_CONTACT,
            "minutes": settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT // 60,
        }
        super().send_mail(template_prefix, email, context | shop)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        now = timezone.now()
        note_sign_in(request, now)
        claim = claim_member(user.pk, now)
        if claim.member_id is not None:
            remember_language(claim.member_id, get_language() or "", at=now)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response


def visitor_address(request: HttpRequest) -> str | None:
    """Return the visitor's network address, found behind proxies of ours as the rate limits find it; None for a request
    that came over no network."""
    return BuyerAdapter().get_client_ip(request) if "REMOTE_ADDR" in request.META else None


class AskForCodeForm(RequestLoginCodeForm):
    """Where a buyer types his address, or his phone number where the shop can send messages to phones. Whoever asks too
    often, by address, number or network, is told to wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.phone = ""
        attributes = {
            "class": "field",
            "autocomplete": "email",
            "inputmode": "email",
            "placeholder": "name@example.com",
        }
        if sms_configured():
            self.fields["email"] = forms.CharField(label=_("E-mail address or mobile number"))
            attributes = {"class": "field", "autocomplete": "username", "placeholder": ""}
            self.fields["email"].widget = forms.TextInput(attrs=attributes)
        else:
            self.fields["email"].label = _("E-mail address")
            self.fields["email"].widget = forms.EmailInput(attrs=attributes)
        self.fields["email"].validators.append(MaxLengthValidator(LONGEST_ADDRESS))

    def clean_email(self) -> str:
        typed: str = self.cleaned_data["email"].strip()
        if sms_configured() and "@" not in typed:
            return self._take_phone(typed)
        EmailValidator()(typed)
        email = typed.lower()
        if not ratelimit.consume(context.request, action="request_login_code", key=email):
            raise BuyerAdapter().validation_error("too_many_login_attempts")
        self._user = login_for(email)
        return email

    def _take_phone(self, typed: str) -> str:
        phone = whole_phone(typed)
        if not phone:
            raise forms.ValidationError(
                _(
                    "Write a whole mail address, or a whole phone number: eleven digits, or a country code such as "
                    "+44 first."
                )
            )
        # All numbers together have a limit as well: every message costs the shop money.
        for action, key in (("phone_code", phone), ("phone_code_all", "all")):
            if not ratelimit.consume(context.request, action=action, key=key):
                raise BuyerAdapter().validation_error("too_many_login_attempts")
        self.phone = phone
        return ""


class TypeCodeForm(ConfirmLoginCodeForm):
    """Where he types the code from the mail."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code from the mail")
        self.fields["code"].widget = forms.TextInput(
            attrs={
                "class": "field wide-code",
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "maxlength": 20,
                "autofocus": True,
            }
        )
