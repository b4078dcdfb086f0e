"""The shop with three pages more: one does nothing, one reads one row for whoever is signed in, and one is a form that
does nothing when it is sent. They show what any page costs before it begins, all middleware included.

The agreement to take a reward says in its answer how long its view took, and the checkout in it.
"""

import os
import threading
import time
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import get_resolver, include, path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = __name__


def plain(request: HttpRequest) -> HttpResponse:
    """Say one word."""
    return HttpResponse(b"ok", content_type="text/plain")


def row(request: HttpRequest) -> HttpResponse:
    """Say who is signed in."""
    from crm.models import Member

    name = Member.objects.filter(user=request.user.pk).values_list("name", flat=True).first()
    return HttpResponse(name or "?", content_type="text/plain", status=200 if name else 403)


def form(request: HttpRequest) -> HttpResponse:
    """A form for whoever is signed in; sent back it leads on, and does nothing."""
    if not request.user.is_authenticated:
        return HttpResponse(status=403)
    if request.method == "POST":
        return redirect("/benchmark/row")
    return HttpResponse(f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}">')


_seconds = threading.local()  # Of the checkout in this thread's request.


def take(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The shop's own page, with the seconds of its view and of the checkout in a header."""
    from redemption.views import rewards

    _seconds.checkout = 0.0
    begun = time.perf_counter()
    answer = rewards.confirm(request, pk=pk)
    answer["Server-Timing"] = f"{time.perf_counter() - begun} {_seconds.checkout}"
    return answer


def _watch_the_checkout() -> None:
    from redemption.views import rewards

    checkout = vars(rewards)["redeem"]

    def timed(*given: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return checkout(*given, **named)
        finally:
            _seconds.checkout = time.perf_counter() - begun

    vars(rewards)["redeem"] = timed


application = get_wsgi_application()
_watch_the_checkout()
# Django has to be set up before the shop's own addresses can be read.
urlpatterns = [
    path("benchmark/plain", plain),
    path("benchmark/row", row),
    path("benchmark/form", form),
    path("rewards/<int:pk>/take/", take),
    path("", include("config.urls")),
]
get_resolver().url_patterns  # noqa: B018  As config.wsgi does.
