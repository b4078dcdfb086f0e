"""The keys by which a shop's server vouches for buyers, and the tokens that were taken."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.choices import SsoAlgorithm, SsoFault


class ShopKey(models.Model):
    """A key of one shop: an HS256 secret, kept encrypted (``crm.sso.sealing``), or the public half of an EdDSA pair.

    ``key_id`` is the ``kid`` of its tokens. A revoked key stays, so that the log keeps its meaning, but works no more.
    """

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    name = models.CharField(
        pgettext_lazy("of a key", "name"),
        max_length=80,
        help_text=_("Where it is used, such as: web shop, test server."),
    )
    key_id = models.CharField(_("key ID"), max_length=40, unique=True)
    algorithm = models.CharField(_("algorithm"), max_length=10, choices=SsoAlgorithm, default=SsoAlgorithm.HS256)
    secret = models.TextField(blank=True, editable=False)
    public_key = models.TextField(_("public key"), blank=True)
    makes_members = models.BooleanField(
        _("make a member of a buyer who is new"),
        default=False,
        help_text=_(
            "Otherwise a buyer whom the shop's data does not know yet is refused until his first order is imported."
        ),
    )
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("made by"),
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("revoked by"),
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_refused_at = models.DateTimeField(_("last refused"), null=True, blank=True)
    last_fault = models.CharField(_("why it was refused"), max_length=20, choices=SsoFault, blank=True)
    last_claim = models.CharField(_("claim at fault"), max_length=10, blank=True)

    class Meta:
        verbose_name = _("shop key")
        verbose_name_plural = _("shop keys")
        ordering = ["-id"]
        permissions = [("revoke_shopkey", _("Can revoke shop keys"))]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "name"],
                condition=Q(revoked_at=None),
                name="crm_shopkey_named_once",
            ),
            models.CheckConstraint(
                condition=(Q(algorithm=SsoAlgorithm.HS256, public_key="") & ~Q(secret=""))
                | (Q(algorithm=SsoAlgorithm.EDDSA, secret="") & ~Q(public_key="")),
                name="crm_shopkey_material",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None) | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="crm_shopkey_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SpentToken(models.Model):
    """That a token was taken. The unique row is what makes a token good for one use, however many servers there are."""

    key = models.ForeignKey(ShopKey, on_delete=models.CASCADE, related_name="+", db_index=False)
    nonce = models.CharField(max_length=64)
    stale_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("spent token")
        verbose_name_plural = _("spent tokens")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["key", "nonce"], name="crm_spenttoken_once")]

    def __str__(self) -> str:
        return self.nonce
