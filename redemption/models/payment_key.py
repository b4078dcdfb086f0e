"""The keys with which a shop's server reports payments, and the calls that were taken."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class PaymentKey(models.Model):
    """Who may report payments: a name, and a secret that is kept encrypted. A revoked key stays, so that the log keeps
    its meaning, but works no more."""

    name = models.CharField(
        pgettext_lazy("of a key", "name"),
        max_length=80,
        help_text=_("Where it is used, such as: web shop, test server."),
    )
    key_id = models.CharField(_("key ID"), max_length=40, unique=True, editable=False)
    secret = models.TextField(editable=False)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("made by"),
    )  # fmt: skip
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("revoked by"),
    )  # fmt: skip
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_refused_at = models.DateTimeField(_("last refused"), null=True, blank=True)
    last_refusal = models.CharField(_("why it was refused"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("payment key")
        verbose_name_plural = _("payment keys")
        ordering = ["-id"]
        permissions = [("revoke_paymentkey", _("Can revoke payment keys"))]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(revoked_at=None), name="redemption_paymentkey_named_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SpentCall(models.Model):
    """That a call was taken. The unique row is what makes a signature good for one call, whatever comes at once; after
    ``stale_at`` its time stamp would be refused anyway."""

    key = models.ForeignKey(PaymentKey, on_delete=models.CASCADE, related_name="+", db_index=False)
    nonce = models.CharField(max_length=64)
    stale_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("spent payment call")
        verbose_name_plural = _("spent payment calls")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["key", "nonce"], name="redemption_spentcall_once")]

    def __str__(self) -> str:
        return self.nonce
