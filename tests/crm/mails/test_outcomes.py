"""What becomes of a mail after an attempt."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm.choices import MailState
from crm.mails.outcomes import FIRST_WAIT, LONGEST_WAIT, MOST_ATTEMPTS, after_death, after_failure, wait_after
from tests.cast import NOON


@given(st.integers(1, 100_000))
def test_each_wait_is_at_least_as_long_as_the_one_before_and_never_too_long(attempts: int) -> None:
    assert FIRST_WAIT <= wait_after(attempts) <= wait_after(attempts + 1) <= LONGEST_WAIT


def test_a_mail_server_may_be_away_for_most_of_a_day() -> None:
    at = NOON
    for attempts in range(1, MOST_ATTEMPTS):
        follows = after_failure(attempts, permanent=False, at=at)
        assert follows.state == MailState.QUEUED
        at = follows.due_at
    assert timedelta(hours=20) < at - NOON < timedelta(hours=24)
    assert after_failure(MOST_ATTEMPTS, permanent=False, at=at).state == MailState.FAILED


def test_a_no_for_good_is_not_argued_with(at: datetime) -> None:
    assert after_failure(1, permanent=True, at=at).state == MailState.FAILED


def test_a_worker_that_died_before_handing_over_has_sent_nothing(at: datetime) -> None:
    assert after_death(MailState.CLAIMED, 1, at).state == MailState.QUEUED


def test_a_worker_that_died_while_handing_over_leaves_doubt(at: datetime) -> None:
    assert after_death(MailState.SENDING, 1, at).state == MailState.IN_DOUBT


def test_a_mail_that_kills_every_worker_is_given_up_at_last(at: datetime) -> None:
    assert after_death(MailState.CLAIMED, MOST_ATTEMPTS, at).state == MailState.FAILED
