"""The stable words of the store. Values are stored; labels are what people see."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class CouponState(models.TextChoices):
    ISSUED = "issued", _("Ready to use")
    USED = "used", _("Used")
    EXPIRED = "expired", _("Expired")
    VOID = "void", _("Void")


class CodeSource(models.TextChoices):
    """Where the codes of a plan come from."""

    GENERATED = "generated", _("Made by this system, checked by your staff")
    POOL = "pool", _("Your shop platform's own codes, uploaded as a file")


class Standing(models.TextChoices):
    """What a coupon is good for at a given moment. Expiry comes with time: the night writes down what has expired, and
    until then the clock says it."""

    ISSUED = CouponState.ISSUED.value, CouponState.ISSUED.label
    USED = CouponState.USED.value, CouponState.USED.label
    VOID = CouponState.VOID.value, CouponState.VOID.label
    EXPIRED = CouponState.EXPIRED.value, CouponState.EXPIRED.label


class Theme(models.TextChoices):
    """The colours of the shop's pages; each but the first has a style sheet of its own in ``static/buyer/themes``."""

    LACQUER = "lacquer", pgettext_lazy("colours of the shop", "Lacquer red")
    JADE = "jade", pgettext_lazy("colours of the shop", "Jade green")
    INDIGO = "indigo", pgettext_lazy("colours of the shop", "Indigo blue")
    SPRING = "spring", pgettext_lazy("colours of the shop", "Spring Festival")
    DRAGON_BOAT = "dragonboat", pgettext_lazy("colours of the shop", "Dragon Boat Festival")
    MID_AUTUMN = "midautumn", pgettext_lazy("colours of the shop", "Mid-Autumn Festival")
    SHOPPING = "shopping", pgettext_lazy("colours of the shop", "Shopping days (618, Double 11, Double 12)")


class Festive(models.TextChoices):
    """When the pages dress up: by themselves, never, or in one dress until further notice."""

    BY_DATE = "by_date", _("By the calendar")
    NEVER = "never", _("Never")
    SPRING = Theme.SPRING.value, Theme.SPRING.label
    DRAGON_BOAT = Theme.DRAGON_BOAT.value, Theme.DRAGON_BOAT.label
    MID_AUTUMN = Theme.MID_AUTUMN.value, Theme.MID_AUTUMN.label
    SHOPPING = Theme.SHOPPING.value, Theme.SHOPPING.label
