"""Who is signed in, without a statement of its own: the login that came with its session."""

from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject


class SignedInMiddleware(AuthenticationMiddleware):
    """Django's own, which takes the login that was read with the session where nothing is out of the common."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment]


def _user_of(request: Any) -> Any:
    # Whatever is out of the common is Django's to decide: a former key, another way of signing in, an end of it.
    return _login_of(request.session) or auth.get_user(request)


def _login_of(session: Any) -> Any:
    """Return the login of a session if Django would, too: the session is his, was made by one of our ways of signing
    in and under the password that he has, and he is not shut out."""
    user_id, path = session.get(auth.SESSION_KEY), session.get(auth.BACKEND_SESSION_KEY)
    user = getattr(session, "login", None)  # Set by reading the session, which has happened by now.
    if user is None or user_id != str(user.pk) or path not in settings.AUTHENTICATION_BACKENDS:
        return None
    backend: Any = auth.load_backend(path)
    if type(backend).get_user is not ModelBackend.get_user or not backend.user_can_authenticate(user):
        return None
    signed = session.get(auth.HASH_SESSION_KEY)
    return user if signed and constant_time_compare(signed, user.get_session_auth_hash()) else None
