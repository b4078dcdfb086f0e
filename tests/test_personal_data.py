"""The register of personal data knows every table with something about a member: whoever adds one is told here.

The look-out has its counter-example: a table that nobody registered is found.
"""

from collections.abc import Iterable

import pytest
from django.apps import apps
from django.core.exceptions import FieldError
from django.db.models import Model

from crm.models import Identity, Member, User
from crm.personal.registry import Fate, PersonalTable, models_left_out, personal_tables

PEOPLE = frozenset({Member, Identity, User})


def leads_to_people() -> set[type[Model]]:
    """Every model from which some way of foreign keys leads to a member, a name of his, or a login."""
    found: set[type[Model]] = set(PEOPLE)
    while True:
        more = {
            model
            for model in apps.get_models()
            if model not in found
            and any(
                field.is_relation and field.concrete and field.related_model in found
                for field in model._meta.get_fields()
            )
        }
        if not more:
            return found
        found |= more


def unaccounted(tables: Iterable[PersonalTable], left_out: Iterable[str]) -> list[str]:
    known = {table.model for table in tables} | set(left_out)
    return sorted(model._meta.label for model in leads_to_people() if model._meta.label not in known)


def test_every_table_with_something_about_a_member_is_registered_or_left_out_with_a_reason() -> None:
    assert unaccounted(personal_tables(), models_left_out()) == [], (
        "Register these in the personal.py of their floor, or leave them out there with a reason (docs/privacy.md)."
    )


def test_a_table_that_nobody_registered_is_found() -> None:
    others = [table for table in personal_tables() if table.model != "redemption.Address"]

    assert unaccounted(others, models_left_out()) == ["redemption.Address"]


def test_nothing_is_registered_and_left_out_at_once() -> None:
    assert not {table.model for table in personal_tables()} & set(models_left_out())


def test_every_reason_is_a_sentence() -> None:
    assert all(reason.endswith(".") for reason in models_left_out().values())


def test_every_label_is_a_model() -> None:
    for label in [*models_left_out(), *(table.model for table in personal_tables())]:
        assert apps.get_model(label)


@pytest.mark.parametrize("table", personal_tables(), ids=lambda table: table.name)
class TestATable:
    def test_is_found_by_its_paths_and_has_the_columns_it_names(self, table: PersonalTable) -> None:
        rows = table.model_class()._default_manager.filter(table.of(1))
        try:
            assert str(rows.values_list(*table.fields).query)
        except FieldError as error:
            pytest.fail(str(error))

    def test_says_why_something_of_it_stays_or_is_not_shown(self, table: PersonalTable) -> None:
        if table.fate is not Fate.DELETED or not table.fields:
            assert table.why.endswith(".")

    def test_empties_only_what_it_has(self, table: PersonalTable) -> None:
        columns = {field.name for field in table.model_class()._meta.concrete_fields}

        assert set(table.emptied) <= columns
        assert not table.emptied or table.fate is Fate.EMPTIED

    def test_never_shows_who_else_is_in_it(self, table: PersonalTable) -> None:
        others = {"actor", "granted_by", "added_by", "used_by", "void_by", "moved_by", "promoter", "password", "device"}
        shown = {name.split("__", maxsplit=1)[0] for name in table.fields}

        assert not shown & others or table.name == "devices"
