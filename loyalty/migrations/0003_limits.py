"""A burn or hold may carry several limits: of a day, of a window, for ever."""

from pathlib import Path

from django.db import migrations

DRAW = (Path(__file__).resolve().parent.parent / "sql" / "4_draw.sql").read_text()

# The journal's functions are made from the files as they are now, so that on a new database nothing is left to do here.
LIMITS = """
ALTER TYPE loyalty_posting ALTER ATTRIBUTE limit_most TYPE integer[], ALTER ATTRIBUTE limit_since TYPE timestamptz[];
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0002_journal")]

    operations = [
        migrations.RunSQL(
            LIMITS + DRAW.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), migrations.RunSQL.noop
        )
    ]
