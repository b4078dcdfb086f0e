"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
# All views are imported now, before gunicorn forks, and not while the first visitors wait.
get_resolver().url_patterns  # noqa: B018
