"""`manage.py prepare`: a new database becomes a shop, and a shop stays as it is."""

import stat
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from config.staff import make_first_login
from config.staticfiles import collect_if_changed


@pytest.fixture
def shop(settings: Settings, tmp_path: Path) -> Path:
    """Point the shop to a folder of its own, with one small source of static files."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "shop.css").write_text("body { color: teal }")
    settings.VAR_DIR = tmp_path / "var"
    settings.VAR_DIR.mkdir()
    settings.STATIC_ROOT = settings.VAR_DIR / "static"
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.DEMO = False
    return tmp_path


def prepare() -> list[str]:
    """Run the command; return what it says, without the seconds it took."""
    output = StringIO()
    call_command("prepare", stdout=output)
    return [line.split(" (")[0] for line in output.getvalue().splitlines()]


@pytest.mark.django_db
def test_it_says_what_it_did_and_does_nothing_twice(shop: Path) -> None:
    login = shop / "var" / "staff-login.txt"
    assert prepare() == ["Database: up to date", "Static files: collected", f"Staff login: made, kept in {login}"]
    assert prepare() == ["Database: up to date", "Static files: unchanged"]


@pytest.mark.django_db(transaction=True)
def test_it_applies_what_a_new_release_brings(shop: Path) -> None:
    call_command("migrate", "axes", "0009", verbosity=0)

    assert prepare()[0] == "Database: 1 migrations applied"
    assert prepare()[0] == "Database: up to date"


@pytest.mark.django_db
def test_the_first_staff_login_works_and_is_for_its_owner_only(client: Client, tmp_path: Path) -> None:
    path = make_first_login(tmp_path)
    assert path
    name, password = path.read_text().split()
    answer = client.post("/admin/login/?next=/admin/", {"username": name, "password": password})
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/admin/")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.django_db
def test_where_somebody_may_do_everything_no_login_is_made(tmp_path: Path) -> None:
    get_user_model().objects.create_superuser("lin", password="a password of her own")
    assert make_first_login(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_the_login_of_a_former_database_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "staff-login.txt").write_text("admin\nof-the-database-before\n")
    path = make_first_login(tmp_path)
    assert path
    assert "of-the-database-before" not in path.read_text()


def test_static_files_are_collected_again_when_a_source_changes(shop: Path, settings: Settings) -> None:
    assert collect_if_changed()
    assert not collect_if_changed()
    (shop / "source" / "shop.css").write_text("body { color: crimson }")
    assert collect_if_changed()
    assert "crimson" in (settings.STATIC_ROOT / "shop.css").read_text()


def test_static_files_that_are_gone_are_not_served_on(shop: Path, settings: Settings) -> None:
    old = shop / "source" / "old.css"
    old.write_text("body { color: gold }")
    collect_if_changed()
    old.unlink()
    assert collect_if_changed()
    assert not (settings.STATIC_ROOT / "old.css").exists()


@pytest.mark.django_db
def test_the_demo_shop_goes_into_an_empty_database_only_when_it_is_wanted(
    shop: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("config.management.commands.load_demo.load_demo", lambda folder, **_: asked.append(folder))
    prepare()
    assert asked == []
    settings.DEMO = True
    prepare()
    assert asked == [shop / "var" / "demo"]
