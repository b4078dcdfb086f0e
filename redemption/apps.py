from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RedemptionConfig(AppConfig):
    name = "redemption"
    verbose_name = _("Redemption store")

    def ready(self) -> None:
        from crm.api import leave_out, on_orders_changed, register_erasure, register_personal
        from loyalty.api import on_night
        from redemption import personal
        from redemption.coupons.ending import end_expired
        from redemption.rewards.paid_orders import on_orders

        on_orders_changed(on_orders)
        on_night("coupons", end_expired)
        register_personal(*personal.TABLES)
        register_erasure("redemption", personal.RULES)
        leave_out(personal.LEFT_OUT)
