"""One step in the life of a redemption, as a guarded update: whoever comes second finds the row changed."""

from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from redemption.models import Redemption


class MoveRefused(Exception):
    """The step is not possible. ``code`` is stable; ``message()`` says why and what to do."""

    code = ""
    text: str | Promise = ""

    def message(self) -> str:
        return str(self.text)


class MovedMeanwhile(MoveRefused):
    """Somebody else was quicker: the redemption is no longer what the page showed."""

    code = "moved_meanwhile"
    text = _("This redemption has changed since you opened the page. Please look at it again.")


class NotPossible(MoveRefused):
    """From the state that the redemption is in, this step leads nowhere."""

    code = "not_possible"
    text = _("This is not possible in the state that the redemption is in now.")


class TooLate(MoveRefused):
    """The buyer may no longer cancel by himself."""

    code = "too_late"
    text = _("The shop is preparing this redemption already. Please ask the shop if it can still be cancelled.")


class NoReason(MoveRefused):
    code = "no_reason"
    text = _("Please give a reason: it is kept with the redemption.")


def move(redemption: Redemption, *, at: datetime, actor_id: int | None, reason: str = "", **changes: Any) -> None:
    """Write ``changes`` into the row if it still is as ``redemption`` says, and into that object. Raises
    MovedMeanwhile. The database writes the history and refuses what the life of a redemption does not know."""
    changes |= {"moved_at": at, "moved_by_id": actor_id, "move_reason": reason}
    unchanged = Redemption.objects.filter(
        pk=redemption.pk, state=redemption.state, cancelled=redemption.cancelled, returned=redemption.returned
    )
    if not unchanged.update(**changes):
        raise MovedMeanwhile
    for name, value in changes.items():
        setattr(redemption, name, value)


def find(redemption_id: int) -> Redemption:
    """Return a redemption with its reward and the entry that drew its points. Raises Redemption.DoesNotExist."""
    return Redemption.objects.select_related("reward", "entry").get(pk=redemption_id)
