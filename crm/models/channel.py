"""Where orders come from."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.choices import Platform


class Channel(models.Model):
    """One shop on one platform. Order numbers and buyer names are unique within a channel, not across channels."""

    code = models.SlugField(
        _("code"),
        max_length=40,
        unique=True,
        help_text=_("Short name used in commands and keys."),
    )
    name = models.CharField(_("name"), max_length=120)
    platform = models.CharField(_("platform"), max_length=20, choices=Platform, default=Platform.TAOBAO)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    time_zone = models.CharField(
        _("time zone"),
        max_length=40,
        default="Asia/Shanghai",
        help_text=_("Times in its files are read in this zone."),
    )

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
