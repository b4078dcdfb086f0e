"""What stands on the pages of the seller's own site."""

import secrets
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from redemption.embeds.choices import EmbedLanguage, EmbedSize, EmbedTemplate, EmbedTheme
from redemption.embeds.gallery import Template, template_of
from redemption.embeds.origins import NotAnOrigin, read_origins

DEFAULT_COLOUR = "#a72c21"


def new_public_key() -> str:
    """Return the name that an embed goes by in addresses. It is no secret: it stands in the page."""
    return f"em_{secrets.token_hex(8)}"


class Embed(models.Model):
    """One embed: what it looks like, for which shop, and on which sites it may stand.

    ``public_key`` is what its address has. A revoked embed shows nothing any more, wherever it was pasted.
    """

    name = models.CharField(
        pgettext_lazy("of an embed", "name"), max_length=80, help_text=_("For yourself; buyers do not see it.")
    )
    template = models.CharField(_("template"), max_length=10, choices=EmbedTemplate)
    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    public_key = models.CharField(_("public key"), max_length=40, unique=True, default=new_public_key, editable=False)
    origins = models.TextField(
        _("sites it may stand on"),
        help_text=_("One a line, as in the address bar: https://www.example.com. A star stands for subdomains."),
    )
    size = models.CharField(_("size"), max_length=10, choices=EmbedSize, default=EmbedSize.MEDIUM)
    theme = models.CharField(_("theme"), max_length=10, choices=EmbedTheme, default=EmbedTheme.LIGHT)
    language = models.CharField(_("language"), max_length=10, choices=EmbedLanguage, default=EmbedLanguage.AUTO)
    colour = models.CharField(
        _("colour"),
        max_length=7,
        default=DEFAULT_COLOUR,
        validators=[RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", _("Write a colour as # and six digits, such as #a72c21."))],
        help_text=_("The colour of your brand. Text on it is set so that it can be read."),
    )
    title_zh = models.CharField(_("title in Chinese"), max_length=40, blank=True)
    title_en = models.CharField(_("title in English"), max_length=40, blank=True)
    invitation_zh = models.CharField(_("invitation in Chinese"), max_length=80, blank=True)
    invitation_en = models.CharField(
        _("invitation in English"),
        max_length=80,
        blank=True,
        help_text=_("What a visitor reads who is not signed in. Left empty, a usual sentence stands there."),
    )
    reward = models.ForeignKey(
        "redemption.Reward",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reward"),
        help_text=_("For the badge of an item page: what points buy there."),
    )
    changed_at = models.DateTimeField(_("changed"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("revoked by"),
    )

    class Meta:
        verbose_name = _("embed")
        verbose_name_plural = _("embeds")
        ordering = ["-id"]
        permissions = [
            ("preview_embed", _("Can look at embeds as a member would see them")),
            ("revoke_embed", _("Can revoke embeds")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(template__in=EmbedTemplate.values), name="redemption_embed_template"),
            models.CheckConstraint(condition=Q(size__in=EmbedSize.values), name="redemption_embed_size"),
            models.CheckConstraint(condition=Q(theme__in=EmbedTheme.values), name="redemption_embed_theme"),
            models.CheckConstraint(condition=Q(language__in=EmbedLanguage.values), name="redemption_embed_language"),
            models.CheckConstraint(condition=Q(colour__regex="^#[0-9a-fA-F]{6}$"), name="redemption_embed_colour"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            self.origins = "\n".join(read_origins(self.origins))
        except NotAnOrigin as error:
            raise ValidationError({"origins": error.args[0]}) from error
        if self.template == EmbedTemplate.BADGE and self.reward_id is None:
            raise ValidationError({"reward": _("Choose the reward that the badge is for.")})

    @property
    def kind(self) -> Template:
        """What the gallery knows of its template."""
        return template_of(self.template)

    @property
    def height(self) -> int:
        """The room that the page reserves for it, in CSS pixels."""
        return self.kind.height(self.size)

    def text(self, what: str, language: str) -> str:
        """Return the seller's own title or invitation in a language; "" for the usual one."""
        value: str = getattr(self, f"{what}_{'zh' if language.startswith('zh') else 'en'}")
        return value

    def revoked(self, at: datetime) -> bool:
        """Whether it has been revoked by this moment."""
        return self.revoked_at is not None and self.revoked_at <= at
