"""The shop with one page more, which does nothing: what any page costs before it begins, all middleware included."""

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


application = get_wsgi_application()
# Django has to be set up before the shop's own addresses can be read.
urlpatterns = [path("benchmark/plain", plain), path("", include("config.urls"))]
get_resolver().url_patterns  # noqa: B018  As config.wsgi does.
