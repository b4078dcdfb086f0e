"""The few pages of allauth that buyers need. The names are allauth's own, which it looks up; nobody has a password, so
``account_login`` and ``account_signup`` lead to the page that sends a code. The ways to other sites are not there
without the shop's keys for them."""

from allauth.account import views
from django.urls import path
from django.views.generic import RedirectView

from crm.choices import SocialSite
from crm.views import social
from crm.views.signin import AskForCodeView, phone_code

to_code = RedirectView.as_view(pattern_name="account_request_login_code", query_string=True)

urlpatterns = [
    path("login/", to_code, name="account_login"),
    path("signup/", to_code, name="account_signup"),
    path("login/code/", AskForCodeView.as_view(), name="account_request_login_code"),
    path(
        "login/code/confirm/",
        views.confirm_login_code,
        name="account_confirm_login_code",
    ),
    path("login/phone/", phone_code, name="account_phone_code"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
]
for site in SocialSite:
    urlpatterns += [
        path(f"{site}/login/", social.leave, {"site": site}, name=f"{site}_login"),
        path(f"{site}/login/callback/", social.arrive, {"site": site}, name=f"{site}_callback"),
    ]
