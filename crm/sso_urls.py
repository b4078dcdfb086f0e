"""Where a shop's own site sends its buyers."""

from django.urls import path

from crm.views import sso

urlpatterns = [
    path("", sso.enter, name="sso"),
    path("switch/", sso.switch, name="sso_switch"),
]
