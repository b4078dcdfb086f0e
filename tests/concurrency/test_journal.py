"""Many sessions at one account, each with its own connection and real commits.

The control runs the race with one thing changed: the lock is cut out of ``loyalty_draw_one``. There the race is made to
happen by a rendezvous inside the database: nobody writes his entry before everybody has read.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from crm.models import Member
from loyalty.audit import audit
from loyalty.journal import post
from loyalty.models import Account, Entry
from loyalty.movements import burn
from loyalty.posting import InsufficientPoints, KeyConflict, Limit, LimitReached, Posting
from tests.factories import MemberFactory
from tests.loyalty.postings import balance, earned, left, returned, spent, write

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = 16
READERS = 4  # Sessions of the control.
PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.
THE_LOCK = "PERFORM FROM loyalty_account AS a WHERE a.member_id = posting.account_id FOR NO KEY UPDATE;"

# Each session holds a lock of its own until it is about to write, and then waits for the locks of all others: nobody
# gets through before everybody has arrived, and so has read the account as it was before any of them.
RENDEZVOUS = f"""
CREATE FUNCTION meet_before_writing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_unlock(4711, current_setting('test.session')::integer);
    FOR session IN 0..{READERS - 1} LOOP
        PERFORM pg_advisory_lock_shared(4711, session);
        PERFORM pg_advisory_unlock_shared(4711, session);
    END LOOP;
    RETURN NEW;
