"""Points for purchases of a time that no order file reaches back to."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class PastGap(models.Model):
    """A time whose purchases are rewarded once, under the name that the seller gave it, such as "before June 2026"."""

    name = models.CharField(pgettext_lazy("of a thing", "name"), max_length=80)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("time of past purchases")
        verbose_name_plural = _("points for past purchases")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="loyalty_pastgap_name_once"),
            models.CheckConstraint(condition=~models.Q(name=""), name="loyalty_pastgap_named"),
        ]

    def __str__(self) -> str:
        return self.name


class PastPurchases(models.Model):
    """What a grant of points for past purchases was made by: for which time, at which rate, valid from when.

    The rate is that of the rules' plain base (``rule_version`` names the version, 0 is the one built in), or ``points``
    for every ``per`` yuan, rounded as ``rounding`` says.
    """

    class CountsFrom(models.TextChoices):
        PURCHASE = "purchase", _("The day of the last purchase")
        TODAY = "today", _("The day on which they are given")

    grant = models.OneToOneField(
        "loyalty.Grant", on_delete=models.PROTECT, primary_key=True, related_name="past", verbose_name=_("grant")
    )
    gap = models.ForeignKey(PastGap, on_delete=models.PROTECT, related_name="uploads", verbose_name=_("time"))
    rule_version = models.PositiveIntegerField(_("version of the rules"), null=True, blank=True)
    per = models.DecimalField(_("every so many yuan"), max_digits=12, decimal_places=2, null=True, blank=True)
    points = models.PositiveIntegerField(_("points"), null=True, blank=True)
    rounding = models.CharField(_("rounding"), max_length=8, blank=True)
    counts_from = models.CharField(_("validity counts from"), max_length=8, choices=CountsFrom)
    makes_members = models.BooleanField(_("make members of unknown names"), default=False)

    class Meta:
        verbose_name = _("points for past purchases")
        verbose_name_plural = _("points for past purchases")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rule_version__isnull=False, per=None, points=None, rounding="")
                | models.Q(rule_version=None, per__gt=0, points__gt=0) & ~models.Q(rounding=""),
                name="loyalty_pastpurchases_one_rate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gap} {self.grant}"


class ImportRenewal(models.Model):
    """The seller's word that the points of an import's orders count from the day of that word, and how far it has been
    carried through. Once for each import.

    ``since`` and ``until`` are when the import ran: the lots meant are those of its channel's orders that were recorded
    then. ``valid_until`` is what they are renewed to by the policy named (empty: no end), ``after_lot`` the last one
    that was looked at.
    """

    job = models.OneToOneField(
        "crm.ImportJob", on_delete=models.PROTECT, related_name="+", verbose_name=_("order import")
    )
    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, related_name="+", verbose_name=_("channel"))
    since = models.DateTimeField(_("import started"))
    until = models.DateTimeField(_("import finished"))
    policy_version = models.PositiveIntegerField(_("policy version"))
    valid_until = models.DateTimeField(_("expires"), null=True, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))
    reason = models.CharField(_("reason"), max_length=300)
    lots = models.BigIntegerField(_("lots"), default=0)
    points = models.BigIntegerField(_("points"), default=0)
    after_lot = models.BigIntegerField(default=0)
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("renewal of imported points")
        verbose_name_plural = _("renewals of imported points")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.job_id}"
