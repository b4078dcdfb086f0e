"""What is sold."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Product(models.Model):
    """A good of one channel. ``code`` is the seller's own article number, or one derived from the title."""

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    code = models.CharField(_("article number"), max_length=120)
    title = models.CharField(_("title"), max_length=300)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["channel_id", "code"]
        constraints = [models.UniqueConstraint(fields=["channel", "code"], name="crm_product_once")]

    def __str__(self) -> str:
        return self.title or self.code
