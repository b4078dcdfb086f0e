"""Which days a member has signed in on."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CheckIn(models.Model):
    """One day on which a member signed in. ``streak`` counts the days in a row up to it, beginning with 1.

    ``entry`` is what the journal gave for it; none where the rules of the day had nothing for this member. ``day`` is a
    day of the programme's time zone.
    """

    member = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    day = models.DateField(_("day"))
    streak = models.PositiveIntegerField(_("days in a row"))
    at = models.DateTimeField(_("signed in"))
    entry = models.OneToOneField(
        "loyalty.Entry",
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("journal entry"),
    )

    class Meta:
        verbose_name = _("daily sign-in")
        verbose_name_plural = _("daily sign-ins")
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["member", "day"], name="loyalty_checkin_once_a_day"),
            models.CheckConstraint(condition=models.Q(streak__gte=1), name="loyalty_checkin_streak"),
        ]

    def __str__(self) -> str:
        return f"{self.day} · {self.streak}"
