"""Lists of members that staff upload: grades on other tools, members without discount; and what became of them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.choices import ListKind
from crm.models.imports import ImportJob


class MemberList(models.Model):
    """One uploaded list: looked at first, then confirmed by a person and run by a worker, batch by batch.

    ``report`` has the figures: of the look until the list is confirmed, then of what was done so far. ``next_line`` is
    the last line that was committed, ``done`` how many rows were, or were read so far.
    """

    kind = models.CharField(_("what it is for"), max_length=20, choices=ListKind)
    tool = models.ForeignKey(
        "crm.PlatformTool", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("tool")
    )
    seen_at = models.DateTimeField(pgettext_lazy("of a file of grades", "as of"))
    reason = models.CharField(_("reason"), max_length=300)
    file = models.FileField(_("file"), upload_to="memberlists/%Y/%m/", max_length=300, blank=True)
    name = models.CharField(_("file name"), max_length=255)
    state = models.CharField(_("state"), max_length=10, choices=ImportJob.State, default=ImportJob.State.CHECKING)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("uploaded by"),
        related_name="+",
    )  # fmt: skip
    created_at = models.DateTimeField(_("uploaded"))
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("confirmed by"),
        related_name="+",
    )  # fmt: skip
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    # Renewed with every batch, so that a job whose worker died can be told from one that is merely slow.
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    next_line = models.PositiveIntegerField(_("next line"), default=0)
    report = models.JSONField(default=dict, blank=True)
    error = models.JSONField(default=dict, blank=True)  # Code and parameters of what is wrong with the file.

    class Meta:
        verbose_name = _("list of members")
        verbose_name_plural = _("lists of members")
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberListProblem(models.Model):
    """A row that was left out: the line, the column and what stands there, why, and whom it seems to mean."""

    list = models.ForeignKey(
        MemberList, on_delete=models.CASCADE, related_name="problems", verbose_name=_("list of members")
    )
    line_no = models.PositiveIntegerField(_("line"))
    column = models.CharField(_("column"), max_length=120, blank=True)
    value = models.CharField(_("value"), max_length=200, blank=True)
    code = models.CharField(_("reason"), max_length=40)
    who = models.CharField(max_length=250, blank=True)
    contact = models.CharField(max_length=254, blank=True)

    class Meta:
        verbose_name = _("row left out")
        verbose_name_plural = _("rows left out")
        ordering = ["list_id", "line_no"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.line_no}: {self.code}"
