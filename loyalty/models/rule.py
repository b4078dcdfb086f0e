"""What earns points: sets of rules, published one after the other."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.api import frozen_once_published, frozen_with_its_set
from loyalty.choices import RuleSetState


class RuleSet(models.Model):
    """A set of rules. A draft has no version; publishing gives it the next one and freezes it.

    A published set counts for orders paid, and acts done, from ``effective_from`` on, until a later set begins.
    ``content`` is a hash of the rules as they were published: two sets with the same hash pay the same.
    """

    version = models.PositiveIntegerField(_("version"), unique=True, null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=RuleSetState, default=RuleSetState.DRAFT)
    note = models.CharField(_("note"), max_length=300, blank=True)
    based_on = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made from")
    )
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    effective_from = models.DateTimeField(_("effective from"), null=True, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    content = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("set of earning rules")
        verbose_name_plural = _("sets of earning rules")
        permissions = [("publish_ruleset", _("Can publish earning rules and go back to earlier ones"))]
        ordering = [models.F("version").desc(nulls_first=True), "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state=RuleSetState.DRAFT, version=None, published_at=None)
                | (
                    models.Q(
                        state=RuleSetState.PUBLISHED,
                        version__isnull=False,
                        effective_from__isnull=False,
                        published_at__isnull=False,
                    )
                    & ~models.Q(reason="")
                    & ~models.Q(content="")
                ),
                name="loyalty_ruleset_published_whole",
            ),
        ]
        triggers = [frozen_once_published("ruleset_frozen")]

    def __str__(self) -> str:
        if self.version is None:
            return self.note or str(_("Draft"))
        return f"v{self.version}"


class EarnRule(models.Model):
    """One rule of a set. ``code`` is the same in every version, so that versions can be compared and caps go on.

    ``config`` is what its kind understands, ``conditions`` and ``caps`` are those of ``loyalty.earning``. Of an
    exclusive ``group`` only one rule counts.
    """

    rule_set = models.ForeignKey(
        RuleSet, on_delete=models.CASCADE, related_name="rules", verbose_name=_("set of earning rules")
    )
    code = models.SlugField(_("code"), max_length=50)
    kind = models.CharField(_("kind"), max_length=20)
    name = models.CharField(_("name"), max_length=120, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    enabled = models.BooleanField(_("enabled"), default=True)
    group = models.CharField(_("exclusive group"), max_length=50, blank=True)
    config = models.JSONField(_("settings"), default=dict, blank=True)
    conditions = models.JSONField(_("conditions"), default=dict, blank=True)
    caps = models.JSONField(_("caps"), default=dict, blank=True)

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        ordering = ["rule_set_id", "position", "id"]
        constraints = [models.UniqueConstraint(fields=["rule_set", "code"], name="loyalty_earnrule_once_in_a_set")]
        triggers = [frozen_with_its_set("earnrule_frozen", table="loyalty_ruleset", column="rule_set_id")]

    def __str__(self) -> str:
        return self.name or self.code


class RuleUsage(models.Model):
    """How many points a capped rule has given: to a member or to all (``member`` empty), on a day or ever (``day``
    empty). The rule is named by its code, so that a cap does not begin anew with the next version.

    A member's rows are read and written under the lock of his account; rows of all are locked themselves, after all
    accounts (docs/locking.md).
    """

    rule = models.SlugField(_("earning rule"), max_length=50, db_index=False)
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("member"),
        db_index=False,
    )
    day = models.DateField(_("day"), null=True, blank=True)
    points = models.BigIntegerField(_("points"), default=0)

    class Meta:
        verbose_name = _("use of a capped rule")
        verbose_name_plural = _("use of capped rules")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "rule", "day"], nulls_distinct=False, name="loyalty_ruleusage_once"
            ),
            models.CheckConstraint(condition=models.Q(points__gte=0), name="loyalty_ruleusage_not_negative"),
        ]

    def __str__(self) -> str:
        return self.rule
