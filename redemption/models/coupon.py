"""The coupons that buyers took, and the codes of the shop platform that wait to be given out."""

from datetime import datetime, timedelta

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from redemption.choices import CouponState, Standing
from redemption.codes import read_code, spoken
from redemption.models.coupon_plan import CouponPlan
from redemption.models.guards import lives_once

LONGEST_CODE = 64


class Coupon(models.Model):
    """One issued code. ``key`` is the buyer's wish that asked for it: the same wish gives the same coupon.

    ``points_back`` is how many of its points went back when it became void or expired. ``order_no`` is the order that
    it was used for, as far as anybody said, and ``used_in`` the shop.
    """

    # What a checkout names is not checked by foreign keys, as with redemptions: docs/decisions/0008.
    plan = models.ForeignKey(CouponPlan, on_delete=models.PROTECT, verbose_name=_("plan"), db_constraint=False)
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        related_name="coupons",
        verbose_name=_("member"),
        db_index=False,
        db_constraint=False,
    )
    code = models.CharField(pgettext_lazy("of a coupon", "code"), max_length=LONGEST_CODE, unique=True)
    # What may stand here is one constraint (``redemption/sql/0_sound.sql``): each more is read anew by every checkout.
    yuan = models.IntegerField(_("worth (yuan)"))
    points = models.IntegerField(_("points spent"))
    entry = models.OneToOneField(
        "loyalty.Entry", on_delete=models.PROTECT, related_name="+", verbose_name=_("entry"), db_constraint=False
    )
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
    used_in = models.ForeignKey(
        "crm.Channel",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("used in the shop"),
    )
    order_no = models.CharField(_("order number"), max_length=64, blank=True, default="", db_default="")
    void_at = models.DateTimeField(_("void since"), null=True, blank=True)
    void_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("made void by"),
    )
    void_reason = models.CharField(_("why it is void"), max_length=300, blank=True, default="", db_default="")
    points_back = models.IntegerField(_("points given back"), default=0, db_default=0)

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["member", "-id"], name="redemption_coupon_member"),
            BrinIndex(fields=["issued_at"], name="redemption_coupon_by_time", autosummarize=True),  # For reports.
            # What the night looks through.
            models.Index(fields=["expires_at", "id"], name="redemption_coupon_ready", condition=Q(state="issued")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Func(
                    *("state", "yuan", "points", "points_back", "used_at", "void_at", "void_reason"),
                    function="redemption_coupon_sound",
                    output_field=models.BooleanField(),
                ),
                name="redemption_coupon_sound",
            )
        ]
        permissions = [
            ("use_coupon", _("Can mark coupons as used")),
            ("void_coupon", _("Can make coupons void")),
            ("export_coupon", _("Can export coupons with their codes")),
        ]
        triggers = [
            lives_once("coupon_lives_once"),
            pgtrigger.Protect(name="coupon_kept", operation=pgtrigger.Delete),
        ]

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
        # A code of the shop platform is shown as the platform wrote it.
        return spoken(self.code) if read_code(self.code) == self.code else self.code

    @property
    def last_moment(self) -> datetime:
        """The last instant of validity: its date is the last day on which the coupon can be used."""
        return self.expires_at - timedelta(microseconds=1)


class PoolCode(models.Model):
    """A code of the shop platform's own, good for ``yuan``. It is given out once: ``coupon`` is the one that has it.

    ``valid_until`` is the first instant at which the platform no longer takes it; None when it did not say.
    """

    plan = models.ForeignKey(
        CouponPlan, on_delete=models.PROTECT, related_name="pool", verbose_name=_("plan"), db_index=False
    )
    yuan = models.PositiveIntegerField(_("worth (yuan)"))
    code = models.CharField(pgettext_lazy("of a coupon", "code"), max_length=LONGEST_CODE, unique=True)
    valid_until = models.DateTimeField(_("taken by the platform until"), null=True, blank=True)
    coupon = models.OneToOneField(
        Coupon,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="pool_code",
        verbose_name=_("coupon"),
        db_constraint=False,
    )
    added_at = models.DateTimeField(_("added"))

    class Meta:
        verbose_name = _("code of the shop platform")
        verbose_name_plural = _("codes of the shop platform")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["plan", "yuan", "id"], name="redemption_poolcode_free", condition=Q(coupon=None))
        ]

    def __str__(self) -> str:
        # Never the whole code: it is worth money.
        return f"…{self.code[-4:]}"
