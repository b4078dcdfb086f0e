"""A member's points, as one row."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.guards import journal_only


class Account(models.Model):
    """The cached sums of a member's entries, in points.

    ``balance`` is what he may spend. It is below zero only when points that he had already spent were taken back; what
    he earns next settles that first. ``pending`` waits for an order to succeed. ``version`` rises with every change.
    """

    member = models.OneToOneField(
        "crm.Member",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="account",
        verbose_name=_("member"),
    )
    balance = models.BigIntegerField(_("balance"), default=0)
    pending = models.BigIntegerField(_("pending"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    version = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("points account")
        verbose_name_plural = _("points accounts")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(pending__gte=0, held__gte=0),
                name="loyalty_account_sums_not_negative",
            ),
        ]
        permissions = [
            ("adjust_points", _("Can give points to a member and take them away")),
            ("export_statement", _("Can download a member's statement")),
        ]
        triggers = [journal_only("account_journal_only")]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.balance}"
