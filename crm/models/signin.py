"""What signing in leaves behind: sessions with the device they are on, and codes that were sent."""

from importlib import import_module

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext_lazy as _


class Session(AbstractBaseSession):
    """A browser's session. ``user`` is whoever is signed in on it, ``device`` says in a few words what it runs on."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="sessions",
        verbose_name=_("login"),
    )
    device = models.CharField(_("device"), max_length=80, blank=True)
    began_at = models.DateTimeField(_("signed in"), null=True, blank=True)
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        permissions = [("end_session", _("Can sign members out and disconnect their accounts"))]

    def __str__(self) -> str:
        # Never the key: whoever has it is signed in.
        return self.device or f"…{self.session_key[-4:]}"

    @classmethod
    def get_session_store_class(cls) -> type:
        """The engine that the settings name: it reads this model, and is not known to it."""
        store: type = import_module(settings.SESSION_ENGINE).SessionStore
        return store


class KnownDevice(models.Model):
    """A sort of device on which a login was signed in within a year: what is not among them is new to its owner."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="known_devices", verbose_name=_("login")
    )
    words = models.CharField(_("device"), max_length=80, blank=True)
    first_at = models.DateTimeField(_("first sign-in"))
    last_at = models.DateTimeField(_("last sign-in"), db_index=True)

    class Meta:
        verbose_name = _("known device")
        verbose_name_plural = _("known devices")
        constraints = [models.UniqueConstraint(fields=["user", "words"], name="crm_knowndevice_once")]

    def __str__(self) -> str:
        return self.words or f"#{self.pk}"


class OneTimeCode(models.Model):
    """A code that was sent, kept as a keyed hash. ``ticket`` is by what the browser that asked for it knows it.

    ``member`` is whose code it is; nobody's fits nothing, and is kept all the same, so that asking for a code takes as
    long for a number that nobody has.
    """

    ticket = models.CharField(max_length=43, unique=True, editable=False)
    purpose = models.CharField(max_length=20, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    member = models.ForeignKey("crm.Member", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    tries_left = models.PositiveSmallIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("one-time code")
        verbose_name_plural = _("one-time codes")

    def __str__(self) -> str:
        return self.purpose
