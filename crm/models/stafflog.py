"""What staff did, to whom and why."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffAction(models.Model):
    """One act of a person on points, members, tiers, coupons or exports. Rows are never changed or deleted; only
    an address of a member who was erased goes out of the details."""

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
            # Erasing a member (crm.personal.erasing) takes what is personal out of the details, and nothing else.
            pgtrigger.Trigger(
                name="staffaction_append_only",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'UPDATE' AND current_setting('crm.erasing', true) = 'on'
                       AND to_jsonb(NEW) - 'details' = to_jsonb(OLD) - 'details' THEN
                        RETURN NEW;
                    END IF;
                    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'PK002';
                """,
            )
        ]

    def __str__(self) -> str:
        return self.action
