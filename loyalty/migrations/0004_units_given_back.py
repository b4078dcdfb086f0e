"""A unit whose points were given back counts no longer, though others of the same burn still do."""

from pathlib import Path

from django.db import migrations

DRAW = (Path(__file__).resolve().parent.parent / "sql" / "4_draw.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0003_limits")]

    operations = [
        migrations.RunSQL(DRAW.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), migrations.RunSQL.noop)
    ]
