"""Files that orders come in, and what became of them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ImportProfile(models.Model):
    """How the columns of some shop's own CSV map to our fields. ``columns`` is checked by ``crm.feeds.profile``."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    settings = models.JSONField(_("columns and formats"), default=dict)

    class Meta:
        verbose_name = _("import profile")
        verbose_name_plural = _("import profiles")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ImportJob(models.Model):
    """One upload of one or several files, looked at first, then confirmed by a person and run by a worker."""

    class State(models.TextChoices):
        CHECKING = "checking", _("Being checked")
        READY = "ready", _("Waiting for confirmation")
        QUEUED = "queued", _("Waiting for a worker")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    profile = models.ForeignKey(
        ImportProfile,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("import profile"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CHECKING)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("uploaded by"),
    )
    created_at = models.DateTimeField(_("uploaded"))
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    # Renewed with every batch, so that a job whose worker died can be told from one that is merely slow.
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("order import")
        verbose_name_plural = _("order imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ImportFile(models.Model):
    """One file of a job. Progress and counts are written in the transaction of each batch, so a rerun goes on exactly
    where the last committed batch ended."""

    job = models.ForeignKey(
        ImportJob,
        on_delete=models.CASCADE,
        related_name="files",
        verbose_name=_("import"),
    )
    file = models.FileField(_("file"), upload_to="imports/%Y/%m/", max_length=300, blank=True)
    name = models.CharField(_("file name"), max_length=255)
    size = models.BigIntegerField(_("size in bytes"))
    sha256 = models.CharField(max_length=64)
    format = models.CharField(_("format"), max_length=40, blank=True)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    rows = models.BigIntegerField(_("rows"), default=0)
    inspection = models.JSONField(default=dict, blank=True)
    next_line = models.BigIntegerField(_("next line"), default=0)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    done = models.BooleanField(_("done"), default=False)
    # When its time was over (``crm.imports.retention``): what its rows became stays, they themselves are gone.
    removed_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    class Meta:
        verbose_name = _("imported file")
        verbose_name_plural = _("imported files")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class ImportProblem(models.Model):
    """A row that was refused, with the place and the reason."""

    file = models.ForeignKey(
        ImportFile,
        on_delete=models.CASCADE,
        related_name="problems",
        verbose_name=_("file"),
    )
    line_no = models.BigIntegerField(_("line"))
    column = models.CharField(_("column"), max_length=120, blank=True)
    code = models.CharField(_("reason"), max_length=40)
    value = models.CharField(_("value"), max_length=200, blank=True)
    external_no = models.CharField(_("order number"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("refused row")
        verbose_name_plural = _("refused rows")
        ordering = ["file_id", "line_no"]

    def __str__(self) -> str:
        return f"{self.line_no}: {self.code}"
