"""Mails to members that wait, are on their way, or were sent; and which of them a member wants."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.choices import MailProblem, MailState

# While a mail is in one of these states, a worker has it for the time being.
_HELD = [MailState.CLAIMED, MailState.SENDING]


class Mail(models.Model):
    """One mail about one fact. ``key`` is made from the fact, so that the same fact is told once.

    Written in the transaction of the fact, with the figures it tells; put into words when it is sent, in the member's
    language of that moment, to the address he has then. docs/mails.md draws how a mail goes from state to state.
    """

    key = models.CharField(_("key"), max_length=160, unique=True)
    kind = models.CharField(_("kind"), max_length=40)
    member = models.ForeignKey("crm.Member", on_delete=models.PROTECT, related_name="mails", verbose_name=_("member"))
    facts = models.JSONField(_("figures"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=MailState, default=MailState.QUEUED)
    queued_at = models.DateTimeField(_("written"))
    due_at = models.DateTimeField(_("next attempt"))
    useless_after = models.DateTimeField(_("useless after"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # Who has it: known only to the worker that claimed it last. It stays when the claim has lapsed, so that a worker
    # who was slow and not dead may still say what became of the mail.
    token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    address = models.CharField(_("address"), max_length=254, blank=True)
    # Where a mail goes whose member has no address any more: it is kept until the mail has left the queue, one way or
    # the other, and the database lets it stay no longer.
    last_address = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    problem = models.CharField(_("problem"), max_length=20, choices=MailProblem, blank=True)
    reply = models.CharField(_("answer of the mail server"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=MailState.values), name="crm_mail_state_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=_HELD, lease_until__isnull=False, token__isnull=False)
                | ~models.Q(state__in=_HELD) & models.Q(lease_until__isnull=True),
                name="crm_mail_held_for_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(state=MailState.SENT, sent_at__isnull=False)
                | ~models.Q(state=MailState.SENT) & models.Q(sent_at__isnull=True),
                name="crm_mail_sent_at_an_instant",
            ),
            models.CheckConstraint(
                condition=models.Q(last_address="") | models.Q(state__in=[MailState.QUEUED, *_HELD]),
                name="crm_mail_forgets_the_last_address",
            ),
        ]
        indexes = [
            models.Index("due_at", "id", name="crm_mail_due", condition=models.Q(state=MailState.QUEUED)),
            models.Index("lease_until", name="crm_mail_held", condition=models.Q(state__in=_HELD)),
            models.Index(
                "state",
                name="crm_mail_troubled",
                condition=models.Q(state__in=[MailState.FAILED, MailState.IN_DOUBT]),
            ),
        ]
        permissions = [("settle_mail", _("Can send mails again and settle mails in doubt"))]

    def __str__(self) -> str:
        return self.subject or f"#{self.pk}"


class MailPreference(models.Model):
    """What a member has said about mails. Whoever has said nothing gets all kinds, in the shop's first language."""

    member = models.OneToOneField(
        "crm.Member",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="mail_preference",
        verbose_name=_("member"),
    )
    language = models.CharField(_("language"), max_length=10, blank=True)
    refuses_all = models.BooleanField(_("wants no mails"), default=False)
    refused = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("unwanted kinds"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("mail preference")
        verbose_name_plural = _("mail preferences")

    def __str__(self) -> str:
        return f"#{self.pk}"


class TierMailPlan(models.Model):
    """The one row that says which mails about tiers are written; a shop without it goes by the defaults."""

    tells_upgrades = models.BooleanField(
        _("tell members that they were moved up"),
        default=True,
        db_default=True,
        help_text=_("For schemes by which the system gives tiers: one mail for each time that it raises a member."),
    )
    tells_claims = models.BooleanField(
        _("tell members that they can take a tier"),
        default=True,
        db_default=True,
        help_text=_("For schemes by which members take tiers: when they have reached one, or can have another term."),
    )
    claim_days = models.PositiveSmallIntegerField(
        _("days before the last day to take a tier"),
        default=3,
        db_default=3,
        validators=[MaxValueValidator(90)],
        help_text=_("So many days before it a member is reminded, once; 0 for no reminder."),
    )
    ending_days = models.PositiveSmallIntegerField(
        _("days before the last day of a tier"),
        default=7,
        db_default=7,
        validators=[MaxValueValidator(90)],
        help_text=_(
            "So many days before it a member is told, once; 0 for no mail. Whoever keeps his tier without doing "
            "anything is not told."
        ),
    )

    class Meta:
        verbose_name = _("mails about tiers")
        verbose_name_plural = _("mails about tiers")
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="crm_tiermailplan_only_one")]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
