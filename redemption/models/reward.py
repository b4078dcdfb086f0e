"""What points buy besides coupons."""

from datetime import datetime

import pgtrigger
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from redemption.models.guards import kept, kept_while
from redemption.rewards.choices import RewardKind, Visibility


class RewardCategory(models.Model):
    """A shelf of the store."""

    name = models.CharField(pgettext_lazy("of a category", "name"), max_length=40, unique=True)
    position = models.IntegerField(_("place"), default=0, help_text=_("Smaller numbers come first."))

    class Meta:
        verbose_name = _("reward category")
        verbose_name_plural = _("reward categories")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class Reward(models.Model):
    """Something that points buy, with or without cash beside them.

    ``points`` and ``cash`` (yuan) are the price of one piece. How many there are is not said here but in ``Stock``, or
    for digital goods by the codes that are left, so that a flash sale never writes to this row.
    """

    name = models.CharField(pgettext_lazy("of a reward", "name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=RewardKind, default=RewardKind.GOODS)
    category = models.ForeignKey(
        RewardCategory,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("category"),
    )
    position = models.IntegerField(_("place"), default=0, help_text=_("Smaller numbers come first."))
    points = models.PositiveIntegerField(_("points"), validators=[MinValueValidator(1)])
    cash = models.DecimalField(
        _("cash beside the points (yuan)"),
        max_digits=10,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("0 if points alone pay for it."),
    )
    list_price = models.DecimalField(
        _("old price (yuan)"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("What it costs in the shop, shown crossed out beside the points."),
    )
    active = models.BooleanField(_("offered to buyers"), default=True)
    starts_at = models.DateTimeField(_("offered from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("offered until"), null=True, blank=True)
    visibility = models.CharField(_("who sees it"), max_length=10, choices=Visibility, default=Visibility.VISIBLE)
    min_tier = models.ForeignKey(
        "crm.Tier",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("from this tier up"),
    )
    limit_day = models.PositiveIntegerField(
        _("pieces a member may have a day"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    limit_window = models.PositiveIntegerField(
        _("pieces a member may have while it is offered"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Counted from the day on which the offer begins, so that the next offer counts anew."),
    )
    limit_ever = models.PositiveIntegerField(
        _("pieces a member may ever have"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    most_at_once = models.PositiveSmallIntegerField(
        _("pieces at once"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("How many a buyer may take in one redemption."),
    )
    pay_hours = models.PositiveSmallIntegerField(
        _("hours to pay the cash in"),
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
        help_text=_("After that the points go back to the buyer and the pieces to the stock."),
    )
    # Whether a row of Stock says how many there are. Goods always have one; a ticket or a donation may do without.
    counted = models.BooleanField(_("stock is counted"), default=True)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ["position", "id"]
        indexes = [
            models.Index(fields=["position", "id"], name="redemption_reward_place", condition=Q(active=True)),
            models.Index(fields=["points", "id"], name="redemption_reward_points", condition=Q(active=True)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=RewardKind.values), name="redemption_reward_kind"),
            models.CheckConstraint(condition=Q(visibility__in=Visibility.values), name="redemption_reward_visibility"),
            models.CheckConstraint(condition=Q(points__gt=0, cash__gte=0), name="redemption_reward_price"),
            models.CheckConstraint(
                condition=Q(list_price=None) | Q(list_price__gt=0), name="redemption_reward_list_price"
            ),
            models.CheckConstraint(
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(starts_at__lt=F("ends_at")),
                name="redemption_reward_window_in_order",
            ),
            models.CheckConstraint(
                condition=(Q(limit_day=None) | Q(limit_day__gt=0))
                & (Q(limit_window=None) | Q(limit_window__gt=0))
                & (Q(limit_ever=None) | Q(limit_ever__gt=0))
                & Q(most_at_once__gt=0, pay_hours__gt=0),
                name="redemption_reward_limits_positive",
            ),
            # Of goods there are never endlessly many; of codes there are as many as the pool holds.
            models.CheckConstraint(
                condition=Q(kind=RewardKind.GOODS, counted=True)
                | Q(kind=RewardKind.DIGITAL, counted=False)
                | Q(kind__in=[RewardKind.TICKET, RewardKind.DONATION]),
                name="redemption_reward_counted_as_its_kind",
            ),
        ]
        permissions = [("preview_reward", _("Can look at rewards as a member would see them"))]
        triggers = [
            # Redemptions name their reward without a foreign key: its lock would be one more on the hottest row.
            kept_while(
                "reward_kept_while_redeemed",
                "EXISTS (SELECT FROM redemption_redemption AS r WHERE r.reward_id = OLD.id)",
            ),
            pgtrigger.Protect(
                name="reward_keeps_its_kind",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("kind"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def begun(self, at: datetime) -> bool:
        """Whether the offer has begun by this moment."""
        return self.starts_at is None or self.starts_at <= at

    def over(self, at: datetime) -> bool:
        """Whether the offer has ended by this moment."""
        return self.ends_at is not None and self.ends_at <= at


class RewardTag(models.Model):
    """That a reward is only for members with a tag (one of them suffices), or not for those who have it."""

    reward = models.ForeignKey(Reward, on_delete=models.CASCADE, related_name="tag_rules", verbose_name=_("reward"))
    # Protected: were the tag deleted, a reward for a few would be one for all.
    tag = models.ForeignKey("crm.Tag", on_delete=models.PROTECT, related_name="+", verbose_name=_("tag"))
    barred = models.BooleanField(_("shuts out"), default=False)

    class Meta:
        verbose_name = _("tag rule of a reward")
        verbose_name_plural = _("tag rules of rewards")
        ordering = ["barred", "id"]
        constraints = [models.UniqueConstraint(fields=["reward", "tag"], name="redemption_rewardtag_once")]

    def __str__(self) -> str:
        return f"{'−' if self.barred else '+'}{self.tag_id}"


class Stock(models.Model):
    """How many pieces of a reward can still be redeemed. ``safety`` pieces more are there and kept back.

    One narrow row of its own with room on its page: the hottest row of a flash sale. ``free`` is always what
    ``StockChange`` brought in less what redemptions hold; ``audit_store`` proves it.
    """

    reward = models.OneToOneField(
        Reward, on_delete=models.CASCADE, primary_key=True, related_name="stock", verbose_name=_("reward")
    )
    free = models.IntegerField(_("can be redeemed"), default=0)
    safety = models.PositiveIntegerField(_("safety stock"), default=0)

    class Meta:
        verbose_name = _("stock")
        verbose_name_plural = _("stocks")
        constraints = [models.CheckConstraint(condition=Q(free__gte=0), name="redemption_stock_never_oversold")]

    def __str__(self) -> str:
        return f"{self.reward_id}: {self.free}"


class StockChange(models.Model):
    """Pieces that the shop put in (positive) or took out (negative), and why. ``safety`` says how the safety stock
    changed with it: what is kept back leaves ``free`` and is there all the same."""

    reward = models.ForeignKey(Reward, on_delete=models.CASCADE, related_name="stock_changes", verbose_name=_("reward"))
    pieces = models.IntegerField(_("pieces"), help_text=_("Positive: more can be redeemed. Negative: fewer."))
    safety = models.IntegerField(_("change of the safety stock"), default=0)
    reason = models.CharField(_("reason"), max_length=300)
    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by whom"),
    )

    class Meta:
        verbose_name = _("stock change")
        verbose_name_plural = _("stock changes")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(pieces=0) | ~Q(safety=0), name="redemption_stockchange_changes_something"
            )
        ]
        triggers = [kept("stockchange_kept")]

    def __str__(self) -> str:
        return f"{self.reward_id}: {self.pieces:+}"


class RewardCode(models.Model):
    """One code of a digital reward's pool. It is given out once: ``redemption`` is who has it."""

    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="codes", verbose_name=_("reward"), db_index=False
    )
    code = models.CharField(pgettext_lazy("of a digital reward", "code"), max_length=200)
    redemption = models.ForeignKey(
        "redemption.Redemption",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="codes",
        verbose_name=_("redemption"),
    )
    added_at = models.DateTimeField(_("added"))

    class Meta:
        verbose_name = _("code of a digital reward")
        verbose_name_plural = _("codes of digital rewards")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["reward", "code"], name="redemption_rewardcode_once")]
        indexes = [
            models.Index(fields=["reward", "id"], name="redemption_rewardcode_free", condition=Q(redemption=None))
        ]

    def __str__(self) -> str:
        # Never the whole code: it is worth money, and this ends up in titles and logs.
        return f"…{self.code[-4:]}"


class RewardPicture(models.Model):
    """A picture of a reward, kept in several sizes under ``MEDIA_ROOT``. ``name`` is made from its content."""

    reward = models.ForeignKey(Reward, on_delete=models.CASCADE, related_name="pictures", verbose_name=_("reward"))
    name = models.CharField(max_length=64, editable=False)
    width = models.PositiveIntegerField(_("width"), editable=False)
    height = models.PositiveIntegerField(_("height"), editable=False)
    position = models.PositiveSmallIntegerField(_("place"), default=0)
    alt = models.CharField(_("description for those who cannot see it"), max_length=120, blank=True)

    class Meta:
        verbose_name = _("picture of a reward")
        verbose_name_plural = _("pictures of rewards")
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["reward", "name"], name="redemption_rewardpicture_once")]

    def __str__(self) -> str:
        return self.alt or self.name[:8]
