"""How the buyer's pages are dressed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from redemption.choices import Festive, Theme

EVERYDAY = [Theme.LACQUER, Theme.JADE, Theme.INDIGO]


class Look(models.Model):
    """The one row that says so; a shop without it wears the defaults."""

    theme = models.CharField(
        _("everyday colours"),
        max_length=12,
        choices=[(theme.value, theme.label) for theme in EVERYDAY],
        default=Theme.LACQUER,
    )
    festive = models.CharField(
        _("festive dress"),
        max_length=12,
        choices=Festive,
        default=Festive.BY_DATE,
        help_text=_(
            "By the calendar: around Spring Festival, Dragon Boat Festival and Mid-Autumn, and on the shopping days of "
            "June, November and December. One that is chosen here stays on until it is changed."
        ),
    )

    class Meta:
        verbose_name = _("look of the buyer's pages")
        verbose_name_plural = _("look of the buyer's pages")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="redemption_look_only_one"),
            models.CheckConstraint(
                condition=models.Q(theme__in=[theme.value for theme in EVERYDAY], festive__in=Festive.values),
                name="redemption_look_known",
            ),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
