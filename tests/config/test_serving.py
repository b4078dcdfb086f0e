"""Which commands get a database, and where from."""

from pathlib import Path

import pytest

from config.embedded.serving import needs_servers, serving
from tests.config.servers import processes, run


@pytest.mark.parametrize(
    "line",
    [
        "migrate",
        "import_orders file.csv --channel taobao",
        "shell",
        "runserver 8001",
        "dbshell -- -c 'SELECT 1'",
        "prepare",
    ],
)
def test_commands_get_the_servers(line: str) -> None:
    assert needs_servers(["manage.py", *line.split()])


@pytest.mark.parametrize(
    "line",
    ["", "help", "help migrate", "--version", "migrate --help", "makemessages -a", "compilemessages", "collectstatic"],
)
def test_help_and_work_on_files_need_no_servers(line: str) -> None:
    assert not needs_servers(["manage.py", *line.split()])


def test_with_urls_no_server_is_started(var_dir: Path) -> None:
    with serving(var_dir, database_url="postgres://db.example/points", broker_url="redis://queue.example"):
        assert not processes(var_dir)
    assert list(var_dir.iterdir()) == []


def test_a_command_typed_while_no_shop_runs_brings_its_own_database(var_dir: Path) -> None:
    status, output = run(var_dir, "manage.py", "dbshell", "--", "-Atc", "SELECT current_database()")
    assert status == 0
    assert "pointkeeper\n" in output
    assert not processes(var_dir)


def test_the_exit_status_of_a_command_is_its_own(var_dir: Path) -> None:
    status, output = run(var_dir, "manage.py", "no_such_command")
    assert status == 1
    assert "Unknown command" in output


def test_a_database_that_cannot_start_ends_the_command_with_a_sentence(var_dir: Path) -> None:
    data = var_dir / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    status, output = run(var_dir, "manage.py", "migrate")
    assert status == 1
    assert "was made by PostgreSQL 9" in output
    assert "Traceback" not in output
