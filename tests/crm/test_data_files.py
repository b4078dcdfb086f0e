"""Files of everything held about a member that a worker makes: asked for once, fetched by one login, gone in time."""

import os
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection

from crm import tasks
from crm.imports.locks import DATA_FILES
from crm.models import DataFile, Member, User
from crm.personal import making
from crm.personal.erasing import erase_member
from crm.personal.file import everything_held
from crm.personal.making import ask_for_file, asked_file, forget_old, made_at_once, make, opened, take_up_stalled
from crm.personal.registry import Erasure
from crm.sso.logins import login_of_member
from tests.cast import NOON
from tests.factories import MemberTagFactory, StaffFactory

pytestmark = pytest.mark.django_db

State = DataFile.State
DAY = timedelta(days=1)


def noon() -> datetime:
    return NOON


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / "personal"


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The files that a worker was called for."""
    called: list[int] = []
    monkeypatch.setattr(tasks.make_data_file, "delay", called.append)
    return called


@pytest.fixture
def login(xiaolu: Member, at: datetime) -> User:
    return login_of_member(xiaolu.pk, at)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_little_is_made_at_once_and_much_is_not(xiaolu: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made_at_once(xiaolu.pk)
    monkeypatch.setattr(making, "AT_ONCE_ROWS", 5)
    for _tag in range(6):
        MemberTagFactory(member=xiaolu)

    assert not made_at_once(xiaolu.pk)


class TestMaking:
    def test_it_is_made_whole_in_the_language_of_who_asked(
        self, xiaolu: Member, login: User, at: datetime, folder: Path
    ) -> None:
        asked = ask_for_file(xiaolu.pk, login.pk, at)
        assert asked.is_being_made
        assert opened(asked) is None

        assert make(asked.pk, clock=noon)

        made = asked_file(xiaolu.pk, login.pk, at)
        assert made is not None
        assert (made.state, made.made_at, made.size) == (State.DONE, at, (folder / made.name).stat().st_size)
        assert (folder / made.name).stat().st_mode & 0o777 == 0o600
        held = opened(made)
        assert held is not None
        with held, zipfile.ZipFile(held) as packed:
            assert "积分掌柜 保存的关于您的资料" in packed.read("README.txt").decode()
        assert names(folder) == [made.name]

    def test_one_that_is_on_its_way_is_not_begun_anew(
        self, xiaolu: Member, login: User, at: datetime, sent: list[int], django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            first = ask_for_file(xiaolu.pk, login.pk, at)
            assert ask_for_file(xiaolu.pk, login.pk, at + DAY).pk == first.pk

        assert sent == [first.pk]

    def test_a_new_one_takes_the_place_of_the_one_before(
        self, xiaolu: Member, login: User, at: datetime, folder: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        first = ask_for_file(xiaolu.pk, login.pk, at)
        make(first.pk, clock=noon)
        with django_capture_on_commit_callbacks(execute=True):
            second = ask_for_file(xiaolu.pk, login.pk, at)
        make(second.pk, clock=noon)

        assert names(folder) == [second.name]
        assert DataFile.objects.get() == second

    def test_made_twice_it_is_made_once(self, xiaolu: Member, login: User, at: datetime) -> None:
        asked = ask_for_file(xiaolu.pk, login.pk, at)

        assert [make(asked.pk, clock=noon), make(asked.pk, clock=noon)] == [True, False]

    def test_an_error_is_its_end_and_is_logged(
        self, xiaolu: Member, login: User, at: datetime, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        def broken(*_arguments: object) -> None:
            raise ValueError("nonsense")

        monkeypatch.setattr(making, "everything_held", broken)
        asked = ask_for_file(xiaolu.pk, login.pk, at)

        make(asked.pk, clock=noon)

        asked.refresh_from_db()
        assert asked.state == State.FAILED
        assert "broke off" in caplog.text

    def test_a_database_that_goes_away_leaves_it_to_be_taken_up(
        self, xiaolu: Member, login: User, at: datetime, monkeypatch: pytest.MonkeyPatch, sent: list[int]
    ) -> None:
        def away(*_arguments: object) -> None:
            raise OperationalError

        with monkeypatch.context() as patch:
            patch.setattr(making, "everything_held", away)
            asked = ask_for_file(xiaolu.pk, login.pk, at)
            with pytest.raises(OperationalError):
                make(asked.pk, clock=noon)

        assert take_up_stalled(at=at + timedelta(seconds=61)) == [asked.pk]
        assert sent == [asked.pk]
        assert make(asked.pk, clock=noon)

    def test_what_a_dead_worker_had_half_written_is_written_anew(
        self, xiaolu: Member, login: User, at: datetime, folder: Path
    ) -> None:
        asked = ask_for_file(xiaolu.pk, login.pk, at)
        folder.mkdir()
        (folder / f"{asked.name}.part").write_bytes(b"half")
        DataFile.objects.update(state=State.RUNNING)

        make(asked.pk, clock=noon)

        assert names(folder) == [asked.name]

    def test_its_lock_is_held_as_long_as_it_is_made(
        self, xiaolu: Member, login: User, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = ask_for_file(xiaolu.pk, login.pk, at)
        locked: list[int] = []

        def look(*_arguments: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", [DATA_FILES]
                )
                locked.append(cursor.fetchone()[0])
            raise ValueError

        monkeypatch.setattr(making, "everything_held", look)
        make(asked.pk, clock=noon)

        assert locked == [1]


class TestWhose:
    def test_only_the_login_that_asked_gets_it(self, xiaolu: Member, dayong: Member, login: User, at: datetime) -> None:
        clerk, other = StaffFactory(), login_of_member(dayong.pk, at)
        ask_for_file(xiaolu.pk, login.pk, at)

        assert asked_file(xiaolu.pk, clerk.pk, at) is None
        assert asked_file(xiaolu.pk, other.pk, at) is None
        assert asked_file(dayong.pk, login.pk, at) is None
        assert asked_file(xiaolu.pk, login.pk, at) is not None

    def test_who_asks_for_him_gets_one_of_his_own(self, xiaolu: Member, login: User, at: datetime) -> None:
        clerk = StaffFactory()
        ask_for_file(xiaolu.pk, clerk.pk, at)
        ask_for_file(xiaolu.pk, login.pk, at)

        assert DataFile.objects.count() == 2


class TestGone:
    @pytest.fixture
    def made(self, xiaolu: Member, login: User, at: datetime) -> DataFile:
        asked = ask_for_file(xiaolu.pk, login.pk, at)
        make(asked.pk, clock=noon)
        asked.refresh_from_db()
        return asked

    def test_after_three_days(
        self, made: DataFile, at: datetime, folder: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        last = at + 3 * DAY
        with django_capture_on_commit_callbacks(execute=True):
            assert forget_old(last - timedelta(seconds=1)) == 0
            assert asked_file(made.member_id, made.asked_by_id, last - timedelta(seconds=1)) is not None
            assert asked_file(made.member_id, made.asked_by_id, last) is None
            assert forget_old(last) == 1

        assert names(folder) == []
        assert not DataFile.objects.exists()

    def test_with_the_member(
        self, made: DataFile, xiaolu: Member, at: datetime, folder: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            erase_member(Erasure(xiaolu.pk, at, actor_id=StaffFactory().pk, reason="She asked"))

        assert names(folder) == []

    def test_when_he_was_erased_while_it_was_made(
        self, xiaolu: Member, login: User, at: datetime, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked, whole = ask_for_file(xiaolu.pk, login.pk, at), everything_held

        def meanwhile(member_id: int, at: datetime) -> Any:
            held = whole(member_id, at)
            erase_member(Erasure(xiaolu.pk, at, actor_id=StaffFactory().pk, reason="She asked"))
            return held

        monkeypatch.setattr(making, "everything_held", meanwhile)
        make(asked.pk, clock=noon)

        assert names(folder) == []

    def test_what_lies_there_without_a_row_is_swept_away_after_a_day(
        self, made: DataFile, at: datetime, folder: Path
    ) -> None:
        for name, age in ((f"{'0' * 32}.zip.part", 25), (f"{'1' * 32}.zip", 25), (f"{'2' * 32}.zip", 1)):
            (folder / name).write_bytes(b"left")
            moment = (at - timedelta(hours=age)).timestamp()
            os.utime(folder / name, (moment, moment))

        forget_old(at)

        assert names(folder) == sorted([made.name, f"{'2' * 32}.zip"])

    def test_a_file_that_somebody_removed_is_not_there(self, made: DataFile, folder: Path) -> None:
        (folder / made.name).unlink()

        assert opened(made) is None
