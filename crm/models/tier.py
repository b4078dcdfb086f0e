"""The rungs of the programme, and who stood on which one when."""

from decimal import Decimal

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.choices import GrantSource, TierMove


class Tier(models.Model):
    """A rung. The one of rank 0 is the base: whoever holds no other tier holds it, without any grant."""

    code = models.SlugField(
        _("code"),
        max_length=40,
        unique=True,
        help_text=_("Short name used in rules and files. It cannot be changed later."),
    )
    name = models.CharField(pgettext_lazy("of a tier", "name"), max_length=60, unique=True)
    rank = models.PositiveSmallIntegerField(
        _("rank"),
        unique=True,
        help_text=_("0 is the tier that everybody begins with; a higher number is a better tier."),
    )
    discount_percent = models.DecimalField(
        _("member price in percent"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(100),
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(100))],
        help_text=_("What members of this tier pay of the list price: 95 takes five percent off, 100 takes nothing."),
    )

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ["rank"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(discount_percent__gt=0, discount_percent__lte=100),
                name="crm_tier_discount_percent",
            )
        ]

    def __str__(self) -> str:
        return self.name


class _Period(models.Func):
    """The instants at which a grant is in force: from its beginning until it ran out or was replaced."""

    function = "tstzrange"
    output_field = DateTimeRangeField()


class TierGrant(models.Model):
    """That a member holds a tier from ``begins_at`` on, until ``ends_at`` or for good, and why.

    Grants are history: none is changed or deleted. What happens to a grant later is told once, in ``ended_at``: the
    instant at which another grant took its place before its time. The database refuses every other change, and two
    grants of one member at the same instant.

    A grant by the rules of a scheme says which ``move`` it was, and between which instants was counted what justified
    it (an empty ``qualified_from`` means since ever); the figures themselves stand in ``figures``. From ``restart_at``
    on the counters of its holder count, since ever where it is empty. A ``locked`` grant is not touched by any review
    before its end. That a member fell to the base tier is a grant of that tier.
    """

    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        related_name="tier_grants",
        verbose_name=_("member"),
        db_index=False,
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="grants", verbose_name=_("tier"))
    begins_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    ended_at = models.DateTimeField(_("replaced at"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=10, choices=GrantSource, default=GrantSource.SYSTEM)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    figures = models.JSONField(_("figures"), default=dict, blank=True)
    granted_at = models.DateTimeField(_("granted"))
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("granted by"),
    )
    replaced = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("replaced grant"),
    )
    locked = models.BooleanField(
        _("locked"),
        default=False,
        db_default=False,
        help_text=_("Until it ends, the rules neither raise nor lower this tier."),
    )
    scheme = models.ForeignKey(
        "crm.TierScheme",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("tier scheme"),
    )
    move = models.CharField(_("why"), max_length=10, choices=TierMove, blank=True, default="", db_default="")
    qualified_from = models.DateTimeField(_("counted from"), null=True, blank=True)
    qualified_until = models.DateTimeField(_("counted until"), null=True, blank=True)
    restart_at = models.DateTimeField(_("counters begin"), null=True, blank=True)

    class Meta:
        verbose_name = _("tier of a member")
        verbose_name_plural = _("tiers of members")
        ordering = ["-begins_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True) | models.Q(ends_at__gt=models.F("begins_at")),
                name="crm_tiergrant_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True)
                | models.Q(ended_at__gte=models.F("begins_at"))
                & (models.Q(ends_at__isnull=True) | models.Q(ended_at__lt=models.F("ends_at"))),
                name="crm_tiergrant_replaced_in_its_time",
            ),
            models.CheckConstraint(
                condition=models.Q(source__in=GrantSource.values),
                name="crm_tiergrant_source_known",
            ),
            models.CheckConstraint(
                condition=models.Q(move__in=["", *TierMove.values]),
                name="crm_tiergrant_move_known",
            ),
            # A grant that was replaced at the very instant it began has an empty period, which overlaps nothing.
            ExclusionConstraint(
                name="crm_tiergrant_one_at_a_time",
                expressions=[
                    ("member", RangeOperators.EQUAL),
                    (_Period("begins_at", Least("ended_at", "ends_at")), RangeOperators.OVERLAPS),
                ],
            ),
        ]
        indexes = [
            # The grant that a member got last, which is the one in force unless it has run out.
            models.Index(fields=["member", "-begins_at", "-id"], name="crm_tiergrant_latest"),
            models.Index(
                fields=["ends_at", "member"],
                name="crm_tiergrant_ending",
                condition=models.Q(ended_at__isnull=True, ends_at__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="tiergrant_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="tiergrant_unchanged",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["ended_at"]),
            ),
            pgtrigger.Protect(
                name="tiergrant_replaced_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.tier)
