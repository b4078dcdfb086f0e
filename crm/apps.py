from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = _("Buyers and orders")

    def ready(self) -> None:
        from crm.events import on_orders_changed, on_tiers_changed
        from crm.mails import farewell, security_notices, tier_mails
        from crm.mails.tier_telling import tell_of_changes
        from crm.personal import making, own
        from crm.personal.registry import leave_out, register_erasure, register_personal
        from crm.tiers.review import review_changed_orders

        # The upper floors stand before this one in INSTALLED_APPS and have registered theirs: what an order earns is
        # there when its member's tier is looked at.
        on_orders_changed(review_changed_orders)
        tier_mails.register()
        security_notices.register()
        farewell.register()
        on_tiers_changed(tell_of_changes)
        register_personal(*own.PERSON, *own.LOGIN, *own.ORDERS, *own.TIERS, *own.CONTACT)
        leave_out(own.LEFT_OUT)
        register_erasure("crm", making.ERASURE_RULES)
