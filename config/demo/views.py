"""The demo page: buyers to sign in as, and the mails that were sent. It exists only where DEMO is on."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import auth, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from config.demo.cast import Role
from config.demo.guests import NotAGuest, guests, login_of
from config.demo.mails import latest_mails
from config.staff import FILE_NAME
from crm.api import note_sign_in

_BACKEND = "django.contrib.auth.backends.ModelBackend"

REASONS: dict[Role, Promise] = {
    Role.REGULAR: gettext_lazy("A regular: orders every three weeks and has many points to spend."),
    Role.COLLECTOR: gettext_lazy("Holds coupons, some ready to use and one already used."),
    Role.EXPIRING: gettext_lazy("Some of these points are about to expire."),
    Role.PENDING: gettext_lazy(
        "Two orders were on their way when the orders were exported. Import the practice files, and their pending "
        "points become available."
    ),
    Role.NEWCOMER: gettext_lazy("A new buyer with one order and the first points."),
    Role.DEBT: gettext_lazy("Spent points and then returned the order that earned them: the balance is below zero."),
    Role.EMPTY: gettext_lazy("Never paid for the only order, so there are no points yet."),
}


def only_in_demo(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer as if the page did not exist unless DEMO is on."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@only_in_demo
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show who may be signed in as, why each is interesting, and the mails."""
    cast = [{"guest": guest, "reason": REASONS[guest.role]} for guest in guests(timezone.now())]
    context = {
        "cast": cast,
        "mails": latest_mails(settings.EMAIL_FILE_PATH) if not settings.EMAIL_URL else [],
        "mails_are_kept": not settings.EMAIL_URL,
        "practice_folder": settings.VAR_DIR / "demo" / "next-week",
        "password_file": settings.VAR_DIR / FILE_NAME,
    }
    return render(request, "demo/page.html", context)


@only_in_demo
@never_cache
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign the visitor in as one of the cast."""
    at = timezone.now()
    try:
        login = login_of(request.POST.get("buyer", ""), at=at)
    except NotAGuest:
        messages.error(request, _("You can only sign in as one of the buyers listed here."))
        return redirect("demo")
    auth.login(request, login, backend=_BACKEND)
    # Nobody has proven who he is, so that what asks for a code does so here as well.
    note_sign_in(request, at, proven=False)
    return redirect("redemption:home")
