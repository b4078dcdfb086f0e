"""Points into money off."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from redemption.choices import CouponState, Standing
from redemption.codes import spoken


class CouponPlan(models.Model):
    """How points turn into coupons: so many points make one yuan, in these denominations, valid this long."""

    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("terms shown to the buyer"), blank=True)
    points_per_yuan = models.PositiveIntegerField(_("points for one yuan"), default=10)
    validity_days = models.PositiveIntegerField(_("coupon valid for (days)"), default=90)
    active = models.BooleanField(_("offered to buyers"), default=True)
    starts_at = models.DateTimeField(_("offered from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("offered until"), null=True, blank=True)

    class Meta:
        verbose_name = _("coupon plan")
        verbose_name_plural = _("coupon plans")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(points_per_yuan__gt=0), name="redemption_plan_ratio_positive"),
            models.CheckConstraint(condition=models.Q(validity_days__gt=0), name="redemption_plan_validity_positive"),
            models.CheckConstraint(
                condition=models.Q(starts_at=None)
                | models.Q(ends_at=None)
                | models.Q(starts_at__lt=models.F("ends_at")),
                name="redemption_plan_window_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Denomination(models.Model):
    """A face value that a plan offers."""

    plan = models.ForeignKey(CouponPlan, on_delete=models.CASCADE, related_name="denominations")
    yuan = models.PositiveIntegerField(_("yuan"))

    class Meta:
        verbose_name = _("denomination")
        verbose_name_plural = _("denominations")
        ordering = ["yuan"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "yuan"], name="redemption_denomination_once"),
            models.CheckConstraint(condition=models.Q(yuan__gt=0), name="redemption_denomination_positive"),
        ]

    def __str__(self) -> str:
        return f"¥{self.yuan}"


class Coupon(models.Model):
    """One issued code. ``key`` is the token of the form that asked for it: the same token gives the same coupon."""

    plan = models.ForeignKey(CouponPlan, on_delete=models.PROTECT, verbose_name=_("plan"))
    member = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="coupons", verbose_name=_("member"), db_index=False
    )
    code = models.CharField(pgettext_lazy("of a coupon", "code"), max_length=20, unique=True)
    yuan = models.PositiveIntegerField(_("worth (yuan)"))
    points = models.PositiveIntegerField(_("points spent"))
    entry = models.OneToOneField("loyalty.Entry", on_delete=models.PROTECT, related_name="+", verbose_name=_("entry"))
    key = models.CharField(max_length=80, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=CouponState, default=CouponState.ISSUED)
    issued_at = models.DateTimeField(_("issued"))
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("redeemed by"),
    )

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        ordering = ["-id"]
        indexes = [models.Index(fields=["member", "-id"], name="redemption_coupon_member")]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=CouponState.values), name="redemption_coupon_state"),
            models.CheckConstraint(
                condition=models.Q(state=CouponState.USED, used_at__isnull=False)
                | (~models.Q(state=CouponState.USED) & models.Q(used_at=None)),
                name="redemption_coupon_used_has_time",
            ),
        ]
        permissions = [("use_coupon", _("Can mark coupons as used"))]

    def __str__(self) -> str:
        # Never the whole code: it is worth money, and this ends up in titles and logs.
        return f"¥{self.yuan} …{self.code[-4:]}"

    def standing(self, at: datetime) -> Standing:
        """Say what the coupon is good for at this moment: the state, told apart by whether its time has run out."""
        if self.state == CouponState.ISSUED and self.expires_at <= at:
            return Standing.EXPIRED
        return Standing(self.state)

    @property
    def spoken_code(self) -> str:
        """The code in groups, as it is read aloud and printed."""
        return spoken(self.code)

    @property
    def last_moment(self) -> datetime:
        """The last instant of validity: its date is the last day on which the coupon can be used."""
        return self.expires_at - timedelta(microseconds=1)
