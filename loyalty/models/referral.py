"""Who brought whom: links, visits through them, buyers who came that way, and the shares of their orders."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.choices import ReferralState


class ReferralLink(models.Model):
    """A member's personal link to a shop, or to one of its products."""

    promoter = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="+", verbose_name=_("promoter"), db_index=False
    )
    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, related_name="+", verbose_name=_("channel"))
    product = models.ForeignKey(
        "crm.Product", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product")
    )
    token = models.CharField(_("token"), max_length=22, unique=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("referral link")
        verbose_name_plural = _("referral links")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["promoter", "channel", "product"], nulls_distinct=False, name="loyalty_referrallink_once"
            ),
        ]

    def __str__(self) -> str:
        return self.token


class ReferralVisit(models.Model):
    """A device that came through a link, and until when that is remembered."""

    link = models.ForeignKey(ReferralLink, on_delete=models.PROTECT, related_name="visits", verbose_name=_("link"))
    device = models.CharField(_("device"), max_length=32)
    clicks = models.PositiveIntegerField(_("clicks"), default=1)
    first_at = models.DateTimeField(_("first visit"))
    last_at = models.DateTimeField(_("last visit"))
    until = models.DateTimeField(_("remembered until"))

    class Meta:
        verbose_name = _("referral visit")
        verbose_name_plural = _("referral visits")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["device", "link"], name="loyalty_referralvisit_once")]

    def __str__(self) -> str:
        return f"{self.link_id} · {self.first_at}"


class ReferralDevice(models.Model):
    """A device on which a member has been signed in: nobody refers himself from his own phone."""

    device = models.CharField(_("device"), max_length=32)
    member = models.ForeignKey("crm.Member", on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    seen_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("device of a member")
        verbose_name_plural = _("devices of members")
        constraints = [models.UniqueConstraint(fields=["device", "member"], name="loyalty_referraldevice_once")]

    def __str__(self) -> str:
        return f"{self.member_id} · {self.seen_at}"


class Referral(models.Model):
    """A buyer whom a promoter brought: his first order counts if it was paid from ``visited_at`` on and before
    ``until``. ``signs`` say what spoke against it."""

    buyer = models.OneToOneField("crm.Member", on_delete=models.PROTECT, related_name="+", verbose_name=_("buyer"))
    promoter = models.ForeignKey("crm.Member", on_delete=models.PROTECT, related_name="+", verbose_name=_("promoter"))
    link = models.ForeignKey(ReferralLink, on_delete=models.PROTECT, related_name="referrals", verbose_name=_("link"))
    device = models.CharField(_("device"), max_length=32, editable=False)
    visited_at = models.DateTimeField(_("visited"))
    until = models.DateTimeField(_("counts until"))
    tied_at = models.DateTimeField(_("recognised"))
    state = models.CharField(_("state"), max_length=10, choices=ReferralState)
    signs = ArrayField(models.CharField(max_length=20), default=list, blank=True, verbose_name=_("signs against it"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "-id"], name="loyalty_referral_state")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(promoter=models.F("buyer")), name="loyalty_referral_not_oneself"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ReferralState.values), name="loyalty_referral_state_known"
            ),
        ]
        permissions = [("review_referral", _("Can approve and reject referrals"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ReferralShare(models.Model):
    """What an order, or one product of it (``product``), brought the promoter.

    ``amount`` (fen) is what it was worked out from, ``given`` what was accrued under ``key``, of which ``fixed`` do not
    depend on the amount; ``kept`` is what is left after goods came back.
    """

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="shares", verbose_name=_("referral"))
    order = models.ForeignKey("crm.Order", on_delete=models.PROTECT, related_name="+", verbose_name=_("order"))
    product = models.ForeignKey(
        "crm.Product", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product")
    )
    key = models.CharField(_("key"), max_length=160, unique=True)
    amount = models.BigIntegerField(_("amount (fen)"))
    given = models.BigIntegerField(_("points given"))
    fixed = models.BigIntegerField(_("of them fixed"), default=0)
    kept = models.BigIntegerField(_("points kept"))
    reversals = models.PositiveSmallIntegerField(default=0, editable=False)
    available = models.BooleanField(_("available"), default=False)

    class Meta:
        verbose_name = _("share of a referral")
        verbose_name_plural = _("shares of referrals")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "product"], nulls_distinct=False, name="loyalty_referralshare_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kept__gte=0, kept__lte=models.F("given")), name="loyalty_referralshare_kept"
            ),
        ]

    def __str__(self) -> str:
        return self.key
