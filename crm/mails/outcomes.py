"""What becomes of a mail after an attempt: pure, so that it can be read at a glance and tried with any figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crm.choices import MailState

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
# Waits of 1, 2, 4 … 256 minutes and twice six hours: a mail server may be away for twenty hours.
MOST_ATTEMPTS = 12

# How long a worker has a mail until others take it for dead. Much longer than the mail server may take to answer once
# (EMAIL_TIMEOUT, 30 seconds by default), as there are several answers to wait for.
LEASE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Next:
    """The state that a mail comes into, and when it is tried again, where it is."""

    state: MailState
    due_at: datetime


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts in vain: twice as long each time, up to six hours."""
    doublings = min(attempts, MOST_ATTEMPTS) - 1
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def after_failure(attempts: int, *, permanent: bool, at: datetime) -> Next:
    """Return what follows an attempt that certainly sent nothing. ``attempts`` counts this one."""
    if permanent or attempts >= MOST_ATTEMPTS:
        return Next(MailState.FAILED, at)
    return Next(MailState.QUEUED, at + wait_after(attempts))


def after_death(state: MailState, attempts: int, at: datetime) -> Next:
    """Return what follows when the lease of a worker ran out in a state.

    Before the handing over nothing was sent, and the mail is tried again at once, though not for ever: it may be the
    mail that kills the worker. During the handing over nobody can know, and a person has to decide.
    """
    if state == MailState.SENDING:
        return Next(MailState.IN_DOUBT, at)
    return Next(MailState.FAILED if attempts >= MOST_ATTEMPTS else MailState.QUEUED, at)
