"""What is sold."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.choices import PricePolicy, ProductPolicy
from crm.models.prices import PRICE


class Product(models.Model):
    """A good of one channel. ``code`` is the seller's own article number, or one derived from the title.

    Orders bring products in; everything from ``policy`` on is the seller's own and no order touches it. Money is in the
    currency of the channel.
    """

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    code = models.CharField(_("article number"), max_length=120)
    title = models.CharField(_("title"), max_length=300)
    policy = models.CharField(
        _("point policy"),
        max_length=10,
        choices=ProductPolicy,
        default=ProductPolicy.NORMAL,
        db_default=ProductPolicy.NORMAL,
    )
    bonus_points = models.PositiveIntegerField(
        _("bonus points a piece"),
        default=0,
        db_default=0,
        help_text=_("Only for bonus products: what one piece earns."),
    )
    category = models.CharField(
        _("category"),
        max_length=120,
        blank=True,
        default="",
        db_default="",
        help_text=_("Any word of your own. Earning rules can be limited to it."),
    )
    list_price = models.DecimalField(
        _("list price"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=PRICE,
        help_text=_("Of one piece. Member prices are worked out from it."),
    )
    price_policy = models.CharField(
        _("price policy"),
        max_length=10,
        choices=PricePolicy,
        default=PricePolicy.FOLLOW,
        db_default=PricePolicy.FOLLOW,
        help_text=_("Whether member discounts count for it. By default those of special-price goods do not."),
    )
    discount_visible_from = models.ForeignKey(
        "crm.Tier",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("discount shown from tier"),
        help_text=_("Members below this tier pay the list price and see no other. Left empty: no such limit."),
    )

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["channel_id", "code"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "code"], name="crm_product_once"),
            models.CheckConstraint(
                condition=models.Q(policy__in=ProductPolicy.values),
                name="crm_product_policy_known",
            ),
            models.CheckConstraint(
                condition=models.Q(policy=ProductPolicy.BONUS, bonus_points__gt=0)
                | (~models.Q(policy=ProductPolicy.BONUS) & models.Q(bonus_points=0)),
                name="crm_product_bonus_points",
            ),
            models.CheckConstraint(
                condition=models.Q(list_price__isnull=True) | models.Q(list_price__gt=0), name="crm_product_list_price"
            ),
            models.CheckConstraint(
                condition=models.Q(price_policy__in=PricePolicy.values), name="crm_product_price_policy_known"
            ),
        ]
        indexes = [
            models.Index(fields=["category"], name="crm_product_category", condition=~models.Q(category="")),
        ]
        permissions = [
            ("export_product", _("Can export products")),
            ("check_price", _("Can check prices")),
        ]

    def __str__(self) -> str:
        return self.title or self.code
