"""Where the shop's own site sends a buyer who is signed in there: he is signed in here as well (docs/sso.md)."""

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from crm.claims import Buyer, buyer_of
from crm.devices import note_sign_in
from crm.sso.exchange import look_at_shop_token, take_shop_token
from crm.sso.judging import Purpose, TokenRefused
from crm.sso.logins import login_of_member

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Sign in the buyer whom the shop's token vouches for, and go to the page asked for with ``next``.

    A form of the shop's site may post the token; as no cookie of ours comes with such a request, it is sent on to the
    same address once more. Somebody else who is signed in on this browser is not replaced without being asked.
    """
    if request.method == "POST":
        sent = {name: request.POST[name] for name in ("token", "next") if name in request.POST}
        response = redirect(f"{reverse('sso')}?{urlencode(sent)}")
        response.status_code = 303
        return response
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="sso", limit_get=True)
    if limited is not None:
        return limited
    token, target = request.GET.get("token", ""), request.GET.get("next", "")
    present = _signed_in(request)
    try:
        if present is not None and look_at_shop_token(token, Purpose.SIGN_IN, timezone.now()) != present.member_id:
            context = {"present": present, "token": token, "next": target}
            return render(request, "account/sso_switch.html", context)
        return _sign_in(request, token, target)
    except TokenRefused as refusal:
        return _refused(request, refusal)


@never_cache
@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Sign in the token's buyer in place of the one who is signed in, who has just agreed to it."""
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="sso")
    if limited is not None:
        return limited
    try:
        return _sign_in(request, request.POST.get("token", ""), request.POST.get("next", ""))
    except TokenRefused as refusal:
        return _refused(request, refusal)


def _sign_in(request: HttpRequest, token: str, target: str) -> HttpResponse:
    at = timezone.now()
    guest = take_shop_token(token, Purpose.SIGN_IN, at)
    login = login_of_member(guest.member_id, at)
    auth.login(request, login, backend=_BACKEND)
    note_sign_in(request, at)
    own = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return redirect(target if own else settings.LOGIN_REDIRECT_URL)


def _signed_in(request: HttpRequest) -> Buyer | None:
    return buyer_of(request.user.pk) if request.user.pk is not None else None


def _refused(request: HttpRequest, refusal: TokenRefused) -> HttpResponse:
    """Tell the buyer what to do, and the developer why: by the page's small print and a header."""
    fault = refusal.public()
    context = {"fault": fault, "claim": refusal.claim if fault is refusal.fault else ""}
    response = render(request, "account/sso_refused.html", context, status=403)
    response["X-Sign-On-Fault"] = fault.value
    return response
