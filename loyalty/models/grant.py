"""Points for many members at once, and the rows they consist of."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Grant(models.Model):
    """One upload, one choice of members or one large adjustment: seen first, confirmed by the person who made it,
    approved by another one above a limit, and posted by a worker.

    ``points_moved`` is what its rows give and take together, without regard to the sign, and ``largest`` the most that
    they move for one member. ``total_limit`` and ``member_limit`` are the limits at the time of its confirmation: above
    either of them the database itself lets nobody run it without ``decided_by``, who is never ``made_by``.
    """

    class State(models.TextChoices):
        CHECKING = "checking", _("Being checked")
        READY = "ready", _("Waiting for confirmation")
        WAITING = "waiting", _("Waiting for approval")
        QUEUED = "queued", _("Waiting for a worker")
        RUNNING = "running", pgettext_lazy("points grant", "Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        REJECTED = "rejected", _("Rejected")
        CANCELLED = "cancelled", _("Cancelled")

    class Source(models.TextChoices):
        FILE = "file", _("An uploaded file")
        MEMBERS = "members", _("Members chosen on the list")
        ADJUSTMENT = "adjustment", _("An adjustment of one account")
        PAST = "past", _("Points for past purchases")

    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CHECKING)
    source = models.CharField(_("source"), max_length=10, choices=Source, default=Source.FILE)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))

    file = models.FileField(_("file"), upload_to="grants/%Y/%m/", max_length=300, blank=True)
    name = models.CharField(_("file name"), max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    # Of an adjustment: what makes a second click the same one.
    token = models.CharField(max_length=40, null=True, blank=True, unique=True)
    # What the check found: the columns of the file, or why it cannot be read; and the figures of the preview.
    inspection = models.JSONField(default=dict, blank=True)
    figures = models.JSONField(default=dict, blank=True)

    points_moved = models.BigIntegerField(_("points moved"), default=0)
    largest = models.BigIntegerField(_("most for one member"), default=0)
    total_limit = models.BigIntegerField(_("limit for a grant"), default=0)
    member_limit = models.BigIntegerField(_("limit for a member"), default=0)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    # Rows that say the same as another one, and rows that an earlier grant has given, count on purpose only.
    with_duplicates = models.BooleanField(_("with duplicate rows"), default=False)
    repeat_reason = models.CharField(_("why it is given again"), max_length=300, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decision = models.CharField(_("reason of the decision"), max_length=300, blank=True)

    # When the points count as given: the last word that they needed.
    effective_at = models.DateTimeField(_("effective"), null=True, blank=True)
    next_seq = models.IntegerField(_("next row"), default=0)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    # Renewed with every batch, so that a job whose worker died can be told from one that is merely slow.
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("points grant")
        verbose_name_plural = _("points grants")
        ordering = ["-id"]
        permissions = [("approve_grant", _("Can approve points grants that other people made"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decided_by=None) | ~models.Q(decided_by=models.F("made_by")),
                name="loyalty_grant_decided_by_a_second_person",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["queued", "running", "done"])
                | models.Q(points_moved__lte=models.F("total_limit"), largest__lte=models.F("member_limit"))
                | models.Q(decided_by__isnull=False),
                name="loyalty_grant_above_its_limit_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class GrantRow(models.Model):
    """One row of a grant. ``seq`` is its place in the order of posting, member by member; a row that is refused at the
    check has none.

    ``fact`` is the hash of what the row says: the member, the points, the validity and the reason in the row, and which
    of several equal rows it is. The journal's key is made from it and from ``repetition``, which is how often the same
    had been given before and shall now be given again. So the same fact is given once, in whichever file it stands, and
    twice on purpose only. ``before`` is the grant that gave it last, as seen at the check.
    """

    class Outcome(models.TextChoices):
        GIVEN = "given", _("Given")
        REPEATED = "repeated", _("Given before")
        REFUSED = "refused", _("Refused")

    # No foreign keys in the database: the rows are written by statements that join what they insert, and nobody deletes
    # a grant or a member.
    grant = models.ForeignKey(
        Grant,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="rows",
        verbose_name=_("grant"),
    )
    line_no = models.IntegerField(_("line"))
    seq = models.IntegerField(null=True, blank=True)
    who = models.CharField(_("whom the row names"), max_length=250, blank=True)
    contact = models.CharField(_("contact"), max_length=254, blank=True)
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("member"),
    )
    points = models.BigIntegerField(_("points"), default=0)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    valid_through = models.DateField(_("valid through"), null=True, blank=True)
    fact = models.BinaryField(max_length=32, null=True, editable=False)
    repetition = models.SmallIntegerField(_("repetition"), default=0)
    before = models.ForeignKey(
        Grant,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("given before by"),
    )
    # What the points were worked out from, where they do not stand in the row itself; the entry's trace has it, too.
    detail = models.JSONField(_("worked out from"), null=True, blank=True)
    short = models.BooleanField(_("balance does not suffice"), default=False)
    code = models.CharField(_("problem"), max_length=40, blank=True)
    column = models.CharField(_("column"), max_length=120, blank=True)
    value = models.CharField(_("value"), max_length=200, blank=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, blank=True)

    class Meta:
        verbose_name = _("row of a points grant")
        verbose_name_plural = _("rows of points grants")
        ordering = ["grant_id", "line_no"]
        indexes = [
            models.Index(fields=["grant", "seq"], name="loyalty_grantrow_seq"),
            models.Index(fields=["fact"], name="loyalty_grantrow_given", condition=models.Q(outcome="given")),
        ]
        constraints = [models.UniqueConstraint(fields=["grant", "line_no"], name="loyalty_grantrow_line_once")]

    def __str__(self) -> str:
        return f"{self.grant_id}: {self.line_no}"
