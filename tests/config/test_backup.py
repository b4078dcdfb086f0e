"""A copy of the shop, made and taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql

from crm.models import Member
from loyalty.api import summary
from tests import database
from tests.cast import NOON, GivePoints

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def empty_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point Django at a database without a table, for as long as the test runs."""
    name = f"{database.DATABASE}_empty"
    with database.administration() as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.close()
        with monkeypatch.context() as patch:
            patch.setitem(connection.settings_dict, "NAME", name)
            yield
            connection.close()
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def copy(tmp_path: Path, xiaolu: Member, give_points: GivePoints, capsys: pytest.CaptureFixture[str]) -> Path:
    """A copy of a shop in which 林小鹿 has 300 points."""
    give_points(xiaolu, 300)
    path = tmp_path / "backup" / "shop.dump"
    call_command("backup", str(path))
    return path


def test_a_copy_brings_the_shop_back_and_its_ledger_adds_up(
    copy: Path, xiaolu: Member, empty_database: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("restore", str(copy))

    assert summary(xiaolu.pk, NOON).balance == 300
    assert "all adding up" in capsys.readouterr().out


def test_a_copy_is_for_its_owner_only(copy: Path) -> None:
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_copy_is_never_overwritten(copy: Path) -> None:
    with pytest.raises(CommandError, match="exists; name another file"):
        call_command("backup", str(copy))


def test_a_shop_with_data_is_never_overwritten(copy: Path, xiaolu: Member) -> None:
    with pytest.raises(CommandError, match="into an empty database only"):
        call_command("restore", str(copy))

    assert summary(xiaolu.pk, NOON).balance == 300


def test_a_file_that_is_no_copy_leaves_nothing(tmp_path: Path, empty_database: None) -> None:
    nonsense = tmp_path / "nonsense.dump"
    nonsense.write_bytes(b"not a dump at all")

    with pytest.raises(CommandError):
        call_command("restore", str(nonsense))

    assert connection.introspection.table_names() == []
