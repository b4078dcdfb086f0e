"""Fixtures of all tests."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import caches
from django.test import TransactionTestCase, override_settings
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from pytest_django import DjangoDbBlocker

from config.celery import app
from tests import database

# No test is about how fast a machine is: a busy one must not fail.
hypothesis.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("patient")

pytest_plugins = ["tests.cast", "tests.staff"]


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, pytestconfig: pytest.Config
) -> Iterator[None]:
    """Give this worker its database, and a new copy after every test that committed to it.

    Django would empty the tables instead, and with them what the migrations had put there.
    """
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        database.make_template(pytestconfig.cache.mkdir("templates"))
        database.copy_template()
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: database.copy_template())
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords in microseconds: the proper hasher takes half a second on purpose."""
    hasher = f"{MD5PasswordHasher.__module__}.{MD5PasswordHasher.__qualname__}"
    with override_settings(PASSWORD_HASHERS=[hasher]):
        yield


@pytest.fixture(autouse=True)
def chinese_first() -> None:
    """Begin every test in the shop's language, whatever the last request of the test before has asked for."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Let no test see what another one left in the cache."""
    for name in caches:
        caches[name].clear()


@pytest.fixture
def tasks_at_once() -> Iterator[None]:
    """Run Celery tasks where they are called, errors included. Without this a task only waits in the broker."""
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    yield
    app.conf.update(task_always_eager=False, task_eager_propagates=False)
