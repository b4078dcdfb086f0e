"""What moves members between tiers: schemes, published one after the other, and what they have led to so far."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.choices import (
    Climb,
    Effect,
    Fall,
    KeepCheck,
    OfferKind,
    OfferState,
    RefundPolicy,
    Restart,
    Review,
    SchemeState,
    Taking,
    WindowKind,
)
from crm.frozen import frozen_once_published, frozen_with_its_set

_LONGEST_TERM = 120  # months


class TierScheme(models.Model):
    """A version of the rules by which members move. A draft has no version; publishing gives it the next one and
    freezes it.

    A published scheme counts from ``effective_from`` on, until a later one begins. What each setting means is told by
    ``crm.tiers.scheme.Scheme``, which is made of these columns; docs/tiers.md has worked tables.
    """

    version = models.PositiveIntegerField(_("version"), unique=True, null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=SchemeState, default=SchemeState.DRAFT)
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

    taking = models.CharField(_("a tier is"), max_length=10, choices=Taking, default=Taking.SYSTEM)
    effect = models.CharField(_("it takes effect"), max_length=10, choices=Effect, default=Effect.AT_ONCE)
    climb = models.CharField(_("members rise"), max_length=5, choices=Climb, default=Climb.ANY)
    review_months = models.PositiveSmallIntegerField(_("review days"), choices=Review, default=Review.QUARTERLY)
    reach_window = models.CharField(
        _("counted for rising"), max_length=10, choices=WindowKind, default=WindowKind.ALL_TIME
    )
    reach_length = models.PositiveSmallIntegerField(
        _("days or months"),
        default=0,
        validators=[MaxValueValidator(3650)],
        help_text=_("Days or months of the window; of a period of the calendar 1, 3, 6 or 12 months."),
    )
    keep_window = models.CharField(
        _("counted for keeping"), max_length=10, choices=WindowKind, default=WindowKind.ALL_TIME
    )
    keep_length = models.PositiveSmallIntegerField(
        _("days or months"),
        default=0,
        validators=[MaxValueValidator(3650)],
        help_text=_("Days or months of the window; of a period of the calendar 1, 3, 6 or 12 months."),
    )
    restart = models.CharField(_("counters begin anew"), max_length=10, choices=Restart, default=Restart.NEVER)
    validity_months = models.PositiveSmallIntegerField(
        _("a term lasts, in months"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(_LONGEST_TERM)],
        help_text=_("Left empty, a tier has no end."),
    )
    keep_check = models.CharField(_("keeping is checked"), max_length=10, choices=KeepCheck, default=KeepCheck.AT_END)
    fall = models.CharField(_("a member who does not keep his tier"), max_length=10, choices=Fall, default=Fall.EARNED)
    on_refund = models.CharField(
        _("a refund that undoes what a tier was given for"),
        max_length=10,
        choices=RefundPolicy,
        default=RefundPolicy.KEEP,
    )
    claim_days = models.PositiveSmallIntegerField(
        _("days to claim a tier that was reached"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    renew_days = models.PositiveSmallIntegerField(
        _("days before its end from which a tier can be claimed anew"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    success_after_days = models.PositiveSmallIntegerField(
        _("days after shipping until an unconfirmed order counts as successful"),
        null=True,
        blank=True,
        default=30,
        help_text=_("Left empty, only orders count whose receipt was confirmed."),
    )
    currency = models.CharField(
        _("currency"),
        max_length=3,
        default="CNY",
        help_text=_("Money of channels in another currency does not count as spent."),
    )

    class Meta:
        verbose_name = _("tier scheme")
        verbose_name_plural = _("tier schemes")
        ordering = [models.F("version").desc(nulls_first=True), "-id"]
        permissions = [("publish_tierscheme", _("Can publish tier schemes and go back to earlier ones"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state=SchemeState.DRAFT, version=None, published_at=None)
                | (
                    models.Q(
                        state=SchemeState.PUBLISHED,
                        version__isnull=False,
                        effective_from__isnull=False,
                        published_at__isnull=False,
                    )
                    & ~models.Q(reason="")
                    & ~models.Q(content="")
                ),
                name="crm_tierscheme_published_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(review_months__in=Review.values), name="crm_tierscheme_review_months"
            ),
            models.CheckConstraint(
                condition=models.Q(validity_months=None) | models.Q(validity_months__gte=1),
                name="crm_tierscheme_validity_months",
            ),
        ]
        triggers = [frozen_once_published("tierscheme_frozen")]

    def __str__(self) -> str:
        if self.version is None:
            return self.note or str(_("Draft"))
        return f"v{self.version}"


class TierRung(models.Model):
    """What a scheme asks for one tier. The base tier needs no row: everybody has it.

    ``reach`` and ``keep`` are lists of ``{"metric": "spend", "at_least": "1000.00", "strict": false}``; all of them
    must be met, or any one where the flag beside says so. An empty ``keep`` asks for the same as ``reach``.
    """

    scheme = models.ForeignKey(
        TierScheme, on_delete=models.CASCADE, related_name="rungs", verbose_name=_("tier scheme")
    )
    tier = models.ForeignKey("crm.Tier", on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    reach = models.JSONField(_("to reach it"), default=list)
    reach_any = models.BooleanField(_("any one of them is enough"), default=False)
    keep = models.JSONField(_("to keep it"), default=list, blank=True)
    keep_any = models.BooleanField(_("any one of them is enough"), default=False)

    class Meta:
        verbose_name = _("tier of a scheme")
        verbose_name_plural = _("tiers of a scheme")
        ordering = ["scheme", "tier__rank"]
        constraints = [models.UniqueConstraint(fields=["scheme", "tier"], name="crm_tierrung_once_in_a_scheme")]
        triggers = [frozen_with_its_set("tierrung_frozen", table="crm_tierscheme", column="scheme_id")]

    def __str__(self) -> str:
        return str(self.tier)


class TierOffer(models.Model):
    """That a member may take a tier: he reached it, or may keep it for another term. He has until ``until``.

    A member has one open offer at a time. ``closed_at`` says when it was claimed, lapsed, was withdrawn or overtaken;
    after that nothing changes any more.
    """

    member = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="tier_offers", verbose_name=_("member")
    )
    tier = models.ForeignKey("crm.Tier", on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    scheme = models.ForeignKey(TierScheme, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier scheme"))
    kind = models.CharField(_("kind"), max_length=10, choices=OfferKind)
    state = models.CharField(_("state"), max_length=10, choices=OfferState, default=OfferState.OPEN)
    opened_at = models.DateTimeField(_("offered"))
    until = models.DateTimeField(_("until"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    qualified_from = models.DateTimeField(_("counted from"), null=True, blank=True)
    qualified_until = models.DateTimeField(_("counted until"))
    figures = models.JSONField(_("figures"), default=dict, blank=True)
    # What the claim led to; claiming twice gives the same grant.
    grant = models.OneToOneField(
        "crm.TierGrant",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="claimed",
        verbose_name=_("tier of a member"),
    )

    class Meta:
        verbose_name = _("tier to claim")
        verbose_name_plural = _("tiers to claim")
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["member"], condition=models.Q(state=OfferState.OPEN), name="crm_tieroffer_one_open"
            ),
            models.CheckConstraint(
                condition=models.Q(state=OfferState.OPEN, closed_at=None)
                | (~models.Q(state=OfferState.OPEN) & models.Q(closed_at__isnull=False)),
                name="crm_tieroffer_closed_when_not_open",
            ),
            models.CheckConstraint(
                condition=models.Q(state=OfferState.CLAIMED, grant__isnull=False)
                | (~models.Q(state=OfferState.CLAIMED) & models.Q(grant=None)),
                name="crm_tieroffer_granted_when_claimed",
            ),
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("opened_at")), name="crm_tieroffer_ends_after_it_opens"
            ),
            models.CheckConstraint(condition=models.Q(state__in=OfferState.values), name="crm_tieroffer_state_known"),
            models.CheckConstraint(condition=models.Q(kind__in=OfferKind.values), name="crm_tieroffer_kind_known"),
        ]
        indexes = [
            models.Index(
                fields=["until", "member"], name="crm_tieroffer_open", condition=models.Q(state=OfferState.OPEN)
            ),
            models.Index(fields=["member", "-opened_at"], name="crm_tieroffer_member"),
        ]

    def __str__(self) -> str:
        return str(self.tier)


class TierStanding(models.Model):
    """Where a member stands on the ladder, as the last review saw it. Every review writes it anew where it differs, so
    nothing here is a source of truth: it makes lists of a million members quick.

    Shares are between 0 and 1: how much of what a tier asks for is there. ``next_rank`` is the lowest rung above his.
    """

    # Without a foreign key in the database, which would lock each member's row in every first review. Members are never
    # deleted.
    member = models.OneToOneField(
        "crm.Member",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="tier_standing",
        verbose_name=_("member"),
        db_constraint=False,
    )
    next_rank = models.PositiveSmallIntegerField(_("next rank"), null=True, blank=True)
    next_share = models.DecimalField(_("share of the next tier"), max_digits=5, decimal_places=4, null=True, blank=True)
    keep_share = models.DecimalField(
        _("share of keeping the tier"), max_digits=5, decimal_places=4, null=True, blank=True
    )
    keep_due_at = models.DateTimeField(_("keeping is checked"), null=True, blank=True)
    # The latest successful order that a review has acted on, where tiers take effect with such orders.
    seen_order_at = models.DateTimeField(_("latest order reviewed"), null=True, blank=True)

    class Meta:
        verbose_name = _("standing on the ladder")
        verbose_name_plural = _("standings on the ladder")
        indexes = [
            models.Index(fields=["-next_share", "member"], name="crm_tierstanding_near"),
            models.Index(
                fields=["keep_due_at", "member"], name="crm_tierstanding_falling", condition=models.Q(keep_share__lt=1)
            ),
        ]

    def __str__(self) -> str:
        return str(self.member_id)


class TierReview(models.Model):
    """A review day on which tiers may change hands, and how far its review has come. One that broke off is taken up
    again after ``after``, the last member that was looked at; nobody is judged twice for one day.

    ``counts`` says how many rose, fell and so on.
    """

    due_at = models.DateTimeField(_("review day"), unique=True)
    scheme = models.ForeignKey(TierScheme, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier scheme"))
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    after = models.BigIntegerField(default=0, editable=False)
    counts = models.JSONField(_("counts"), default=dict, blank=True)

    class Meta:
        verbose_name = _("review day of tiers")
        verbose_name_plural = _("review days of tiers")
        ordering = ["-due_at"]

    def __str__(self) -> str:
        return str(self.due_at)


class SchemePreview(models.Model):
    """A preview of a scheme on all members, made by a worker. ``result`` is what ``crm.tiers.preview.Preview.as_json``
    gave; it tells of the scheme as it was when the worker began, of which ``content`` is a digest."""

    class State(models.TextChoices):
        QUEUED = "queued", pgettext_lazy("preview of a tier scheme", "Waiting for a worker")
        RUNNING = "running", pgettext_lazy("preview of a tier scheme", "Running")
        DONE = "done", pgettext_lazy("preview of a tier scheme", "Done")
        FAILED = "failed", pgettext_lazy("preview of a tier scheme", "Failed")

    scheme = models.ForeignKey(
        TierScheme, on_delete=models.CASCADE, related_name="previews", verbose_name=_("tier scheme")
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    done = models.BigIntegerField(_("members done"), default=0)
    members = models.BigIntegerField(_("members in all"), default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("started"))
    # Renewed with every chunk of members, so that a job whose worker died can be told from one that is merely slow.
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    content = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name = _("preview of a tier scheme")
        verbose_name_plural = _("previews of tier schemes")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="done", result__isnull=False)
                | (~models.Q(state="done") & models.Q(result=None)),
                name="crm_schemepreview_result_when_done",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
