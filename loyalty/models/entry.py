"""The journal."""

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.choices import EntryKind
from loyalty.models.guards import append_only, journal_only


class Entry(models.Model):
    """One immutable line of the journal.

    ``points``, ``pending`` and ``held`` are what the line adds to the three sums of the account, ``balance_after`` is
    the balance it left behind, in the order of recording. ``key`` is made from the business fact and unique for ever;
    ``digest`` is a hash of the content, so that the same key with another content is told from a retry.
    """

    account = models.ForeignKey(
        "loyalty.Account",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="entries",
        verbose_name=_("account"),
        db_index=False,
    )
    kind = models.CharField(_("kind"), max_length=12, choices=EntryKind)
    points = models.BigIntegerField(_("points"), default=0)
    pending = models.BigIntegerField(_("pending"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    balance_after = models.BigIntegerField(_("balance after"))
    key = models.CharField(_("key"), max_length=160, db_collation="C")
    digest = models.BinaryField(max_length=16, editable=False)
    effective_at = models.DateTimeField(_("effective"))
    recorded_at = models.DateTimeField(_("recorded"))
    order = models.ForeignKey(
        "crm.Order",
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("order"),
        db_index=False,
    )
    # The accrual that this line matures or takes back.
    about = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        verbose_name=_("concerns"),
        db_index=False,
    )
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by whom"),
        db_index=False,
    )
    trace = models.JSONField(_("how it was worked out"), default=dict)

    class Meta:
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account", "-id"], name="loyalty_entry_account"),
            # Most lines have one of the two or neither, and what is not there need not be found.
            models.Index(fields=["order"], name="loyalty_entry_order", condition=models.Q(order__isnull=False)),
            models.Index(fields=["about"], name="loyalty_entry_about", condition=models.Q(about__isnull=False)),
            # What a member has had of a reward, for its limit.
            models.Index(
                fields=["account", "reference"],
                name="loyalty_entry_had",
                condition=models.Q(kind__in=[EntryKind.BURN, EntryKind.HOLD]),
            ),
            # Rows lie almost in the order of both, so this finds a day's entries and weighs next to nothing.
            BrinIndex(fields=["recorded_at", "id"], name="loyalty_entry_recorded", autosummarize=True),
            models.Index(fields=["account"], name="loyalty_entry_in_debt", condition=models.Q(balance_after__lt=0)),
        ]
        constraints = [
            # As a mark of the column it would bring a second index along, for LIKE, which this collation does not need.
            models.UniqueConstraint(fields=["key"], name="loyalty_entry_key"),
            # What a line of each kind moves, and that only taking back leaves less than nothing.
            models.CheckConstraint(
                condition=models.Func(
                    "kind",
                    "points",
                    "pending",
                    "held",
                    "balance_after",
                    "reason",
                    function="loyalty_entry_sound",
                    output_field=models.BooleanField(),
                ),
                name="loyalty_entry_sound",
            ),
        ]
        triggers = [
            append_only("entry_append_only"),
            journal_only("entry_journal_only"),
        ]

    def __str__(self) -> str:
        return self.key
