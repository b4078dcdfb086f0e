"""How long points are valid, and every later change of a promise."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.choices import ExistingPoints, RenewalReason, ValidityKind
from loyalty.models.guards import append_only, journal_only


class ValidityPolicy(models.Model):
    """A published policy, frozen; a change publishes the next version, which counts for orders paid from
    ``effective_from`` on. The numbers count as far as the kind uses them.

    ``existing_points`` says what the change does to points that members had before; ``PolicyApplication`` says when
    that was carried through.
    """

    version = models.PositiveIntegerField(_("version"), unique=True)
    kind = models.CharField(_("validity"), max_length=16, choices=ValidityKind, default=ValidityKind.PER_LOT_MONTHS)
    days = models.PositiveSmallIntegerField(_("days"), default=0, validators=[MaxValueValidator(36_500)])
    months = models.PositiveSmallIntegerField(_("months"), default=12, validators=[MaxValueValidator(1_200)])
    years = models.PositiveSmallIntegerField(
        _("years after the first fixed day"), default=0, validators=[MaxValueValidator(100)]
    )
    month = models.PositiveSmallIntegerField(
        _("month of the fixed day"), default=12, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    day = models.PositiveSmallIntegerField(
        _("fixed day of the month"), default=31, validators=[MinValueValidator(1), MaxValueValidator(31)]
    )
    grace_days = models.PositiveSmallIntegerField(
        _("days of grace"), null=True, blank=True, validators=[MaxValueValidator(36_500)]
    )
    success_after_days = models.PositiveSmallIntegerField(
        _("order succeeds after days"), null=True, blank=True, default=30, validators=[MaxValueValidator(3_650)]
    )
    partial_return_renews = models.BooleanField(_("a partial return renews the rest"), default=True)
    existing_points = models.CharField(
        _("existing points"), max_length=20, choices=ExistingPoints, default=ExistingPoints.NEW_POINTS_ONLY
    )
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
        verbose_name = _("validity policy")
        verbose_name_plural = _("validity policies")
        ordering = ["-version"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=ValidityKind.values), name="loyalty_validitypolicy_kind_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(kind=ValidityKind.PER_LOT_DAYS) | models.Q(days__gt=0),
                name="loyalty_validitypolicy_has_days",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind__in=[ValidityKind.PER_LOT_MONTHS, ValidityKind.ACCOUNT_RENEWAL])
                | models.Q(months__gt=0),
                name="loyalty_validitypolicy_has_months",
            ),
            models.CheckConstraint(
                condition=models.Q(month__range=(1, 12), day__range=(1, 31)), name="loyalty_validitypolicy_has_day"
            ),
        ]
        triggers = [append_only("validitypolicy_append_only")]

    def __str__(self) -> str:
        return f"v{self.version}: {self.get_kind_display()}"


class PolicyApplication(models.Model):
    """A policy change was carried through for the points that members had before, to the last lot."""

    policy = models.OneToOneField(
        ValidityPolicy, on_delete=models.PROTECT, related_name="application", verbose_name=_("validity policy")
    )
    at = models.DateTimeField(_("carried through"))

    class Meta:
        verbose_name = _("carried-through policy change")
        verbose_name_plural = _("carried-through policy changes")
        triggers = [append_only("policyapplication_append_only")]

    def __str__(self) -> str:
        return str(self.policy)


class LotRenewal(models.Model):
    """The validity of a lot changed after it had been promised: from ``before`` to ``after``, None meaning no end.

    ``effective_at`` is the instant in the business that the new validity counts from, ``key`` the fact that caused it
    (law 4).
    """

    lot = models.ForeignKey(
        "loyalty.Lot",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="renewals",
        verbose_name=_("lot"),
    )
    before = models.DateTimeField(_("expired before"), null=True, blank=True)
    after = models.DateTimeField(_("expires after"), null=True, blank=True)
    effective_at = models.DateTimeField(_("effective"))
    recorded_at = models.DateTimeField(_("recorded"))
    key = models.CharField(_("key"), max_length=220, unique=True, db_collation="C")
    reason = models.CharField(_("reason"), max_length=16, choices=RenewalReason)
    policy_version = models.PositiveIntegerField(_("policy version"))

    class Meta:
        verbose_name = _("renewal of validity")
        verbose_name_plural = _("renewals of validity")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(reason__in=RenewalReason.values), name="loyalty_lotrenewal_reason_known"
            ),
        ]
        triggers = [append_only("lotrenewal_append_only"), journal_only("lotrenewal_journal_only")]

    def __str__(self) -> str:
        return self.key
