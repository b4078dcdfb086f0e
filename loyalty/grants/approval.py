"""The words that a grant needs: its maker's, and above a limit another person's."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from crm.api import call_later, log_action
from loyalty.grants.preview import weigh
from loyalty.models import Grant

State = Grant.State
APPROVE = "loyalty.approve_grant"

# How often the same was given before is counted at the maker's word, and stays: a worker that comes back after it was
# killed, or after somebody else gave the same again, must make the same keys.
_REPEAT = """
UPDATE loyalty_grantrow AS r SET repetition = 1 + (
           SELECT max(g.repetition) FROM loyalty_grantrow AS g WHERE g.fact = r.fact AND g.outcome = 'given'
       )
 WHERE r.grant_id = %s AND r.before_id IS NOT NULL AND r.code = ''
"""


class WrongState(Exception):
    """The grant is not in a state that allows this step; somebody else was quicker, or the page is old."""


class NotTheMaker(Exception):
    """Only the person who made a grant confirms or cancels it."""


class SamePerson(Exception):
    """Nobody approves or rejects what he made himself."""


class MayNotApprove(Exception):
    """The person lacks the permission to approve grants."""


class NothingToGive(Exception):
    """Not a single row is left that could be posted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Above either of them a second person must approve: ``total`` points that a grant moves, ``member`` points that it
    moves for one member."""

    total: int
    member: int

    def exceeded_by(self, total: int, largest: int) -> bool:
        """Whether a grant of so many points needs a second person."""
        return total > self.total or largest > self.member


def limits() -> Limits:
    """The limits that the settings name."""
    return Limits(settings.GRANT_TOTAL_LIMIT, settings.GRANT_MEMBER_LIMIT)


def waiting_grants() -> int:
    """How many grants wait for a second person."""
    return Grant.objects.filter(state=State.WAITING).count()


def confirm(
    grant_id: int, *, actor_id: int, at: datetime, reason: str, with_duplicates: bool = False, repeat_reason: str = ""
) -> State:
    """The maker's word: give it, or ask a second person. Returns the state that it leads to.

    Rows that say the same as another one count only ``with_duplicates``, and rows that an earlier grant gave only with
    a ``repeat_reason``. Raises ValueError without a reason, WrongState, NotTheMaker and NothingToGive.
    """
    if not reason.strip():
        raise ValueError("a grant needs a reason")
    with transaction.atomic():
        grant = _locked(grant_id, [State.READY])
        if grant.made_by_id != actor_id:
            raise NotTheMaker
        if repeat_reason and grant.source == Grant.Source.PAST:
            raise ValueError("points for past purchases are given once, whatever the reason")
        if with_duplicates:
            grant.rows.filter(code="duplicate").update(code="", column="", value="")
        weight = weigh(grant_id, with_duplicates=False, with_repeats=bool(repeat_reason))
        if not weight.rows:
            raise NothingToGive
        if repeat_reason:
            with connection.cursor() as cursor:
                cursor.execute(_REPEAT, [grant_id])
        bounds = limits()
        grant.reason, grant.repeat_reason, grant.with_duplicates = reason, repeat_reason, with_duplicates
        grant.points_moved, grant.largest = weight.total, weight.largest
        grant.total_limit, grant.member_limit = bounds.total, bounds.member
        grant.confirmed_at = at
        log_action(
            "grant.confirm", actor_id=actor_id, at=at, reason=reason, grant=grant_id, members=weight.members,
            gives=weight.gives, takes=weight.takes,
        )  # fmt: skip
        if repeat_reason:
            log_action("grant.repeat", actor_id=actor_id, at=at, reason=repeat_reason, grant=grant_id)
        if bounds.exceeded_by(weight.total, weight.largest):
            grant.state = State.WAITING
            grant.save()
        else:
            _queue(grant, at)
        return State(grant.state)


def approve(grant_id: int, *, actor_id: int, at: datetime, remark: str = "") -> None:
    """The second person's yes. Raises WrongState, SamePerson and MayNotApprove."""
    with transaction.atomic():
        grant = _for_decision(grant_id, actor_id)
        grant.decided_by_id, grant.decided_at, grant.decision = actor_id, at, remark
        log_action("grant.approve", actor_id=actor_id, at=at, reason=remark, grant=grant_id)
        _queue(grant, at)


def reject(grant_id: int, *, actor_id: int, at: datetime, reason: str) -> None:
    """The second person's no. Raises ValueError without a reason, WrongState, SamePerson and MayNotApprove."""
    if not reason.strip():
        raise ValueError("a rejection needs a reason")
    with transaction.atomic():
        grant = _for_decision(grant_id, actor_id)
        grant.state, grant.finished_at = State.REJECTED, at
        grant.decided_by_id, grant.decided_at, grant.decision = actor_id, at, reason
        grant.save()
        log_action("grant.reject", actor_id=actor_id, at=at, reason=reason, grant=grant_id)


def cancel(grant_id: int, *, actor_id: int, at: datetime, reason: str) -> None:
    """The maker calls it off, as long as nothing was posted. Raises ValueError without a reason, WrongState and
    NotTheMaker."""
    if not reason.strip():
        raise ValueError("calling a grant off needs a reason")
    with transaction.atomic():
        grant = _locked(grant_id, [State.CHECKING, State.READY, State.WAITING, State.FAILED])
        if grant.made_by_id != actor_id:
            raise NotTheMaker
        if grant.next_seq:
            raise WrongState(grant.state)
        grant.state, grant.finished_at, grant.decision = State.CANCELLED, at, reason
        grant.save()
        log_action("grant.cancel", actor_id=actor_id, at=at, reason=reason, grant=grant_id)
        transaction.on_commit(lambda: grant.file.delete(save=False))


def _locked(grant_id: int, states: list[State]) -> Grant:
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    if grant.state not in states:
        raise WrongState(grant.state)
    return grant


def _for_decision(grant_id: int, actor_id: int) -> Grant:
    grant = _locked(grant_id, [State.WAITING])
    if grant.made_by_id == actor_id:
        raise SamePerson
    if not get_user_model().objects.get(pk=actor_id).has_perm(APPROVE):
        raise MayNotApprove
    return grant


def _queue(grant: Grant, at: datetime) -> None:
    grant.state, grant.beat_at, grant.effective_at = State.QUEUED, at, at
    grant.save()
    call_later("loyalty.tasks.run_grant", grant.pk)
