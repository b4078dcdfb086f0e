"""Where every page is."""

from django.contrib import admin
from django.urls import include, path

from config.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("account/", include("crm.signin_urls")),
    path("sso/", include("crm.sso_urls")),
    path("mail/", include("crm.mail_urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("demo/", include("config.demo.urls")),
    path("", include("redemption.urls")),
]
