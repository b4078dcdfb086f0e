"""Secrets that have to be kept readable: whoever checks an HS256 signature needs the very secret that made it.

They lie in the database encrypted under a key made from ``SECRET_KEY``, so that a copy of the database alone signs
nobody in. With another ``SECRET_KEY`` they are lost, unless the old one stands in ``SECRET_KEY_FALLBACKS``.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Lost(Exception):
    """The secret was sealed under a ``SECRET_KEY`` that is no longer known."""


def seal(secret: str) -> str:
    """Return the secret as it is kept."""
    return _fernet().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the secret; raises Lost."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Lost from error


def _fernet() -> MultiFernet:
    return MultiFernet([_of(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


@lru_cache(maxsize=8)
def _of(key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"pointkeeper.sso").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
