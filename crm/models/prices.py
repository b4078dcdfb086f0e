"""What prices depend on besides tiers: prices of single products, grades on other tools, members without discount."""

from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

PERCENT = [MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(100))]
PRICE = [MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(10_000_000))]


class ProductTierPrice(models.Model):
    """What a product says for the members of one tier: a percentage of its list price, or a price of one piece.

    It takes the place of the tier's own discount, for better or worse.
    """

    product = models.ForeignKey(
        "crm.Product", on_delete=models.CASCADE, related_name="tier_prices", verbose_name=_("product")
    )
    tier = models.ForeignKey("crm.Tier", on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    percent = models.DecimalField(
        _("percent of the list price"), max_digits=5, decimal_places=2, null=True, blank=True, validators=PERCENT
    )
    price = models.DecimalField(
        _("price of one piece"), max_digits=10, decimal_places=2, null=True, blank=True, validators=PRICE
    )

    class Meta:
        verbose_name = _("price for a tier")
        verbose_name_plural = _("prices for tiers")
        ordering = ["product_id", "tier__rank"]
        constraints = [
            models.UniqueConstraint(fields=["product", "tier"], name="crm_producttierprice_once"),
            models.CheckConstraint(
                condition=models.Q(percent__gt=0, percent__lte=100, price__isnull=True)
                | models.Q(price__gt=0, percent__isnull=True),
                name="crm_producttierprice_one_of_two",
            ),
        ]

    def __str__(self) -> str:
        return str(self.tier)


class PlatformTool(models.Model):
    """A tool beside this one that grades buyers and gives them discounts, such as 会员关系管理 of a Taobao shop.

    A tool with ``from_orders`` has the grades that the order files of its channel name in ``order_column``.
    """

    name = models.CharField(pgettext_lazy("of a tool", "name"), max_length=60, unique=True)
    channel = models.ForeignKey(
        "crm.Channel",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("channel"),
        help_text=_("Whose buyers it grades. Names in its files are looked for there."),
    )
    own_channel_only = models.BooleanField(
        _("only for goods of this channel"),
        default=False,
        help_text=_("Otherwise its grades count for the goods of every channel."),
    )
    from_orders = models.BooleanField(
        _("from order files"),
        default=False,
        help_text=_("Imports of the channel's orders bring grades of this tool."),
    )
    order_column = models.CharField(
        _("column of the order files"),
        max_length=120,
        blank=True,
        default="",
        db_default="",
        help_text=_("The heading above the grades in those files, as it stands there."),
    )

    class Meta:
        verbose_name = _("tool with grades")
        verbose_name_plural = _("tools with grades")
        ordering = ["name"]
        constraints = [
            # One column is one tool's.
            models.UniqueConstraint(
                fields=["channel", "order_column"],
                condition=models.Q(from_orders=True),
                name="crm_platformtool_orders_once",
            ),
            models.CheckConstraint(
                condition=models.Q(from_orders=False) | ~models.Q(order_column=""), name="crm_platformtool_order_column"
            ),
            models.CheckConstraint(
                condition=models.Q(channel__isnull=False) | models.Q(own_channel_only=False, from_orders=False),
                name="crm_platformtool_channel",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlatformGrade(models.Model):
    """A grade that a tool gives, and what it takes off. Files bring grades in; the discount is the seller's word."""

    tool = models.ForeignKey(PlatformTool, on_delete=models.PROTECT, related_name="grades", verbose_name=_("tool"))
    name = models.CharField(pgettext_lazy("of a grade", "name"), max_length=60)
    discount_percent = models.DecimalField(
        _("member price in percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=PERCENT,
        help_text=_("What buyers of this grade pay of the list price there. Left empty, the grade takes nothing off."),
    )

    class Meta:
        verbose_name = _("grade on another tool")
        verbose_name_plural = _("grades on other tools")
        ordering = ["tool_id", "name"]
        constraints = [
            models.UniqueConstraint(fields=["tool", "name"], name="crm_platformgrade_once"),
            # What a member's grade refers to, so that its tool is this one (see the migration).
            models.UniqueConstraint(fields=["id", "tool"], name="crm_platformgrade_of_tool"),
            models.CheckConstraint(condition=~models.Q(name=""), name="crm_platformgrade_named"),
            models.CheckConstraint(
                condition=models.Q(discount_percent__isnull=True)
                | models.Q(discount_percent__gt=0, discount_percent__lte=100),
                name="crm_platformgrade_discount_percent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MemberPlatformGrade(models.Model):
    """The grade a member has on a tool, by the latest report. Without a grade that report said that he has none.

    A report is a list that staff imported, or an order: ``seen_at`` is then when it was placed and ``told_at`` the
    latest step that the report knew of. The later report stands, by the one and then by the other; of two of the same
    instant the one with the greater name, so that the order in which files come does not matter.
    """

    member = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="platform_grades", verbose_name=_("member")
    )
    tool = models.ForeignKey(PlatformTool, on_delete=models.PROTECT, related_name="+", verbose_name=_("tool"))
    grade = models.ForeignKey(
        PlatformGrade,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="holders",
        verbose_name=_("grade"),
    )
    seen_at = models.DateTimeField(_("seen"))
    told_at = models.DateTimeField(_("latest step reported"), null=True, blank=True)  # None: the same as ``seen_at``.
    source = models.CharField(_("file"), max_length=255, blank=True, default="", db_default="")
    order_no = models.CharField(_("order number"), max_length=64, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("grade of a member")
        verbose_name_plural = _("grades of members")
        ordering = ["member_id", "tool_id"]
        constraints = [models.UniqueConstraint(fields=["member", "tool"], name="crm_memberplatformgrade_once")]

    def __str__(self) -> str:
        return str(self.grade or "–")


class _Period(models.Func):
    """The instants at which a member is on the list: from its beginning until he was taken off."""

    function = "tstzrange"
    output_field = DateTimeRangeField()


class NoDiscount(models.Model):
    """That a member always pays the list price (无折扣会员), from ``since`` on, until he was taken off the list or for
    good, and why. Rows stay when a member is taken off: what he had to pay on a day can be told later."""

    member = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="no_discounts", verbose_name=_("member")
    )
    since = models.DateTimeField(_("since"))
    reason = models.CharField(_("reason"), max_length=300)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("added by"),
    )
    until = models.DateTimeField(_("taken off"), null=True, blank=True)
    until_reason = models.CharField(_("why taken off"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("member without discount")
        verbose_name_plural = _("members without discount")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="crm_nodiscount_reason"),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gte=models.F("since")),
                name="crm_nodiscount_until",
            ),
            ExclusionConstraint(
                name="crm_nodiscount_one_at_a_time",
                expressions=[
                    ("member", RangeOperators.EQUAL),
                    (_Period("since", "until"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return str(self.member)
