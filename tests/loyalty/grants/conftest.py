"""Who gives points to many, and where files lie meanwhile."""

from pathlib import Path

import pytest

from crm.models import User
from tests.factories import StaffFactory
from tests.staff import Grant as GrantPermissions


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> Path:
    """Uploads land in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture(autouse=True)
def limits(settings: object) -> None:
    """One person may move a thousand points at once, and five hundred for one member."""
    settings.GRANT_TOTAL_LIMIT, settings.GRANT_MEMBER_LIMIT = 1000, 500  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The grants that were sent to a worker, who is not at home."""
    from loyalty import tasks

    sent: list[int] = []
    monkeypatch.setattr(tasks.run_grant, "delay", sent.append)
    monkeypatch.setattr(tasks.check_grant, "delay", sent.append)
    return sent


@pytest.fixture
def maker(db: None) -> User:
    """陈丽, who makes grants."""
    user: User = StaffFactory(username="chen.li")
    return user


@pytest.fixture
def boss(grant: GrantPermissions) -> User:
    """赵敏, who may approve them."""
    user = grant("loyalty.approve_grant")
    user.username = "zhao.min"
    user.save()
    return user
