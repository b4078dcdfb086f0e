"""Points set aside for something that is not certain yet."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.guards import journal_only


class Hold(models.Model):
    """Points that left the balance and are spent (captured) or given back (released) later, in one or several parts.

    What is neither is still held. At the deadline the night gives it back. Without a deadline it waits for ever.
    """

    account = models.ForeignKey(
        "loyalty.Account",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="holds",
        verbose_name=_("account"),
    )
    entry = models.OneToOneField(
        "loyalty.Entry",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="hold",
        verbose_name=_("entry"),
    )
    points = models.BigIntegerField(_("points"))
    captured = models.BigIntegerField(_("spent"), default=0)
    released = models.BigIntegerField(_("given back"), default=0)
    deadline = models.DateTimeField(_("held until"), null=True, blank=True)
    open = models.GeneratedField(
        expression=models.ExpressionWrapper(
            models.Q(points__gt=models.F("captured") + models.F("released")),
            output_field=models.BooleanField(),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-id"]
        indexes = [models.Index(fields=["deadline", "id"], name="loyalty_hold_due", condition=models.Q(open=True))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    points__gt=0,
                    captured__gte=0,
                    released__gte=0,
                    points__gte=models.F("captured") + models.F("released"),
                ),
                name="loyalty_hold_parts_in_range",
            ),
        ]
        triggers = [journal_only("hold_journal_only")]

    def __str__(self) -> str:
        return f"{self.points - self.captured - self.released}/{self.points}"
