"""The stable words of the ground floor. Values are stored; labels are what people see."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class OrderStatus(models.TextChoices):
    """The life of an order. ``rank`` orders the states: an order never moves to a lower one."""

    PLACED = "placed", pgettext_lazy("order status", "Placed")
    PAID = "paid", pgettext_lazy("order status", "Paid")
    SHIPPED = "shipped", pgettext_lazy("order status", "Shipped")
    COMPLETED = "completed", pgettext_lazy("order status", "Completed")
    CLOSED = "closed", pgettext_lazy("order status", "Closed")

    @property
    def rank(self) -> int:
        return _ORDER_RANK[self]


_ORDER_RANK = {status: rank for rank, status in enumerate(OrderStatus)}


class RefundStatus(models.TextChoices):
    """Only a successful refund moves money. ``rank`` decides which of two reports stands."""

    OPEN = "open", _("In progress")
    REFUSED = "refused", _("Withdrawn or refused")
    SUCCESS = "success", pgettext_lazy("refund status", "Refunded")

    @property
    def rank(self) -> int:
        return _REFUND_RANK[self]


_REFUND_RANK = {status: rank for rank, status in enumerate(RefundStatus)}


class Platform(models.TextChoices):
    TAOBAO = "taobao", _("Taobao / Tmall")
    YOUZAN = "youzan", _("Youzan")
    SHOPIFY = "shopify", _("Shopify")
    WOOCOMMERCE = "woocommerce", _("WooCommerce")
    OTHER = "other", _("Other")
