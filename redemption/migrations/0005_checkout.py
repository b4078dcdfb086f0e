"""Tag rules of rewards, and the function that a buyer's checkout is."""

from pathlib import Path

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

CHECKOUT = (Path(__file__).resolve().parent.parent / "sql" / "1_checkout.sql").read_text()

DROP = """
DROP FUNCTION redemption_redeem;
DROP FUNCTION redemption_under_key;
DROP FUNCTION redemption_not_his;
DROP TYPE redemption_answer;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0001_initial'),
        ('loyalty', '0004_units_given_back'),
        ('redemption', '0004_embed'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RewardTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('barred', models.BooleanField(default=False, verbose_name='shuts out')),
            ],
            options={
                'verbose_name': 'tag rule of a reward',
                'verbose_name_plural': 'tag rules of rewards',
                'ordering': ['barred', 'id'],
            },
        ),
        migrations.RemoveIndex(
            model_name='redemption',
            name='redemption_of_reward',
        ),
        migrations.RemoveField(
            model_name='reward',
            name='barred_tags',
        ),
        migrations.RemoveField(
            model_name='reward',
            name='tags',
        ),
        migrations.AddIndex(
            model_name='redemption',
            index=models.Index(fields=['reward', 'member', 'id'], name='redemption_of_reward'),
        ),
        migrations.AddField(
            model_name='rewardtag',
            name='reward',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tag_rules', to='redemption.reward', verbose_name='reward'),
        ),
        migrations.AddField(
            model_name='rewardtag',
            name='tag',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='crm.tag', verbose_name='tag'),
        ),
        migrations.AddConstraint(
            model_name='rewardtag',
            constraint=models.UniqueConstraint(fields=('reward', 'tag'), name='redemption_rewardtag_once'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='address',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='redemption.address', verbose_name='postal address'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='moved_by',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='moved by'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='address',
            trigger=pgtrigger.compiler.Trigger(name='address_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='215231ddc6b8784d55d026736944623eeabcdf63', operation='DELETE', pgid='pgtrigger_address_kept_b98e2', table='redemption_address', when='BEFORE')),
        ),
        migrations.RunSQL(CHECKOUT, DROP),
    ]
