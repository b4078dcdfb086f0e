"""Days that were closed: their figures, and the seals of their entries."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.guards import append_only, journal_only


class LiabilityRate(models.Model):
    """What a point costs the shop when it is spent, in yuan. Published and frozen; a new figure is the next version,
    which counts for the days that end after ``effective_from``."""

    version = models.PositiveIntegerField(_("version"), unique=True)
    cost_per_point = models.DecimalField(_("cost of a point (yuan)"), max_digits=12, decimal_places=6)
    effective_from = models.DateTimeField(_("effective from"))
    published_at = models.DateTimeField(_("published"))
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    reason = models.CharField(_("reason"), max_length=300)

    class Meta:
        verbose_name = _("cost of a point")
        verbose_name_plural = _("costs of a point")
        ordering = ["-version"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cost_per_point__gte=0), name="loyalty_liabilityrate_not_negative"
            ),
        ]
        triggers = [append_only("liabilityrate_append_only")]

    def __str__(self) -> str:
        return f"v{self.version}: {self.cost_per_point}"


class DayClose(models.Model):
    """A programme day, closed for ever. All figures are points unless they say otherwise, and none but ``adjusted`` and
    the balances is signed.

    The day's entries are those that were recorded before its end and that no earlier day had taken; ``late_entries`` of
    them were recorded before the day began. ``seals_digest`` is worked out over their seals, ``entries_digest`` over
    themselves (it is empty on days that were closed before there was one), and ``digest`` over both, over the day
    before and over every figure here (docs/decisions/0006). Its entries have ids above ``sealed_from``.
    Every entry up to ``sealed_to`` that exists, or ever will, belongs to this day or an earlier one, so the next day
    looks above it. ``seen_to`` is the highest id that existed, and ``transaction`` the number of the transaction that
    closed the day: they let a later day prove how far that is.
    """

    number = models.PositiveIntegerField(_("number"), primary_key=True)
    day = models.DateField(_("day"), unique=True)
    begins_at = models.DateTimeField(_("begins"))
    ends_at = models.DateTimeField(_("ends"))
    closed_at = models.DateTimeField(pgettext_lazy("of a day", "closed"))
    entries = models.BigIntegerField(_("entries"))
    late_entries = models.BigIntegerField(_("late entries"))

    opening = models.BigIntegerField(_("opening"))
    accrued = models.BigIntegerField(_("earned"))
    carried_over = models.BigIntegerField(_("carried over"))
    matured = models.BigIntegerField(_("became available"))
    burned = models.BigIntegerField(_("spent"))
    expired = models.BigIntegerField(_("expired"))
    adjusted = models.BigIntegerField(_("adjusted"))
    reversed = models.BigIntegerField(_("taken back"))
    undone = models.BigIntegerField(_("spending undone"))
    set_aside = models.BigIntegerField(_("set aside"))
    released = models.BigIntegerField(_("given back"))
    closing = models.BigIntegerField(_("closing"))

    pending_opening = models.BigIntegerField(_("pending at the opening"))
    pending_accrued = models.BigIntegerField(_("earned, pending"))
    pending_reversed = models.BigIntegerField(_("taken back while pending"))
    pending_closing = models.BigIntegerField(_("pending at the closing"))

    held_opening = models.BigIntegerField(_("set aside at the opening"))
    captured = models.BigIntegerField(_("set-aside points spent"))
    held_closing = models.BigIntegerField(_("set aside at the closing"))

    debt = models.BigIntegerField(_("owed by members"))
    rate_version = models.PositiveIntegerField(_("version of the cost"))
    cost_per_point = models.DecimalField(_("cost of a point (yuan)"), max_digits=12, decimal_places=6)
    breakage = models.DecimalField(_("expected breakage"), max_digits=5, decimal_places=4)
    liability = models.DecimalField(_("liability (yuan)"), max_digits=18, decimal_places=2)

    previous_digest = models.BinaryField(max_length=32, editable=False)
    seals_digest = models.BinaryField(max_length=32, editable=False)
    entries_digest = models.BinaryField(max_length=32, editable=False, default=b"")
    digest = models.BinaryField(max_length=32, editable=False)
    sealed_from = models.BigIntegerField(editable=False)
    sealed_to = models.BigIntegerField(editable=False)
    seen_to = models.BigIntegerField(editable=False)
    transaction = models.BigIntegerField(editable=False)

    class Meta:
        verbose_name = _("daily close")
        verbose_name_plural = _("daily closes")
        ordering = ["-number"]
        permissions = [("export_dayclose", _("Can download the daily closes"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    closing=models.F("opening")
                    + models.F("accrued")
                    + models.F("carried_over")
                    + models.F("matured")
                    - models.F("burned")
                    - models.F("expired")
                    + models.F("adjusted")
                    - models.F("reversed")
                    + models.F("undone")
                    - models.F("set_aside")
                    + models.F("released")
                ),
                name="loyalty_dayclose_adds_up",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    pending_closing=models.F("pending_opening")
                    + models.F("pending_accrued")
                    - models.F("matured")
                    - models.F("pending_reversed")
                ),
                name="loyalty_dayclose_pending_adds_up",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    held_closing=models.F("held_opening")
                    + models.F("set_aside")
                    - models.F("captured")
                    - models.F("released")
                ),
                name="loyalty_dayclose_held_adds_up",
            ),
        ]
        triggers = [append_only("dayclose_append_only"), journal_only("dayclose_journal_only")]

    def __str__(self) -> str:
        return f"{self.day}"


class EntrySeal(models.Model):
    """The hash of an entry as it was when its day was closed. An entry that differs from it was tampered with."""

    entry = models.OneToOneField(
        "loyalty.Entry",
        on_delete=models.PROTECT,
        db_constraint=False,
        primary_key=True,
        related_name="seal",
        verbose_name=_("entry"),
    )
    close = models.ForeignKey(
        DayClose,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="seals",
        verbose_name=_("daily close"),
    )
    digest = models.BinaryField(max_length=16, editable=False)

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        triggers = [append_only("entryseal_append_only"), journal_only("entryseal_journal_only")]

    def __str__(self) -> str:
        return f"{self.entry_id} · {self.close_id}"
