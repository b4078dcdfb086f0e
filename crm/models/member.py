"""Buyers, and the names they go by."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Member(models.Model):
    """One buyer, however many platforms know him.

    What staff typed or a member import brought stands here; what the platforms say of him stands on his identities. Two
    members are never merged because a phone or a mail address looks alike: platforms mask the one and families share
    the other.
    """

    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    birthday = models.DateField(_("birthday"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="member",
        verbose_name=_("login"),
    )
    joined_at = models.DateTimeField(_("member since"))
    # From then on the row stands for nobody: it keeps the number that the journal names.
    erased_at = models.DateTimeField(_("data erased"), null=True, blank=True, editable=False)
    tags = models.ManyToManyField(
        "crm.Tag",
        through="crm.MemberTag",
        related_name="members",
        blank=True,
        verbose_name=_("tags"),
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["-id"]
        indexes = [
            models.Index(Lower("email"), name="crm_member_email", condition=~models.Q(email="")),
            models.Index("phone", name="crm_member_phone", condition=~models.Q(phone="")),
            # Few, and looked for by every import.
            models.Index("id", name="crm_member_erased", condition=models.Q(erased_at__isnull=False)),
            GinIndex(
                OpClass(models.F("name"), name="gin_trgm_ops"),
                name="crm_member_name_trgm",
            ),
        ]
        permissions = [
            (
                "view_personal_data",
                _("Can see phones, mail addresses and postal addresses in full"),
            ),
            ("export_member", _("Can export members")),
            ("erase_member", _("Can erase a member's data")),
        ]

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"


class Identity(models.Model):
    """A member's name on one channel. ``seen_at`` is the instant of the order that the contact details come from."""

    channel = models.ForeignKey("crm.Channel", on_delete=models.PROTECT, verbose_name=_("channel"))
    external_id = models.CharField(_("name on the platform"), max_length=120)
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="identities",
        verbose_name=_("member"),
    )
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=120, blank=True)
    email = models.CharField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)

    class Meta:
        verbose_name = _("platform identity")
        verbose_name_plural = _("platform identities")
        ordering = ["channel_id", "external_id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_id"], name="crm_identity_once"),
            models.CheckConstraint(condition=~models.Q(external_id=""), name="crm_identity_named"),
        ]
        indexes = [
            models.Index("email", name="crm_identity_email", condition=~models.Q(email="")),
            models.Index("phone", name="crm_identity_phone", condition=~models.Q(phone="")),
            GinIndex(
                OpClass(models.F("external_id"), name="gin_trgm_ops"),
                name="crm_identity_trgm",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id
