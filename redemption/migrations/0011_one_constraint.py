"""What may stand in a redemption or a coupon is one constraint each, and their checkouts hand the journal a posting."""

from pathlib import Path

from django.db import migrations, models

_SQL = Path(__file__).resolve().parent.parent / "sql"
SOUND = (_SQL / "0_sound.sql").read_text()
CHECKOUTS = (_SQL / "1_checkout.sql").read_text(), (_SQL / "2_coupons.sql").read_text()
TYPE = CHECKOUTS[0][CHECKOUTS[0].index("CREATE TYPE") : CHECKOUTS[0].index(");") + 2]

DROP_SOUND = """
DROP FUNCTION redemption_redemption_sound;
DROP FUNCTION redemption_coupon_sound;
"""
# A database that was made before has these; a new one has not.
DROP_FORMER = """
DROP FUNCTION IF EXISTS redemption_obstacle;
DROP FUNCTION IF EXISTS redemption_not_his(redemption_reward, integer, bigint[]);
DROP FUNCTION IF EXISTS redemption_coupon_limits;
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0006_draw_one"), ("redemption", "0010_plan_visibility")]

    operations = [
        migrations.RunSQL(SOUND, DROP_SOUND),
        migrations.RemoveConstraint(
            model_name='coupon',
            name='redemption_coupon_used_has_time',
        ),
        migrations.RemoveConstraint(
            model_name='coupon',
            name='redemption_coupon_state',
        ),
        migrations.RemoveConstraint(
            model_name='coupon',
            name='redemption_coupon_void_has_reason',
        ),
        migrations.RemoveConstraint(
            model_name='coupon',
            name='redemption_coupon_points_back_when_over',
        ),
        migrations.RemoveConstraint(
            model_name='redemption',
            name='redemption_redemption_state_known',
        ),
        migrations.RemoveConstraint(
            model_name='redemption',
            name='redemption_redemption_price',
        ),
        migrations.RemoveConstraint(
            model_name='redemption',
            name='redemption_redemption_parts_in_range',
        ),
        migrations.RemoveConstraint(
            model_name='redemption',
            name='redemption_redemption_ends_when_nothing_is_left',
        ),
        migrations.RemoveConstraint(
            model_name='redemption',
            name='redemption_redemption_paid_before_it_goes_on',
        ),
        migrations.AlterField(
            model_name='coupon',
            name='points',
            field=models.IntegerField(verbose_name='points spent'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='points_back',
            field=models.IntegerField(db_default=0, default=0, verbose_name='points given back'),
        ),
        migrations.AlterField(
            model_name='coupon',
            name='yuan',
            field=models.IntegerField(verbose_name='worth (yuan)'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='cancelled',
            field=models.IntegerField(db_default=0, default=0, verbose_name='cancelled'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='points',
            field=models.BigIntegerField(verbose_name='points'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='quantity',
            field=models.IntegerField(verbose_name='pieces'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='restocked',
            field=models.IntegerField(db_default=0, default=0, verbose_name='back in stock'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='returned',
            field=models.IntegerField(db_default=0, default=0, verbose_name='returned'),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Func('state', 'yuan', 'points', 'points_back', 'used_at', 'void_at', 'void_reason', function='redemption_coupon_sound', output_field=models.BooleanField()), name='redemption_coupon_sound'),
        ),
        migrations.AddConstraint(
            model_name='redemption',
            constraint=models.CheckConstraint(condition=models.Func('state', 'quantity', 'points', 'cash', 'cancelled', 'returned', 'restocked', 'pay_until', 'paid_at', function='redemption_redemption_sound', output_field=models.BooleanField()), name='redemption_redemption_sound'),
        ),
        migrations.RunSQL(
            [DROP_FORMER, *(sql.replace(TYPE, "").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION") for sql in CHECKOUTS)],
            migrations.RunSQL.noop,
        ),
    ]
