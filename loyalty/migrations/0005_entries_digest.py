"""A digest over each day's entries, beside that over their seals: what proves a day is hashed outside of the database."""

from pathlib import Path

from django.db import migrations, models

CHAIN = (Path(__file__).resolve().parent.parent / "sql" / "12_chain.sql").read_text()

DROP = """
DROP FUNCTION loyalty_write_close;
DROP FUNCTION loyalty_close_digest;
DROP FUNCTION loyalty_entries_digest;
DROP FUNCTION loyalty_seals_digest;
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_units_given_back")]

    operations = [
        migrations.AddField(
            "dayclose", "entries_digest", models.BinaryField(default=b"", editable=False, max_length=32)
        ),
        migrations.RunSQL(CHAIN.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), DROP),
    ]
