"""Where the page behind the links in mails is."""

from django.urls import path

from crm.views.mails import stop

urlpatterns = [path("stop/<str:token>/", stop, name="stop_mails")]
