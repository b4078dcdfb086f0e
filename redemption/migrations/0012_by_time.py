"""Let a report of a month read the pages of that month."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("redemption", "0011_one_constraint")]

    operations = [
        migrations.AddIndex(
            model_name="coupon",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["issued_at"], name="redemption_coupon_by_time"
            ),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["placed_at"], name="redemption_by_time"
            ),
        ),
    ]
