"""What a checkout draws is a posting of its own, and limits read once what a member has had."""

from pathlib import Path

from django.db import migrations

DRAW = (Path(__file__).resolve().parent.parent / "sql" / "4_draw.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0005_entries_digest")]

    operations = [
        migrations.RunSQL(DRAW.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), migrations.RunSQL.noop)
    ]
