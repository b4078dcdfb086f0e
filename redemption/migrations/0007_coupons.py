"""Coupon plans with special ratios, limits, budgets and pools of codes, and the function that a buyer's checkout is."""

from pathlib import Path

import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

CHECKOUT = (Path(__file__).resolve().parent.parent / "sql" / "2_coupons.sql").read_text()

DROP = """
DROP FUNCTION redemption_take_coupon;
DROP FUNCTION redemption_coupon_under_key;
DROP FUNCTION redemption_coupon_obstacle;
DROP FUNCTION redemption_special;
"""

COUNT = """
INSERT INTO redemption_planuse (plan_id, coupons, yuan)
SELECT p.id, count(c.id), coalesce(sum(c.yuan), 0)
  FROM redemption_couponplan AS p
  LEFT JOIN redemption_coupon AS c ON c.plan_id = p.id AND c.state <> 'void'
 GROUP BY p.id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0006_scheme_previews'),
        ('loyalty', '0004_units_given_back'),
        ('redemption', '0006_embed_traditional'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PlanUse',
            fields=[
                ('plan', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='use', serialize=False, to='redemption.couponplan', verbose_name='plan')),
                ('coupons', models.PositiveIntegerField(default=0, verbose_name='coupons given out')),
                ('yuan', models.PositiveBigIntegerField(default=0, verbose_name='yuan given out')),
            ],
            options={
                'verbose_name': 'use of a plan',
                'verbose_name_plural': 'use of plans',
            },
        ),
        migrations.CreateModel(
            name='PlanWindow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('points_per_yuan', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)], verbose_name='points for one yuan')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(verbose_name='until')),
                ('limit', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='coupons a member may have meanwhile')),
            ],
            options={
                'verbose_name': 'special ratio',
                'verbose_name_plural': 'special ratios',
                'ordering': ['starts_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='PoolCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('yuan', models.PositiveIntegerField(verbose_name='worth (yuan)')),
                ('code', models.CharField(max_length=64, unique=True, verbose_name='code')),
                ('valid_until', models.DateTimeField(blank=True, null=True, verbose_name='taken by the platform until')),
                ('added_at', models.DateTimeField(verbose_name='added')),
            ],
            options={
                'verbose_name': 'code of the shop platform',
                'verbose_name_plural': 'codes of the shop platform',
                'ordering': ['id'],
            },
        ),
        migrations.AlterModelOptions(
            name='coupon',
            options={'ordering': ['-id'], 'permissions': [('use_coupon', 'Can mark coupons as used'), ('void_coupon', 'Can make coupons void'), ('export_coupon', 'Can export coupons with their codes')], 'verbose_name': 'coupon', 'verbose_name_plural': 'coupons'},
        ),
        migrations.AlterModelOptions(
            name='couponplan',
            options={'ordering': ['id'], 'permissions': [('preview_couponplan', 'Can look at coupon plans as a member would see them')], 'verbose_name': 'coupon plan', 'verbose_name_plural': 'coupon plans'},
        ),
        migrations.RemoveConstraint(
            model_name='coupon',
            name='redemption_coupon_state',
        ),
        migrations.AddField(
            model_name='coupon',
            name='order_no',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='order number'),
        ),
        migrations.AddField(
            model_name='coupon',
            name='points_back',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='points given back'),
        ),
        migrations.AddField(
            model_name='coupon',
            name='used_in',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='crm.channel', verbose_name='used in the shop'),
        ),
        migrations.AddField(
            model_name='coupon',
            name='void_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='void since'),
        ),
        migrations.AddField(
            model_name='coupon',
            name='void_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made void by'),
        ),
        migrations.AddField(
            model_name='coupon',
            name='void_reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=300, verbose_name='why it is void'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='budget_coupons',
            field=models.PositiveIntegerField(blank=True, help_text='How many coupons this plan may give out.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='budget (coupons)'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='budget_yuan',
            field=models.PositiveIntegerField(blank=True, help_text='What all coupons of this plan together may be worth.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='budget (yuan)'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='expiry_gives_back',
            field=models.BooleanField(db_default=False, default=False, verbose_name='expired unused: the points go back'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='least_yuan',
            field=models.PositiveIntegerField(blank=True, help_text='Leave empty if buyers choose among the denominations only.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='any amount from (yuan)'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='limit_day',
            field=models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='coupons a member may have a day'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='limit_ever',
            field=models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='coupons a member may ever have'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='limit_window',
            field=models.PositiveIntegerField(blank=True, help_text='Counted from the day on which the offer begins, so that the next offer counts anew.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='coupons a member may have while it is offered'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='low_codes',
            field=models.PositiveIntegerField(db_default=50, default=50, help_text='For codes from a file, of each denomination.', verbose_name='warn when fewer codes are left than'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='min_tier',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='crm.tier', verbose_name='from this tier up'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='most_yuan',
            field=models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='any amount up to (yuan)'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='source',
            field=models.CharField(choices=[('generated', 'Made by this system, checked by your staff'), ('pool', "Your shop platform's own codes, uploaded as a file")], db_default='generated', default='generated', max_length=10, verbose_name='codes'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='step_yuan',
            field=models.PositiveIntegerField(db_default=1, default=1, validators=[django.core.validators.MinValueValidator(1)], verbose_name='in steps of (yuan)'),
        ),
        migrations.AddField(
            model_name='couponplan',
            name='void_gives_back',
            field=models.BooleanField(db_default=True, default=True, help_text='What happens when your staff make a coupon void.', verbose_name='void: the points go back'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='code',
            field=models.CharField(max_length=64, unique=True, verbose_name='code'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='entry',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.entry', verbose_name='entry'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='member',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='coupons', to='crm.member', verbose_name='member'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='plan',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, to='redemption.couponplan', verbose_name='plan'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='state',
            field=models.CharField(choices=[('issued', 'Ready to use'), ('used', 'Used'), ('expired', 'Expired'), ('void', 'Void')], default='issued', max_length=10, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='couponplan',
            name='points_per_yuan',
            field=models.PositiveIntegerField(default=10, validators=[django.core.validators.MinValueValidator(1)], verbose_name='points for one yuan'),
        ),
        migrations.AlterField(
            model_name='couponplan',
            name='validity_days',
            field=models.PositiveIntegerField(default=90, validators=[django.core.validators.MinValueValidator(1)], verbose_name='coupon valid for (days)'),
        ),
        migrations.AddIndex(
            model_name='coupon',
            index=models.Index(condition=models.Q(('state', 'issued')), fields=['expires_at', 'id'], name='redemption_coupon_ready'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='coupon',
            trigger=pgtrigger.compiler.Trigger(name='coupon_lives_once', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n            IF NEW.plan_id IS DISTINCT FROM OLD.plan_id OR NEW.member_id IS DISTINCT FROM OLD.member_id OR NEW.code IS DISTINCT FROM OLD.code OR NEW.yuan IS DISTINCT FROM OLD.yuan OR NEW.points IS DISTINCT FROM OLD.points OR NEW.entry_id IS DISTINCT FROM OLD.entry_id OR NEW.key IS DISTINCT FROM OLD.key OR NEW.issued_at IS DISTINCT FROM OLD.issued_at OR NEW.expires_at < OLD.expires_at OR NEW.points_back < OLD.points_back THEN\n                RAISE EXCEPTION 'what was agreed of coupon % stays', OLD.id USING ERRCODE = 'PK002';\n            END IF;\n            IF NEW.state = OLD.state AND (NEW.used_at IS DISTINCT FROM OLD.used_at\n                                          OR NEW.points_back IS DISTINCT FROM OLD.points_back)\n               OR NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (('issued', 'expired'), ('issued', 'used'), ('issued', 'void'), ('expired', 'used'))\n               OR NEW.state = 'used' AND OLD.points_back > 0 THEN\n                RAISE EXCEPTION 'coupon %: % does not follow %', OLD.id, NEW.state, OLD.state\n                    USING ERRCODE = 'PK003';\n            END IF;\n            RETURN NEW;\n        ", hash='086171df6a7e295658f8a61e79a9168e16cd5c88', operation='UPDATE', pgid='pgtrigger_coupon_lives_once_ccbe8', table='redemption_coupon', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='coupon',
            trigger=pgtrigger.compiler.Trigger(name='coupon_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='51f67bc91798c577d25ab84cf20bb085f28cdf3a', operation='DELETE', pgid='pgtrigger_coupon_kept_be7fd', table='redemption_coupon', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='couponplan',
            trigger=pgtrigger.compiler.Trigger(name='plan_begins_counting', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n            INSERT INTO redemption_planuse (plan_id, coupons, yuan) VALUES (NEW.id, 0, 0);\n            RETURN NULL;\n        ', hash='114d3f090010ad1253bb20a3ca8cf075d8bad05c', operation='INSERT', pgid='pgtrigger_plan_begins_counting_e28f8', table='redemption_couponplan', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='couponplan',
            trigger=pgtrigger.compiler.Trigger(name='plan_kept_while_taken', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n            IF EXISTS (SELECT FROM redemption_coupon AS c WHERE c.plan_id = OLD.id) THEN\n                RAISE EXCEPTION 'a row of % is still in use', TG_TABLE_NAME USING ERRCODE = 'PK002';\n            END IF;\n            RETURN OLD;\n        ", hash='f6104d489aead809deb9d8da9eac8c96a43e4a49', operation='DELETE', pgid='pgtrigger_plan_kept_while_taken_15589', table='redemption_couponplan', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['issued', 'used', 'expired', 'void'])), name='redemption_coupon_state'),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'void'), ('void_at__isnull', False), models.Q(('void_reason', ''), _negated=True)), models.Q(models.Q(('state', 'void'), _negated=True), ('void_at', None), ('void_reason', '')), _connector='OR'), name='redemption_coupon_void_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(('points_back', 0), models.Q(('points_back__lte', models.F('points')), ('state__in', ['void', 'expired'])), _connector='OR'), name='redemption_coupon_points_back_when_over'),
        ),
        migrations.AddConstraint(
            model_name='couponplan',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('least_yuan', None), ('most_yuan', None)), models.Q(('least_yuan__gt', 0), ('most_yuan__gte', models.F('least_yuan')), ('step_yuan__gt', 0)), _connector='OR'), name='redemption_plan_amounts_in_order'),
        ),
        migrations.AddConstraint(
            model_name='couponplan',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['generated', 'pool'])), name='redemption_plan_source'),
        ),
        migrations.AddConstraint(
            model_name='couponplan',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('source', 'pool'), _negated=True), ('least_yuan', None), _connector='OR'), name='redemption_plan_pool_has_values'),
        ),
        migrations.AddField(
            model_name='planwindow',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='windows', to='redemption.couponplan', verbose_name='plan'),
        ),
        migrations.AddField(
            model_name='poolcode',
            name='coupon',
            field=models.OneToOneField(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='pool_code', to='redemption.coupon', verbose_name='coupon'),
        ),
        migrations.AddField(
            model_name='poolcode',
            name='plan',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='pool', to='redemption.couponplan', verbose_name='plan'),
        ),
        migrations.AddIndex(
            model_name='planwindow',
            index=models.Index(fields=['plan', 'starts_at'], name='redemption_planwindow_of_plan'),
        ),
        migrations.AddConstraint(
            model_name='planwindow',
            constraint=models.CheckConstraint(condition=models.Q(('points_per_yuan__gt', 0)), name='redemption_planwindow_ratio_positive'),
        ),
        migrations.AddConstraint(
            model_name='planwindow',
            constraint=models.CheckConstraint(condition=models.Q(('starts_at__lt', models.F('ends_at'))), name='redemption_planwindow_in_order'),
        ),
        migrations.AddIndex(
            model_name='poolcode',
            index=models.Index(condition=models.Q(('coupon', None)), fields=['plan', 'yuan', 'id'], name='redemption_poolcode_free'),
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        # A rush changes one row a thousand times a minute: all its versions fit on its page.
        migrations.RunSQL("ALTER TABLE redemption_planuse SET (fillfactor = 10)", migrations.RunSQL.noop),
        migrations.RunSQL(CHECKOUT, DROP),
    ]
