"""The journal's functions, and room on the pages of the tables that it updates in place."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = [
    "1_prepare", "2_accrue", "3_mature", "4_draw", "5_reverse", "6_expire", "7_settle", "8_restore", "9_renew",
    "10_night", "11_seal"]

DROP = """
DROP FUNCTION loyalty_mature_due;
DROP FUNCTION loyalty_apply_policy;
DROP FUNCTION loyalty_revalue;
DROP FUNCTION loyalty_schedule;
DROP FUNCTION loyalty_renew_by_purchases;
DROP FUNCTION loyalty_renew;
DROP FUNCTION loyalty_write_renewals;
DROP TYPE loyalty_renewal;
DROP FUNCTION loyalty_valid_until;
DROP FUNCTION loyalty_fixed_day;
DROP FUNCTION loyalty_policy;
DROP TYPE loyalty_validity;
DROP FUNCTION loyalty_seal_day;
DROP FUNCTION loyalty_entry_digest;
DROP FUNCTION loyalty_entry_text;
DROP FUNCTION loyalty_restore;
DROP FUNCTION loyalty_returnable;
DROP FUNCTION loyalty_settle;
DROP FUNCTION loyalty_expire;
DROP FUNCTION loyalty_expire_overdue;
DROP FUNCTION loyalty_expire_accounts;
DROP FUNCTION loyalty_reverse;
DROP FUNCTION loyalty_draw;
DROP FUNCTION loyalty_draw_lots;
DROP FUNCTION loyalty_mature;
DROP FUNCTION loyalty_accrue;
DROP FUNCTION loyalty_prepare;
DROP FUNCTION loyalty_lock;
DROP TYPE loyalty_outcome;
DROP TYPE loyalty_posting;
"""

# Updates that change no indexed column stay on their page (HOT) while it has room.
ROOM = """
ALTER TABLE loyalty_account SET (fillfactor = 80);
ALTER TABLE loyalty_lot SET (fillfactor = 85);
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "\n".join((SQL / f"{name}.sql").read_text() for name in FILES), DROP
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
    ]
