"""Publishing a draft and going back to a version: what was shown, signed; and what is then done, once.

The page carries a token with what the person saw: what the scheme says, and the version that it makes. So what is
published is what was seen, and a second click, or a colleague who was faster, publishes nothing.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.db.models import Max

from crm.models import TierScheme
from crm.stafflog import log_action
from crm.tiers.schemebook import NotADraft, content_of, find_scheme, publish, roll_back

TOKEN_SECONDS = 3600
_SALT = "crm.tierschemes"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person was shown before he published: the version that it makes, of which scheme, and what that says."""

    version: int
    scheme_id: int
    content: str

    def token(self) -> str:
        """Sign it, for the form to bring back."""
        return TimestampSigner(salt=_SALT).sign_object(asdict(self))

    @classmethod
    def from_token(cls, token: str) -> "Shown | None":
        """Return what was shown; None for a token that is too old or not ours."""
        try:
            return cls(**TimestampSigner(salt=_SALT).unsign_object(token, max_age=TOKEN_SECONDS))
        except (BadSignature, TypeError):
            return None

    @classmethod
    def now(cls, scheme_id: int) -> "Shown":
        """What there is to see of a scheme now. Raises TierScheme.DoesNotExist."""
        latest: int | None = TierScheme.objects.aggregate(latest=Max("version"))["latest"]
        return cls((latest or 0) + 1, scheme_id, content_of(find_scheme(scheme_id)))

    def still_is(self) -> bool:
        """Whether there is nothing else to see now."""
        try:
            return Shown.now(self.scheme_id) == self
        except TierScheme.DoesNotExist:
            return False


def publish_shown(
    shown: Shown, *, effective_from: datetime, at: datetime, actor_id: int, reason: str
) -> TierScheme | None:
    """Publish a draft as it was shown, and write the staff log, both or neither.

    None when it is not what was shown any more: it was published or changed meanwhile, or another one was published.
    Raises InvalidScheme.
    """
    with transaction.atomic():
        # Nobody changes the draft between the look and the publication.
        TierScheme.objects.select_for_update().filter(pk=shown.scheme_id).first()
        if not shown.still_is():
            return None
        try:
            made = publish(shown.scheme_id, effective_from=effective_from, at=at, actor_id=actor_id, reason=reason)
        except NotADraft:
            return None
        return made if _is_ours(shown, made, "tier_scheme.publish", at=at, actor_id=actor_id) else None


def roll_back_shown(shown: Shown, version: int, *, at: datetime, actor_id: int, reason: str) -> TierScheme | None:
    """Publish an earlier version again as it was shown, and write the staff log, both or neither.

    None when another version was published meanwhile. Raises InvalidScheme.
    """
    with transaction.atomic():
        if not shown.still_is():
            return None
        made = roll_back(version, at=at, actor_id=actor_id, reason=reason)
        return (
            made if _is_ours(shown, made, "tier_scheme.roll_back", at=at, actor_id=actor_id, back_to=version) else None
        )


def _is_ours(shown: Shown, made: TierScheme, action: str, *, at: datetime, actor_id: int, **details: Any) -> bool:
    """Write the staff log; or undo it all where a colleague's version came between the look and the lock."""
    if made.version != shown.version:
        transaction.set_rollback(True)
        return False
    log_action(
        action,
        actor_id=actor_id,
        at=at,
        reason=made.reason,
        version=made.version,
        effective_from=made.effective_from and made.effective_from.isoformat(),
        **details,
    )
    return True
