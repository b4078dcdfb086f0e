"""What staff did, to whom and why."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffAction(models.Model):
    """One act of a person on points, members, tiers, coupons or exports. Rows are never changed or deleted."""

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("who"),
    )
    at = models.DateTimeField(_("when"))
    action = models.CharField(_("what"), max_length=60)
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("member"),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("staff action")
        verbose_name_plural = _("staff log")
        ordering = ["-id"]
        triggers = [
            pgtrigger.Protect(
                name="staffaction_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
            )
        ]

    def __str__(self) -> str:
        return self.action
