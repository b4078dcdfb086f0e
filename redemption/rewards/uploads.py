"""What was read from an uploaded file, between its preview and its confirmation: an hour, for the person who sent it.

It lies in the cache, from where it vanishes by itself: codes are worth money, and shipments name people.
"""

import secrets
from typing import Any

from django.core.cache import cache

KEPT_SECONDS = 3600


def keep_upload(kind: str, actor_id: int, content: Any) -> str:
    """Keep what a person has uploaded; return the word by which his next page finds it."""
    word = secrets.token_urlsafe(16)
    cache.set(_key(kind, actor_id, word), content, KEPT_SECONDS)
    return word


def find_upload(kind: str, actor_id: int, word: str) -> Any | None:
    """Return what the person has uploaded under this word; None when its hour is over, or it was never his."""
    return cache.get(_key(kind, actor_id, word)) if word.isascii() and len(word) < 64 else None


def _key(kind: str, actor_id: int, word: str) -> str:
    return f"redemption:upload:{kind}:{actor_id}:{word}"
