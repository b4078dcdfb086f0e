"""Takes out of the admin what other packages put there and a shop has no use for.

Proven addresses of buyers, refused logins and the schedule are kept by their packages; staff see them elsewhere, or not.
"""

from importlib import import_module

from django.contrib import admin

_NOT_FOR_STAFF = ("account", "axes", "django_celery_beat")

# This module is loaded before theirs, so their pages are registered here first, once and for all.
for pages in ("allauth.account.admin", "axes.admin", "django_celery_beat.admin"):
    import_module(pages)

for model in [model for model in admin.site._registry if model._meta.app_label in _NOT_FOR_STAFF]:
    admin.site.unregister(model)
