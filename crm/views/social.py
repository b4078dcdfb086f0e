"""The way to WeChat or Weibo and back (docs/sign-in.md)."""

from typing import Any

from allauth.core import ratelimit
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.contrib import auth, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from crm.choices import SocialSite
from crm.claims import buyer_of
from crm.devices import note_sign_in
from crm.mails.preferences import remember_language
from crm.models import User
from crm.social.landing import keep_pending
from crm.social.links import login_linked_to
from crm.social.sites import Vouched, open_sites
from crm.social.vouching import NotVouched, come_back, way_to

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_TO_CODE = "account_request_login_code"
_TO_CONNECT = "redemption:connect"


@never_cache
@require_GET
def leave(request: HttpRequest, site: SocialSite) -> HttpResponse:
    """Send somebody to the site, to sign in here, or with ``?connect`` to connect his account.

    A link and not a form, because browsers hold every address that a form is sent on to against our ``form-action``,
    and a site sends on to addresses of its own. Another site's page cannot set it off.
    """
    _must_be_open(request, site)
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return redirect(_TO_CODE)
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="social", limit_get=True)
    if limited is not None:
        return limited
    wanted = request.GET.get("next", "")
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    connect_to = request.user.pk if "connect" in request.GET else None
    return way_to(request, site, connect_to=connect_to, target=wanted if own else "")


@never_cache
@require_GET
def arrive(request: HttpRequest, site: SocialSite) -> HttpResponse:
    """Sign in whoever comes back with an account that opens a login; ask all others to sign in with a code first."""
    _must_be_open(request, site)
    try:
        arrival = come_back(request, site)
    except NotVouched as refusal:
        return _without_account(request, site, cancelled=refusal.cancelled)
    state, target = arrival.state, arrival.state.get("next") or ""
    login = login_linked_to(arrival.vouched)
    if state["process"] == AuthProcess.CONNECT:
        return _connect(request, arrival.vouched, login, state)
    if login is not None:
        return _enter(request, login, target)
    keep_pending(request, arrival.vouched, timezone.now())
    query = {"next": target} if target else {}
    confirm = f"{reverse(_TO_CONNECT)}?{urlencode(query)}" if query else reverse(_TO_CONNECT)
    if request.user.is_authenticated:
        return redirect(confirm)
    messages.info(
        request,
        _(
            "This %(site)s account is not connected yet. Sign in with a code once; from then on %(site)s is enough."
        ) % {"site": site.label},
    )  # fmt: skip
    return redirect(f"{reverse(_TO_CODE)}?{urlencode({'next': confirm})}")


def _connect(request: HttpRequest, vouched: Vouched, login: User | None, state: Any) -> HttpResponse:
    """Let the account wait for a yes of the one who went to fetch it, if he is still the one who is signed in."""
    if request.user.pk is None or state["data"]["login"] != request.user.pk:
        messages.error(request, _("Somebody else signed in meanwhile. Nothing was connected."))
        return redirect("redemption:devices")
    if login is not None:
        _say_connected(request, vouched.site, own=login.pk == request.user.pk)
        return redirect("redemption:devices")
    keep_pending(request, vouched, timezone.now())
    return redirect(_TO_CONNECT)


def _say_connected(request: HttpRequest, site: SocialSite, *, own: bool) -> None:
    if own:
        messages.info(request, _("This %(site)s account is connected already.") % {"site": site.label})
        return
    messages.error(
        request,
        _("This %(site)s account opens another buyer's points. Disconnect it there first.") % {"site": site.label},
    )


def _enter(request: HttpRequest, login: User, target: str) -> HttpResponse:
    """Sign in. It is no proof such as a code is: a browser may be signed in to the site for months."""
    if login.is_staff or not login.is_active:
        messages.error(request, _("This login has been closed. Please ask the shop."))
        return redirect(_TO_CODE)
    at = timezone.now()
    auth.login(request, login, backend=_BACKEND)
    note_sign_in(request, at, proven=False)
    buyer = buyer_of(login.pk)
    if buyer is not None:
        remember_language(buyer.member_id, get_language() or "", at=at)
    messages.success(request, _("You are signed in."))
    return redirect(target or settings.LOGIN_REDIRECT_URL)


def _without_account(request: HttpRequest, site: SocialSite, *, cancelled: bool) -> HttpResponse:
    if cancelled:
        messages.info(request, _("You have not signed in with %(site)s.") % {"site": site.label})
    else:
        messages.error(
            request,
            _("%(site)s did not tell us who you are. Please try once more, or use a code.") % {"site": site.label},
        )
    return redirect("redemption:devices" if request.user.is_authenticated else _TO_CODE)


def _must_be_open(request: HttpRequest, site: SocialSite) -> None:
    if site not in open_sites(request):
        raise Http404
