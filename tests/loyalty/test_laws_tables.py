"""Law 1 for every table of the points floor: the journal's own, the published ones, and none forgotten.

``test_laws`` has accounts, entries, lots and uses; here are the others. The guards are the triggers named beside each
table; its counter-tests switch just those off, and the forbidden act succeeds.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models, transaction
from django.db.utils import DatabaseError

import loyalty
from crm.models import Member
from loyalty.choices import ExistingPoints, RenewalReason
from loyalty.close import close_due_days
from loyalty.liability import publish_cost
from loyalty.models import (
    Account,
    DayClose,
    Entry,
    EntrySeal,
    Hold,
    LiabilityRate,
    Lot,
    LotRenewal,
    LotUse,
    PolicyApplication,
    ValidityPolicy,
)
from loyalty.movements import hold
from loyalty.nightly import apply_policy
from loyalty.policies import publish_policy
from loyalty.posting import Renewal
from loyalty.renewals import renew
from loyalty.validity import BUILT_IN
from tests.loyalty.postings import earned, write
from tests.loyalty.tampering import APPEND_ONLY, JOURNAL_ONLY, execute, refusal_of, without

# What may be said of a row so that it says something else.
CHANGES: dict[type[models.Model], str] = {
    Hold: "deadline = NULL",
    LotRenewal: "after = before",
    DayClose: "debt = debt + 1",
    EntrySeal: "digest = ''",
    ValidityPolicy: "grace_days = 99",
    PolicyApplication: "at = at + interval '1 day'",
    LiabilityRate: "cost_per_point = 0",
}
JOURNAL_S: dict[type[models.Model], str] = {
    Hold: "hold_journal_only",
    LotRenewal: "lotrenewal_journal_only",
    DayClose: "dayclose_journal_only",
    EntrySeal: "entryseal_journal_only",
}
FROZEN: dict[type[models.Model], str] = {
    LotRenewal: "lotrenewal_append_only",
    DayClose: "dayclose_append_only",
    EntrySeal: "entryseal_append_only",
    ValidityPolicy: "validitypolicy_append_only",
    PolicyApplication: "policyapplication_append_only",
    LiabilityRate: "liabilityrate_append_only",
}
TESTED_ELSEWHERE = {"Account", "Entry", "Lot", "LotUse"}


def by_name(model: type[models.Model]) -> str:
    return model.__name__


@pytest.fixture(autouse=True)
def a_row_in_each_table(xiaolu: Member, at: datetime) -> None:
    day = timedelta(days=1)
    write(earned(xiaolu, 100, key="in", at=at, expires_at=at + 30 * day), at=at)
    hold(xiaolu.pk, 10, key="hold", at=at, deadline=at + 9 * day)
    publish_cost(Decimal("0.1"), effective_from=at, at=at, actor_id=None, reason="Opening")
    publish_policy(
        BUILT_IN, effective_from=at, at=at, actor_id=None, reason="Opening", existing=ExistingPoints.LENGTHEN_EXISTING
    )
    apply_policy(at)
    renew([Renewal(xiaolu.pk, "renewal", at + 900 * day, at, RenewalReason.PARTIAL_RETURN, 0, about_key="in")], at=at)
    close_due_days(at + day)
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # A table with keys still to be checked cannot be truncated.
    assert all(model.objects.exists() for model in CHANGES)  # type: ignore[attr-defined]


def refused(statement: str) -> str:
    """Try what is forbidden and return how the database refused it."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        execute(statement)
    return refusal_of(error.value)


def update(model: type[models.Model]) -> str:
    return f"UPDATE {model._meta.db_table} SET {CHANGES[model]}"


def delete(model: type[models.Model]) -> str:
    return f"DELETE FROM {model._meta.db_table}"


def truncate(model: type[models.Model]) -> str:
    return f"TRUNCATE {model._meta.db_table} CASCADE"


