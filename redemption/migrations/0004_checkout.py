"""Tag rules of rewards, and the function that a buyer's checkout is."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CHECKOUT = (Path(__file__).resolve().parent.parent / "sql" / "1_checkout.sql").read_text()

DROP = """
DROP FUNCTION redemption_redeem;
DROP FUNCTION redemption_under_key;
DROP FUNCTION redemption_obstacle;
DROP FUNCTION redemption_not_his;
DROP TYPE redemption_answer;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0001_initial'),
        ('loyalty', '0004_units_given_back'),
        ('redemption', '0003_look'),
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
        migrations.RunSQL(CHECKOUT, DROP),
    ]
