from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = _("Buyers and orders")

    def ready(self) -> None:
        from crm.mails import tier_mails

        tier_mails.register()
