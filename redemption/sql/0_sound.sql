-- What may stand in the row of a redemption. The table's constraint calls this: spelled out in ten constraints, the same was
-- read anew by every statement that writes one, which took four times as long as the rest of the insert.
CREATE FUNCTION redemption_redemption_sound(
    state text, quantity integer, points bigint, cash numeric, cancelled integer, returned integer, restocked integer,
    pay_until timestamptz, paid_at timestamptz
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN quantity > 0 AND points > 0 AND cash >= 0
           AND cancelled >= 0 AND restocked >= 0 AND returned >= restocked AND quantity >= cancelled + returned
           -- Nothing is left of a redemption that was cancelled or returned, and something is of every other one.
           AND CASE state
                   WHEN 'cancelled' THEN cancelled = quantity
                   WHEN 'returned' THEN returned > 0 AND quantity = cancelled + returned
                   ELSE state IN ('placed', 'awaiting', 'confirmed', 'shipped', 'received')
                        AND quantity > cancelled + returned
               END
           -- Whoever owes cash has a deadline, and nothing is confirmed, sent or received before it is paid.
           AND CASE
                   WHEN cash = 0 THEN pay_until IS NULL AND paid_at IS NULL
                   WHEN paid_at IS NULL THEN pay_until IS NOT NULL AND state IN ('awaiting', 'cancelled')
                   ELSE pay_until IS NOT NULL AND state <> 'awaiting'
               END;
END
$$;

-- What may stand in the row of a coupon.
CREATE FUNCTION redemption_coupon_sound(
    state text, yuan integer, points integer, points_back integer, used_at timestamptz, void_at timestamptz, void_reason text
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN yuan >= 0 AND points >= 0 AND points_back >= 0
           AND state IN ('issued', 'used', 'expired', 'void')
           AND (state = 'used') = (used_at IS NOT NULL)
           -- Whoever makes one void says why.
           AND (state = 'void') = (void_at IS NOT NULL)
           AND (state = 'void') = (void_reason <> '')
           -- Points come back only from one that is over, and no more than were spent.
           AND (points_back = 0 OR state IN ('void', 'expired') AND points_back <= points);
END
$$;
