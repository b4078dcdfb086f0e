"""Where the demo page is."""

from django.urls import path

from config.demo import views

urlpatterns = [
    path("", views.page, name="demo"),
    path("sign-in/", views.sign_in, name="demo_sign_in"),
]
