"""Trades and their life."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.choices import OrderStatus, PaymentKind, RefundStatus


class Order(models.Model):
    """One trade of one channel.

    Every column is a join of all that the sources ever said: the status only rises, an instant is the earliest one
    reported, and the amounts are those of the report with the greatest ``version``. That is why importing files late,
    twice or in any order ends in the same row; docs/architecture.md has the table.

    An order whose buyer is not known (a guest, or a detail list that came before the order list) has no member.
    """

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    external_no = models.CharField(_("order number"), max_length=64)
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("member"),
    )
    identity = models.ForeignKey(
        "crm.Identity",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("platform identity"),
    )
    status = models.CharField(_("status"), max_length=10, choices=OrderStatus, default=OrderStatus.PLACED)
    paid = models.DecimalField(
        _("paid"),
        max_digits=14,
        decimal_places=2,
        default=0,
        help_text=_("Gross, before anything went back."),
    )
    refunded = models.DecimalField(
        _("refunded"),
        max_digits=14,
        decimal_places=2,
        default=0,
        help_text=_("All that went back to the buyer."),
    )
    # The refund total of the order row itself. Refund rows may say more or less; ``refunded`` is the greater of the
    # two.
    refunded_reported = models.DecimalField(max_digits=14, decimal_places=2, default=0, editable=False)
    amount_from_lines = models.BooleanField(default=False, editable=False)
    payment_kind = models.CharField(
        _("paid with"),
        max_length=10,
        choices=PaymentKind,
        blank=True,
        default="",
        db_default="",
        help_text=_("Empty where no file has said it."),
    )
    placed_at = models.DateTimeField(_("placed"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    shipped_at = models.DateTimeField(_("shipped"), null=True, blank=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    close_reason = models.CharField(_("reason for closing"), max_length=120, blank=True)
    title = models.CharField(_("title"), max_length=300, blank=True)
    raw = models.JSONField(_("other columns"), default=dict, blank=True)
    # Orders reports of the header facts: status rank, the platform's own update time, refund total, content hash.
    version = models.CharField(max_length=120, blank=True, editable=False)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-placed_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_no"], name="crm_order_once"),
            models.CheckConstraint(condition=models.Q(paid__gte=0), name="crm_order_paid_not_negative"),
            models.CheckConstraint(
                condition=models.Q(refunded__gte=0),
                name="crm_order_refunded_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=OrderStatus.values),
                name="crm_order_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(payment_kind__in=["", *PaymentKind.values]),
                name="crm_order_payment_kind_known",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-placed_at"], name="crm_order_member"),
            models.Index(fields=["-placed_at"], name="crm_order_placed"),
        ]
        # The upper floors name orders by their ids, without foreign keys.
        triggers = [
            pgtrigger.Protect(name="order_never_deleted", operation=pgtrigger.Delete, level=pgtrigger.Statement),
        ]

    def __str__(self) -> str:
        return self.external_no


class OrderLine(models.Model):
    """One line of an order. ``key`` is what the feed tells lines apart by."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", verbose_name=_("order"))
    key = models.CharField(max_length=80, editable=False)
    product = models.ForeignKey("crm.Product", on_delete=models.PROTECT, verbose_name=_("product"))
    title = models.CharField(_("title"), max_length=300)
    options = models.CharField(_("options"), max_length=300, blank=True)
    quantity = models.IntegerField(_("quantity"))
    unit_price = models.DecimalField(_("unit price"), max_digits=14, decimal_places=4, null=True, blank=True)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, null=True, blank=True)
    version = models.CharField(max_length=80, blank=True, editable=False)

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["order", "key"], name="crm_orderline_once")]

    def __str__(self) -> str:
        return self.title


class Refund(models.Model):
    """Money that went back, for one line or for the order as a whole. Without an order it is a return that the platform
    reports on its own."""

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    external_no = models.CharField(_("refund number"), max_length=64)
    order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds",
        verbose_name=_("order"),
    )
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds",
        verbose_name=_("member"),
    )
    status = models.CharField(_("status"), max_length=10, choices=RefundStatus, default=RefundStatus.SUCCESS)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    at = models.DateTimeField(_("refunded at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    # The line of the order that came back, by its key; empty for the order as a whole.
    line_key = models.CharField(max_length=80, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_no"], name="crm_refund_once"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="crm_refund_amount_not_negative"),
        ]

    def __str__(self) -> str:
        return self.external_no