END
$$;
CREATE TRIGGER meet_before_writing BEFORE INSERT ON loyalty_entry FOR EACH ROW EXECUTE FUNCTION meet_before_writing();
"""


def execute(statement: str, *values: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def at_once(sessions: int, act: Callable[[int], str], ready: Callable[[int], object] = lambda number: None) -> Counter:
    """Let sessions act at the same moment, each on its own connection; count their answers."""
    start = Barrier(sessions)

    def session(number: int) -> str:
        try:
            ready(number)
            start.wait(PATIENCE)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(sessions) as pool:
        return Counter(pool.map(session, range(sessions), timeout=2 * PATIENCE))


def spend(member: Member, points: int, at: datetime) -> Callable[[int], str]:
    """What one session does: it spends points under a key of its own, and tells how that went."""

    def act(number: int) -> str:
        try:
            burn(member.pk, points, key=f"coupon:{number}", at=at)
        except InsufficientPoints:
            return "refused"
        except IntegrityError:
            return "broken"
        return "spent"

    return act


def take_a_mug(member: Member, at: datetime, *, most: int) -> Callable[[int], str]:
    """What one session does: it burns a point for a mug, of which a member may have so many."""

    def act(number: int) -> str:
        try:
            burn(member.pk, 1, key=f"mug:{number}", at=at, reference="mug", limits=[Limit(most)])
        except LimitReached:
            return "refused"
        return "had"

    return act


@pytest.fixture
def rich(xiaolu: Member, at: datetime) -> Member:
    """林小鹿 with a hundred points in three lots."""
    write(*(earned(xiaolu, points, key=f"in:{points}", at=at) for points in (50, 30, 20)), at=at)
    return xiaolu


def test_the_last_points_are_spent_exactly_once(rich: Member, at: datetime) -> None:
    answers = at_once(SESSIONS, spend(rich, 30, at))

    assert answers == {"spent": 3, "refused": 13}
    assert balance(rich) == 10
    assert audit().ok


class TestControl:
    """What the lock is for."""

    @pytest.fixture
    def no_lock(self, rich: Member) -> Iterator[None]:
        [(function,)] = execute("SELECT pg_get_functiondef('loyalty_draw_one'::regproc)")
        assert function.count(THE_LOCK) == 1, "the journal locks otherwise now: set this race up anew"
        execute(function.replace(THE_LOCK, ""))
        execute(RENDEZVOUS)
        yield
        execute("DROP TRIGGER meet_before_writing ON loyalty_entry")
        execute(function)

    @staticmethod
    def take_part(number: int) -> None:
        execute("SELECT set_config('test.session', %s, FALSE)", str(number))
        execute("SELECT pg_advisory_lock(4711, %s)", number)

    @pytest.mark.usefixtures("no_lock")
    def test_without_the_lock_every_session_starts_from_the_same_balance(self, rich: Member, at: datetime) -> None:
        answers = at_once(READERS, spend(rich, 10, at), self.take_part)

        assert answers == {"spent": READERS}
        assert set(Entry.objects.filter(kind="burn").values_list("balance_after", flat=True)) == {90}
        assert {mismatch.check for mismatch in audit().mismatches} == {"balance_runs_on"}

    @pytest.mark.usefixtures("no_lock")
    def test_without_the_lock_only_the_lot_s_constraint_stops_overspending(self, rich: Member, at: datetime) -> None:
        answers = at_once(READERS, spend(rich, 100, at), self.take_part)

        assert answers == {"spent": 1, "broken": READERS - 1}

    @pytest.mark.usefixtures("no_lock")
    def test_and_without_that_the_points_are_spent_as_often_as_asked(self, rich: Member, at: datetime) -> None:
        execute("ALTER TABLE loyalty_lot DROP CONSTRAINT loyalty_lot_remaining_in_range")

        answers = at_once(READERS, spend(rich, 100, at), self.take_part)

        assert answers == {"spent": READERS}
        assert balance(rich) == 100 - READERS * 100
        assert not audit().ok

    @pytest.mark.usefixtures("no_lock")
    def test_without_the_lock_a_limit_is_overrun(self, rich: Member, at: datetime) -> None:
        answers = at_once(READERS, take_a_mug(rich, at, most=1), self.take_part)

        assert answers == {"had": READERS}


def test_one_key_from_sixteen_sessions_is_written_once(rich: Member, at: datetime) -> None:
    def act(number: int) -> str:
        return "again" if burn(rich.pk, 70, key="form:1", at=at).repeated else "first"

    answers = at_once(SESSIONS, act)

    assert answers == {"first": 1, "again": 15}
    assert balance(rich) == 30
    assert audit().ok


def test_one_key_with_different_contents_is_written_once_and_refused_fifteen_times(rich: Member, at: datetime) -> None:
    def act(number: int) -> str:
        try:
            burn(rich.pk, number + 1, key="form:1", at=at)
        except KeyConflict:
            return "conflict"
        return "written"

    assert at_once(SESSIONS, act) == {"written": 1, "conflict": 15}
    assert audit().ok


def test_the_first_points_of_a_member_open_one_account(xiaolu: Member, at: datetime) -> None:
    def act(number: int) -> str:
        write(earned(xiaolu, 1, key=f"in:{number}", at=at), at=at)
        return "earned"

    assert at_once(SESSIONS, act) == {"earned": SESSIONS}
    assert balance(xiaolu) == SESSIONS
    assert audit().ok


def test_batches_with_the_same_accounts_in_opposite_order_do_not_block_each_other(at: datetime, shop: object) -> None:
    members = [MemberFactory() for _ in range(40)]

    def act(number: int) -> str:
        sequence = members if number % 2 else members[::-1]
        for round_ in range(5):
            write(*(earned(m, 1, key=f"{number}:{round_}:{m.pk}", at=at) for m in sequence), at=at)
        return "done"

    assert at_once(4, act) == {"done": 4}
    assert set(Account.objects.values_list("balance", flat=True)) == {20}
    assert audit().ok


def test_batches_of_several_verbs_do_not_block_each_other(at: datetime, shop: object) -> None:
    """One gives to the first and takes from the second, the other the other way round."""
    one, other = MemberFactory(), MemberFactory()
    write(earned(one, 1000, key="one", at=at), earned(other, 1000, key="other", at=at), at=at)

    def act(number: int) -> str:
        gets, gives = (one, other) if number % 2 else (other, one)
        for round_ in range(25):
            key = f"{number}:{round_}"
            write(
                earned(gets, 2, key=f"{key} in", at=at),
                returned(gives, 1, key=f"{key} back", at=at),
                spent(gives, 1, key=f"{key} out", at=at),
                at=at,
            )
        return "done"

    assert at_once(4, act) == {"done": 4}
    assert balance(one) + balance(other) == 2000
    assert audit().ok


def test_a_batch_of_several_verbs_locks_no_account_before_all_lower_ones(at: datetime, shop: object) -> None:
    """The reason why the test above holds: while the lower account is taken, the batch holds nothing at all."""
    low, high = MemberFactory(), MemberFactory()
    write(earned(low, 5, key="low", at=at), earned(high, 5, key="high", at=at), at=at)
    batch: list[Posting] = [earned(high, 1, key="in", at=at), spent(low, 1, key="out", at=at)]
    pids: list[int] = []
    known = Event()

    def session() -> None:
        try:
            pids.append(execute("SELECT pg_backend_pid()")[0][0])
            known.set()
            post(batch, at=at)
        finally:
            connections.close_all()

    def is_waiting() -> bool:
        return bool(execute("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", pids[0]))

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            execute("SELECT 1 FROM loyalty_account WHERE member_id = %s FOR UPDATE", low.pk)
            done = pool.submit(session)
            assert known.wait(PATIENCE)
            while not is_waiting():
                assert not done.done(), "the batch went through although its account was locked"
            execute("SELECT 1 FROM loyalty_account WHERE member_id = %s FOR UPDATE NOWAIT", high.pk)
        done.result(timeout=PATIENCE)

    assert (left(low), left(high)) == ({"low": 4}, {"high": 5, "in": 1})


def test_a_limit_holds_for_sixteen_sessions_at_once(rich: Member, at: datetime) -> None:
    assert at_once(SESSIONS, take_a_mug(rich, at, most=3)) == {"had": 3, "refused": 13}
    assert balance(rich) == 97
