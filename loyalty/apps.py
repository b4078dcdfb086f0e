from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = _("Points")

    def ready(self) -> None:
        from crm.api import leave_out, on_orders_changed, register_erasure, register_metrics, register_personal
        from loyalty import personal
        from loyalty.accrual import on_orders
        from loyalty.forfeiting import forfeit_of_erased
        from loyalty.night_steps import on_night
        from loyalty.referral.settling import note_orders
        from loyalty.tier_metrics import POINTS

        on_orders_changed(on_orders)
        on_orders_changed(note_orders)
        register_metrics(POINTS)
        register_personal(*personal.TABLES)
        register_erasure("loyalty", personal.RULES)
        on_night("erased", forfeit_of_erased)
        leave_out(personal.LEFT_OUT)