def copy(model: type[models.Model]) -> str:
    """A row like the newest one, under keys of its own."""
    own = {"id", "key", "entry_id", "number", "day", "version", "policy_id"}
    fields = [field for field in model._meta.concrete_fields if not getattr(field, "generated", False)]
    columns = [str(field.column) for field in fields]
    makes = {
        "id": "id + 1000", "key": "key || ':2'", "entry_id": "entry_id + 1000", "number": "number + 1000",
        "day": "day + 1000", "version": "version + 1000", "policy_id": "policy_id",
    }  # fmt: skip
    values = [makes[column] if column in own else column for column in columns]
    table = model._meta.db_table
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} LIMIT 1"


class TestOnlyTheJournalWrites:
    """The guard is the statement trigger ``…_journal_only``."""

    @pytest.mark.parametrize("model", JOURNAL_S, ids=by_name)
    @pytest.mark.parametrize("act", [copy, update, delete, truncate], ids=["insert", "update", "delete", "truncate"])
    def test_nobody_else(self, model: type[models.Model], act: Callable[[type[models.Model]], str]) -> None:
        assert refused(act(model)) in {JOURNAL_ONLY, APPEND_ONLY}

    @pytest.mark.parametrize("model", JOURNAL_S, ids=by_name)
    def test_without_the_guard_an_insert_goes_through(self, model: type[models.Model]) -> None:
        with without(model, JOURNAL_S[model]):
            assert execute(copy(model)) == 1

    def test_without_the_guard_a_hold_could_be_changed_and_deleted(self) -> None:
        with without(Hold, JOURNAL_S[Hold]):
            assert execute(update(Hold)) == 1
            assert execute(delete(Hold)) == 1


class TestWhatIsWrittenStays:
    """The guard is the statement trigger ``…_append_only``: not even the journal gets past it."""

    @pytest.mark.parametrize("model", FROZEN, ids=by_name)
    @pytest.mark.parametrize("act", [update, delete, truncate], ids=["update", "delete", "truncate"])
    def test_not_even_in_the_journal_s_name(
        self, model: type[models.Model], act: Callable[[type[models.Model]], str]
    ) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        assert refused(act(model)) == APPEND_ONLY

    @pytest.mark.parametrize("model", FROZEN, ids=by_name)
    def test_without_the_guard_the_journal_s_name_is_enough(self, model: type[models.Model]) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")
        if model is ValidityPolicy:  # Its application refers to it.
            with without(PolicyApplication, FROZEN[PolicyApplication]):
                execute(delete(PolicyApplication))

        with without(model, FROZEN[model]):
            assert execute(update(model))
            assert execute(delete(model))


@pytest.mark.parametrize(
    ("model", "guards"),
    [
        (Account, ["account_journal_only"]),
        (Entry, ["entry_append_only", "entry_journal_only"]),
        (Lot, ["lot_journal_only"]),
        (LotUse, ["lotuse_append_only", "lotuse_journal_only"]),
    ],
)
def test_the_journal_is_not_emptied(model: type[models.Model], guards: list[str]) -> None:
    """A truncation is no deletion to the database; the same guards refuse it, and without them it goes through."""
    assert refused(truncate(model)) in {JOURNAL_ONLY, APPEND_ONLY}

    with without(model, *guards):
        execute(truncate(model))
        assert not model._default_manager.exists()


def guards_of(model: type[models.Model]) -> set[str]:
    return {trigger.name for trigger in getattr(model._meta, "triggers", [])}


def test_no_table_of_the_journal_was_forgotten() -> None:
    """Whatever its functions write to is guarded, but for counters of rules, and each guarded table is tested."""
    sql = "\n".join(path.read_text() for path in (Path(loyalty.__file__).parent / "sql").glob("*.sql"))
    written = set(re.findall(r"(?:INSERT INTO|UPDATE|DELETE FROM) (loyalty_\w+)", sql))
    floor = {model._meta.db_table: model for model in apps.get_app_config("loyalty").get_models()}

    assert written
    for table in written:
        assert any(name.endswith("_journal_only") for name in guards_of(floor[table])), table
    guarded = {
        model.__name__
        for model in floor.values()
        if any(name.endswith(("_journal_only", "_append_only")) for name in guards_of(model))
    }
    assert guarded == {model.__name__ for model in CHANGES} | TESTED_ELSEWHERE
