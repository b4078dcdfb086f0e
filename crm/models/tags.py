"""Words that a shop sorts its members by."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.choices import TagColour

# What stands between the tags of one cell of a member file.
TAG_SEPARATORS = "、，,；;\n"


class Tag(models.Model):
    """A word that members are marked with. Published rules name tags by their names, so a name never changes."""

    name = models.CharField(
        pgettext_lazy("of a tag", "name"),
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(f"[{TAG_SEPARATORS}]", _("A tag has no commas and no semicolons."), inverse_match=True)
        ],
        help_text=_("It cannot be changed later, because earning rules name it."),
    )
    colour = models.CharField(_("colour"), max_length=10, choices=TagColour, default=TagColour.GREY)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MemberTag(models.Model):
    """That a member has a tag, since when and from whom."""

    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.CASCADE,
        related_name="member_tags",
        verbose_name=_("member"),
    )
    tag = models.ForeignKey(Tag, on_delete=models.PROTECT, related_name="member_tags", verbose_name=_("tag"))
    added_at = models.DateTimeField(_("added"))
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("added by"),
    )

    class Meta:
        verbose_name = _("tag of a member")
        verbose_name_plural = _("tags of members")
        ordering = ["member_id", "tag__name"]
        constraints = [models.UniqueConstraint(fields=["member", "tag"], name="crm_membertag_once")]

    def __str__(self) -> str:
        return str(self.tag)
