"""Triggers that make the database itself refuse what the laws forbid."""

import pgtrigger

# The journal's functions carry ``SET loyalty.journal = 'on'``, which lasts as long as the call. Whatever else writes,
# be it the ORM, a shell or a migration, meets this trigger. It runs once per statement, so large batches pay nothing.
_OUTSIDE_JOURNAL = pgtrigger.Condition("current_setting('loyalty.journal', true) IS DISTINCT FROM 'on'")


def journal_only(name: str) -> pgtrigger.Trigger:
    """Refuse any insert, update, delete or truncation that does not come from the journal (law 1)."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
        condition=_OUTSIDE_JOURNAL,
        func="RAISE EXCEPTION 'only the journal writes %', TG_TABLE_NAME USING ERRCODE = 'PK001';",
    )


def append_only(name: str) -> pgtrigger.Trigger:
    """Refuse every update, delete and truncation, whoever asks (law 1): a correction is a new row."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
        func="RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'PK002';",
    )
