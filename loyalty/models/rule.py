"""What orders earn."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.guards import append_only


class EarnRule(models.Model):
    """A published rule: every ``per`` of money paid earns ``points`` points, whole steps only.

    A published rule is frozen; an edit publishes the next version, which counts for orders paid from ``effective_from``
    on. Orders paid before keep the rule of their day.
    """

    version = models.PositiveIntegerField(_("version"), unique=True)
    per = models.DecimalField(_("for every (yuan)"), max_digits=10, decimal_places=2)
    points = models.PositiveIntegerField(_("points"))
    effective_from = models.DateTimeField(_("effective from"))
    published_at = models.DateTimeField(_("published"))
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("published by"),
    )
    reason = models.CharField(_("reason"), max_length=300)

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        ordering = ["-version"]
        constraints = [
            models.CheckConstraint(condition=models.Q(per__gt=0), name="loyalty_earnrule_per_positive"),
        ]
        triggers = [append_only("earnrule_append_only")]

    def __str__(self) -> str:
        return f"v{self.version}: {self.per} → {self.points}"
