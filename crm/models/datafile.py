"""Files with everything that is held about a member, too long to be made while he waits."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class DataFile(models.Model):
    """One file that somebody has asked for: the member himself, or a person of the shop for him. Only the login that
    asked gets it, and it is gone after some days.

    ``name`` is where it lies in its folder from the beginning, so that whoever forgets the row finds the file as well,
    also one that was only half made.
    """

    KEPT = timedelta(days=3)

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting for a worker")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    member = models.ForeignKey("crm.Member", on_delete=models.CASCADE, related_name="+", verbose_name=_("member"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("asked for by")
    )
    language = models.CharField(_("language"), max_length=10)
    name = models.CharField(max_length=64, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    asked_at = models.DateTimeField(_("asked for"))
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    made_at = models.DateTimeField(_("made"), null=True, blank=True)
    size = models.BigIntegerField(_("size in bytes"), default=0)

    class Meta:
        verbose_name = _("file of personal data")
        verbose_name_plural = _("files of personal data")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["member", "asked_by"], name="crm_datafile_one_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_being_made(self) -> bool:
        """Whether it is on its way."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def kept_until(self) -> datetime:
        """The instant at which it is gone."""
        return self.asked_at + self.KEPT
