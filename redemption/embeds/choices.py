"""The stable words of embeds. Values are stored; labels are what people see."""

from django.db import models
from django.utils.translation import pgettext_lazy


class EmbedTemplate(models.TextChoices):
    """What an embed looks like and can do; ``gallery`` knows more of each."""

    BAR = "bar", pgettext_lazy("template of an embed", "Bar")
    CARD = "card", pgettext_lazy("template of an embed", "Member card")
    FLOAT = "float", pgettext_lazy("template of an embed", "Floating button with a panel")
    TIER = "tier", pgettext_lazy("template of an embed", "Tier progress")
    COUPONS = "coupons", pgettext_lazy("template of an embed", "Coupon strip")
    REWARDS = "rewards", pgettext_lazy("template of an embed", "Reward grid")
    BADGE = "badge", pgettext_lazy("template of an embed", "Reward badge for an item page")
    CALENDAR = "calendar", pgettext_lazy("template of an embed", "Sign-in calendar")


class EmbedSize(models.TextChoices):
    """How much room an embed takes. The page reserves it before anything is loaded."""

    SMALL = "small", pgettext_lazy("size of an embed", "Small")
    MEDIUM = "medium", pgettext_lazy("size of an embed", "Medium")
    LARGE = "large", pgettext_lazy("size of an embed", "Large")


class EmbedTheme(models.TextChoices):
    """Light, dark, or whatever the visitor's device says."""

    LIGHT = "light", pgettext_lazy("theme of an embed", "Light")
    DARK = "dark", pgettext_lazy("theme of an embed", "Dark")
    AUTO = "auto", pgettext_lazy("theme of an embed", "As the visitor's device")


class EmbedLanguage(models.TextChoices):
    """The language an embed speaks, whatever the rest of the page does."""

    AUTO = "auto", pgettext_lazy("language of an embed", "As the visitor's browser")
    CHINESE = "zh-hans", pgettext_lazy("language of an embed", "Chinese")
    TRADITIONAL = "zh-hant", pgettext_lazy("language of an embed", "Traditional Chinese")
    ENGLISH = "en", pgettext_lazy("language of an embed", "English")
