"""Signing in by a code: one page where a buyer types his mail address or his phone number."""

from typing import Any

from allauth.account.views import RequestLoginCodeView
from django.conf import settings
from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from crm.contact_ways import masked_phone
from crm.devices import note_sign_in
from crm.mails.preferences import remember_language
from crm.onetime import Answer, CodeUse, check_code, issue_code
from crm.phone_claims import member_with_phone
from crm.sms.handover import hand_over_code
from crm.sso.judging import TokenRefused
from crm.sso.logins import login_of_member

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_ASKED = "phone_code"  # In the session: the ticket of the code that was asked for, and the masked number.


class AskForCodeView(RequestLoginCodeView):
    """Sends a code to a mail address as allauth does, and to a phone number as ``_ask`` does."""

    def form_valid(self, form: Any) -> HttpResponse:
        if not form.phone:
            response: HttpResponse = super().form_valid(form)
            return response
        _ask(self.request, form.phone)
        target = form.data.get("next", "")
        query = f"?{urlencode({'next': target})}" if _own(self.request, target) else ""
        return redirect(f"{reverse('account_phone_code')}{query}")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def phone_code(request: HttpRequest) -> HttpResponse:
    """Where the code from the text message is typed. It fits in the browser that asked for it, and nowhere else."""
    asked = request.session.get(_ASKED)
    if asked is None:
        return redirect("account_request_login_code")
    target = (request.POST if request.method == "POST" else request.GET).get("next", "")
    context = {"shown": asked["shown"], "next": target if _own(request, target) else ""}
    if request.method != "POST":
        return render(request, "account/phone_code.html", context)
    at = timezone.now()
    answer, member_id = check_code(CodeUse.SIGN_IN, asked["ticket"], request.POST.get("code", ""), at)
    if answer is Answer.WRONG:
        error = _("This code is not right. Please compare it with the message and try again.")
        return render(request, "account/phone_code.html", context | {"error": error})
    del request.session[_ASKED]
    if member_id is None:
        messages.error(request, _("This code is no longer good. Please ask for a new one."))
        return redirect("account_request_login_code")
    return _enter(request, member_id, context["next"])


def _ask(request: HttpRequest, phone: str) -> None:
    """Send a code to whoever has the number. For a number that nobody has, or several, the same is done, but for the
    message."""
    at = timezone.now()
    member_id = member_with_phone(phone)
    issued = issue_code(CodeUse.SIGN_IN, member_id, at)
    hand_over_code(phone if member_id is not None else "", issued.code, at)
    request.session[_ASKED] = {"ticket": issued.ticket, "shown": masked_phone(phone)}


def _enter(request: HttpRequest, member_id: int, target: str) -> HttpResponse:
    at = timezone.now()
    try:
        login = login_of_member(member_id, at)
    except TokenRefused:
        messages.error(request, _("This login has been closed. Please ask the shop."))
        return redirect("account_request_login_code")
    auth.login(request, login, backend=_BACKEND)
    note_sign_in(request, at)
    remember_language(member_id, get_language() or "", at=at)
    messages.success(request, _("You are signed in."))
    return redirect(target or settings.LOGIN_REDIRECT_URL)


def _own(request: HttpRequest, target: str) -> bool:
    return url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
