"""Takes out of the admin what other packages put there and a shop has no use for."""

from importlib import import_module

from django.apps import apps
from django.contrib import admin

_NOT_FOR_STAFF = ("account", "socialaccount", "axes", "django_celery_beat")

# This module is loaded before theirs, so their pages are registered here first, once and for all.
for pages in ("allauth.account.admin", "allauth.socialaccount.admin", "axes.admin", "django_celery_beat.admin"):
    import_module(pages)

for app in map(apps.get_app_config, _NOT_FOR_STAFF):
    admin.site.unregister([model for model in app.get_models() if admin.site.is_registered(model)])
