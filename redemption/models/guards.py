"""Triggers that make the database itself refuse what the laws of the store forbid."""

import pgtrigger

from redemption.coupons.life import allowed_pairs as coupon_pairs
from redemption.rewards.life import allowed_pairs


def kept(name: str) -> pgtrigger.Trigger:
    """Refuse every update of a row, whoever asks: a correction is a new row."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Truncate,
        func="RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'PK002';",
    )


def kept_while(name: str, condition: str) -> pgtrigger.Trigger:
    """Refuse to delete a row as long as ``condition``, SQL about ``OLD``, holds."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Delete,
        func=f"""
            IF {condition} THEN
                RAISE EXCEPTION 'a row of % is still in use', TG_TABLE_NAME USING ERRCODE = 'PK002';
            END IF;
            RETURN OLD;
        """,
    )


def follows_its_life(name: str) -> pgtrigger.Trigger:
    """Let a redemption move along the edges of ``redemption.rewards.life`` only, and never change what was agreed."""
    pairs = ", ".join(f"('{before}', '{after}')" for before, after in allowed_pairs())
    agreed = ["member_id", "reward_id", "entry_id", "quantity", "points", "cash", "placed_at"]
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in agreed)
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
            IF {changed} THEN
                RAISE EXCEPTION 'what was agreed in redemption % stays', OLD.id USING ERRCODE = 'PK002';
            END IF;
            IF (OLD.state, NEW.state) NOT IN ({pairs}) THEN
                RAISE EXCEPTION 'redemption %: % does not follow %', OLD.id, NEW.state, OLD.state
                    USING ERRCODE = 'PK003';
            END IF;
            IF NEW.cancelled < OLD.cancelled OR NEW.returned < OLD.returned OR NEW.restocked < OLD.restocked THEN
                RAISE EXCEPTION 'redemption %: what came back stays back', OLD.id USING ERRCODE = 'PK003';
            END IF;
            RETURN NEW;
        """,
    )


def tells_its_moves(name: str) -> pgtrigger.Trigger:
    """Write every change of state or quantity into the history, with who made it and why."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        func="""
            INSERT INTO redemption_redemptionmove
                (redemption_id, state_before, state_after, cancelled, returned, at, actor_id, reason)
            VALUES (NEW.id, OLD.state, NEW.state, NEW.cancelled - OLD.cancelled, NEW.returned - OLD.returned,
                    NEW.moved_at, NEW.moved_by_id, NEW.move_reason);
            RETURN NULL;
        """,
        condition=pgtrigger.AnyChange("state", "cancelled", "returned", "carrier", "tracking_number"),
    )


def lives_once(name: str) -> pgtrigger.Trigger:
    """Let a coupon move along the edges of ``redemption.coupons.life`` only, and never change what was agreed. It may
    be made valid for longer, never for less; and one whose points went back is over."""
    pairs = ", ".join(f"('{before}', '{after}')" for before, after in coupon_pairs())
    agreed = ["plan_id", "member_id", "code", "yuan", "points", "entry_id", "key", "issued_at"]
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in agreed)
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
            IF {changed} OR NEW.expires_at < OLD.expires_at OR NEW.points_back < OLD.points_back THEN
                RAISE EXCEPTION 'what was agreed of coupon % stays', OLD.id USING ERRCODE = 'PK002';
            END IF;
            IF NEW.state = OLD.state AND (NEW.used_at IS DISTINCT FROM OLD.used_at
                                          OR NEW.points_back IS DISTINCT FROM OLD.points_back)
               OR NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({pairs})
               OR NEW.state = 'used' AND OLD.points_back > 0 THEN
                RAISE EXCEPTION 'coupon %: % does not follow %', OLD.id, NEW.state, OLD.state
                    USING ERRCODE = 'PK003';
            END IF;
            RETURN NEW;
        """,
    )


def begins_counting(name: str) -> pgtrigger.Trigger:
    """Give every new plan the row that counts what it gives out."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        func="""
            INSERT INTO redemption_planuse (plan_id, coupons, yuan) VALUES (NEW.id, 0, 0);
            RETURN NULL;
        """,
    )
