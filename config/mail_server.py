"""Where mails go: the settings that ``EMAIL_URL`` stands for."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_SMTP = "django.core.mail.backends.smtp.EmailBackend"
# Port, TLS after the greeting (STARTTLS), TLS from the first byte.
_SCHEMES = {"smtp": (25, False, False), "smtp+tls": (587, True, False), "smtp+ssl": (465, False, True)}

TIMEOUT_SECONDS = 30  # For each answer of the mail server. Without a limit a dead one would hold a worker for good.


def mail_settings(url: str) -> dict[str, Any]:
    """Return Django's ``EMAIL_…`` settings for ``smtp+tls://user:password@host:587?timeout=30``.

    ``smtp`` sends everything in the clear, ``smtp+tls`` turns to TLS after the greeting, ``smtp+ssl`` begins with it;
    ``console://`` prints the mails. Signs that an address cannot hold are written as in any URL: ``%40`` for ``@``.
    Raises ``ImproperlyConfigured``.
    """
    try:
        parts = urlsplit(url)
        port, query = parts.port, parse_qs(parts.query)
        timeout = int(query.get("timeout", [str(TIMEOUT_SECONDS)])[0])
    except ValueError as error:
        raise ImproperlyConfigured(f"EMAIL_URL cannot be read: {error}") from error
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme not in _SCHEMES:
        known = ", ".join([*_SCHEMES, "console"])
        raise ImproperlyConfigured(f"EMAIL_URL begins with {parts.scheme!r}; it may begin with one of {known}.")
    if not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL names no mail server: smtp+tls://user:password@host:587")
    usual_port, starttls, ssl = _SCHEMES[parts.scheme]
    return {
        "EMAIL_BACKEND": _SMTP,
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or usual_port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": starttls,
        "EMAIL_USE_SSL": ssl,
        "EMAIL_TIMEOUT": timeout,
    }
