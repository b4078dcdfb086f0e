"""What a buyer chose about the pages themselves, kept in cookies of the device: each may be lit differently."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

SCHEMES = LIGHT, DARK = "light", "dark"
SCHEME_COOKIE = "scheme"
_YEAR = 365 * 24 * 3600


def scheme_of(request: HttpRequest) -> str:
    """Return "light" or "dark" where the buyer chose one, and "" where the device decides."""
    chosen = request.COOKIES.get(SCHEME_COOKIE, "")
    return chosen if chosen in SCHEMES else ""


def keep_scheme(response: HttpResponse, scheme: str) -> None:
    """Keep the choice; anything but "light" and "dark" leaves it to the device."""
    if scheme in SCHEMES:
        response.set_cookie(
            SCHEME_COOKIE,
            scheme,
            max_age=_YEAR,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    else:
        response.delete_cookie(SCHEME_COOKIE, samesite="Lax")


def keep_language(response: HttpResponse, language: str) -> None:
    """Show pages in this language from now on, as the menu of languages does."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
