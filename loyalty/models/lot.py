"""Points that were accrued together, and who drew on them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.guards import append_only, journal_only


class Lot(models.Model):
    """Points accrued together. ``remaining`` is what no entry has drawn yet.

    A pending lot waits for its order to succeed; its ``available_at`` is when the night makes it available if nobody
    confirms the receipt before, and is empty until that is known. ``expires_at`` is the first instant at which the lot
    is no longer valid, and is empty while it is pending or when it never expires.
    """

    account = models.ForeignKey(
        "loyalty.Account",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="lots",
        verbose_name=_("account"),
        db_index=False,
    )
    entry = models.OneToOneField(
        "loyalty.Entry",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="lot",
        verbose_name=_("entry"),
    )
    points = models.BigIntegerField(_("points"))
    remaining = models.BigIntegerField(_("remaining"))
    pending = models.BooleanField(_("pending"), default=False)
    available_at = models.DateTimeField(_("available from"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    # Stored, so that the partial index below does not name ``remaining``: updates that leave a lot open stay HOT.
    open = models.GeneratedField(
        expression=models.ExpressionWrapper(models.Q(remaining__gt=0), output_field=models.BooleanField()),
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        ordering = ["expires_at", "id"]
        indexes = [
            models.Index(
                fields=["account", "expires_at", "id"],
                name="loyalty_lot_open",
                condition=models.Q(open=True),
            ),
            # Few lots wait at a time, so this stays small.
            models.Index(
                fields=["account", "available_at"],
                name="loyalty_lot_waiting",
                condition=models.Q(open=True, pending=True),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(remaining__gte=0, remaining__lte=models.F("points"), points__gt=0),
                name="loyalty_lot_remaining_in_range",
            ),
        ]
        triggers = [journal_only("lot_journal_only")]

    def __str__(self) -> str:
        return f"{self.remaining}/{self.points}"


class LotUse(models.Model):
    """How much an entry drew from a lot; negative when it gave points back to it."""

    entry = models.ForeignKey(
        "loyalty.Entry",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="uses",
        verbose_name=_("entry"),
    )
    lot = models.ForeignKey(
        "loyalty.Lot",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="uses",
        verbose_name=_("lot"),
    )
    points = models.BigIntegerField(_("points"))

    class Meta:
        verbose_name = _("lot use")
        verbose_name_plural = _("lot uses")
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=~models.Q(points=0), name="loyalty_lotuse_moves_something")]
        triggers = [
            append_only("lotuse_append_only"),
            journal_only("lotuse_journal_only"),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} ← {self.lot_id}: {self.points}"
