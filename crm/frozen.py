"""Triggers that keep what was published as it was published, for this floor and the ones above."""

import pgtrigger


def frozen_once_published(name: str) -> pgtrigger.Trigger:
    """Refuse to change or delete a row that is published already, whoever asks. Publishing a draft goes through."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        condition=pgtrigger.Q(old__state="published"),
        func="RAISE EXCEPTION 'published, so never changed or deleted: %', TG_TABLE_NAME USING ERRCODE = 'PK002';",
    )


def frozen_with_its_set(name: str, *, table: str, column: str) -> pgtrigger.Trigger:
    """Refuse to add, change or delete a row whose set, a row of ``table`` that ``column`` names, is published.

    The set is locked before it is looked at: somebody may be publishing it at this moment. A row cannot be moved out of
    a published set either, nor into one.
    """
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        declare=[("state_of_set", "text")],
        func=f"""
            FOR state_of_set IN
                SELECT s.state FROM {table} AS s
                 WHERE s.id IN (
                       CASE WHEN TG_OP <> 'INSERT' THEN OLD.{column} END,
                       CASE WHEN TG_OP <> 'DELETE' THEN NEW.{column} END
                 )
                 FOR SHARE
            LOOP
                IF state_of_set = 'published' THEN
                    RAISE EXCEPTION 'rows of % are frozen with their published set', TG_TABLE_NAME
                        USING ERRCODE = 'PK002';
                END IF;
            END LOOP;
            IF TG_OP = 'DELETE' THEN
                RETURN OLD;
            END IF;
            RETURN NEW;
        """,
    )
