"""The shop with two pages more: one does nothing, the other reads one row for whoever is signed in. They show what any
page costs before it begins, all middleware included."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
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


application = get_wsgi_application()
# Django has to be set up before the shop's own addresses can be read.
urlpatterns = [path("benchmark/plain", plain), path("benchmark/row", row), path("", include("config.urls"))]
get_resolver().url_patterns  # noqa: B018  As config.wsgi does.
