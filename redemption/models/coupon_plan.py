"""How points turn into money off."""

from datetime import datetime
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from redemption.choices import CodeSource
from redemption.models.guards import begins_counting, kept_while
from redemption.rewards.choices import Visibility


def _whole(name: Any, help_text: Any = "") -> "models.PositiveIntegerField[int | None, int | None]":
    """A whole number of at least one that may be left out."""
    return models.PositiveIntegerField(
        name, null=True, blank=True, validators=[MinValueValidator(1)], help_text=help_text
    )


class CouponPlan(models.Model):
    """How points turn into coupons: so many points make one yuan, in these values, valid this long.

    Values are the plan's denominations, and any amount from ``least_yuan`` to ``most_yuan`` in steps where those are
    set. How much of the budget has gone stands in ``PlanUse``, so that a rush never writes to this row.
    """

    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("terms shown to the buyer"), blank=True)
    points_per_yuan = models.PositiveIntegerField(
        _("points for one yuan"), default=10, validators=[MinValueValidator(1)]
    )
    validity_days = models.PositiveIntegerField(
        _("coupon valid for (days)"), default=90, validators=[MinValueValidator(1)]
    )
    active = models.BooleanField(_("offered to buyers"), default=True)
    starts_at = models.DateTimeField(_("offered from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("offered until"), null=True, blank=True)
    least_yuan = _whole(_("any amount from (yuan)"), _("Leave empty if buyers choose among the denominations only."))
    most_yuan = _whole(_("any amount up to (yuan)"))
    step_yuan = models.PositiveIntegerField(
        _("in steps of (yuan)"), default=1, db_default=1, validators=[MinValueValidator(1)]
    )
    limit_day = _whole(_("coupons a member may have a day"))
    limit_window = _whole(
        _("coupons a member may have while it is offered"),
        _("Counted from the day on which the offer begins, so that the next offer counts anew."),
    )
    limit_ever = _whole(_("coupons a member may ever have"))
    budget_yuan = _whole(_("budget (yuan)"), _("What all coupons of this plan together may be worth."))
    budget_coupons = _whole(_("budget (coupons)"), _("How many coupons this plan may give out."))
    min_tier = models.ForeignKey(
        "crm.Tier",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("from this tier up"),
    )
    visibility = models.CharField(
        _("who sees it"),
        max_length=10,
        choices=Visibility,
        default=Visibility.HIDDEN,
        db_default=Visibility.HIDDEN,
        help_text=_("Members below that tier. A teaser tells them the name and the tier, and no price."),
    )
    source = models.CharField(
        _("codes"), max_length=10, choices=CodeSource, default=CodeSource.GENERATED, db_default=CodeSource.GENERATED
    )
    low_codes = models.PositiveIntegerField(
        _("warn when fewer codes are left than"),
        default=50,
        db_default=50,
        help_text=_("For codes from a file, of each denomination."),
    )
    void_gives_back = models.BooleanField(
        _("void: the points go back"),
        default=True,
        db_default=True,
        help_text=_("What happens when your staff make a coupon void."),
    )
    expiry_gives_back = models.BooleanField(_("expired unused: the points go back"), default=False, db_default=False)

    class Meta:
        verbose_name = _("coupon plan")
        verbose_name_plural = _("coupon plans")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(points_per_yuan__gt=0), name="redemption_plan_ratio_positive"),
            models.CheckConstraint(condition=Q(validity_days__gt=0), name="redemption_plan_validity_positive"),
            models.CheckConstraint(
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(starts_at__lt=F("ends_at")),
                name="redemption_plan_window_in_order",
            ),
            models.CheckConstraint(
                condition=Q(least_yuan=None, most_yuan=None)
                | Q(least_yuan__gt=0, most_yuan__gte=F("least_yuan"), step_yuan__gt=0),
                name="redemption_plan_amounts_in_order",
            ),
            models.CheckConstraint(condition=Q(source__in=CodeSource.values), name="redemption_plan_source"),
            models.CheckConstraint(condition=Q(visibility__in=Visibility.values), name="redemption_plan_visibility"),
            models.CheckConstraint(
                condition=~Q(source=CodeSource.POOL) | Q(least_yuan=None), name="redemption_plan_pool_has_values"
            ),
        ]
        permissions = [("preview_couponplan", _("Can look at coupon plans as a member would see them"))]
        triggers = [
            begins_counting("plan_begins_counting"),
            # Coupons name their plan without a foreign key: its lock would be one more on the hottest row.
            kept_while("plan_kept_while_taken", "EXISTS (SELECT FROM redemption_coupon AS c WHERE c.plan_id = OLD.id)"),
        ]

    def __str__(self) -> str:
        return self.name


class PlanWindow(models.Model):
    """Another ratio for a while: from ``starts_at`` to just before ``ends_at``. Of several the one that began last is
    in force."""

    plan = models.ForeignKey(CouponPlan, on_delete=models.CASCADE, related_name="windows", verbose_name=_("plan"))
    name = models.CharField(pgettext_lazy("of a special ratio", "name"), max_length=60)
    points_per_yuan = models.PositiveIntegerField(_("points for one yuan"), validators=[MinValueValidator(1)])
    starts_at = models.DateTimeField(pgettext_lazy("beginning of a special ratio", "from"))
    ends_at = models.DateTimeField(pgettext_lazy("end of a special ratio", "until"))
    limit = _whole(_("coupons a member may have meanwhile"))

    class Meta:
        verbose_name = _("special ratio")
        verbose_name_plural = _("special ratios")
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(points_per_yuan__gt=0), name="redemption_planwindow_ratio_positive"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="redemption_planwindow_in_order"),
        ]
        indexes = [models.Index(fields=["plan", "starts_at"], name="redemption_planwindow_of_plan")]

    def __str__(self) -> str:
        return self.name

    def in_force(self, at: datetime) -> bool:
        """Whether this moment lies in the window."""
        return self.starts_at <= at < self.ends_at


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
            models.CheckConstraint(condition=Q(yuan__gt=0), name="redemption_denomination_positive"),
        ]

    def __str__(self) -> str:
        return f"¥{self.yuan}"


class PlanUse(models.Model):
    """What a plan has given out, void coupons not counted: the hottest row of a rush, narrow and with room on its page.

    A trigger makes it with its plan; ``audit_store`` proves that it is what the coupons come to.
    """

    plan = models.OneToOneField(
        CouponPlan, on_delete=models.CASCADE, primary_key=True, related_name="use", verbose_name=_("plan")
    )
    coupons = models.PositiveIntegerField(_("coupons given out"), default=0)
    yuan = models.PositiveBigIntegerField(_("yuan given out"), default=0)

    class Meta:
        verbose_name = _("use of a plan")
        verbose_name_plural = _("use of plans")

    def __str__(self) -> str:
        return f"{self.plan_id}: {self.coupons}"
