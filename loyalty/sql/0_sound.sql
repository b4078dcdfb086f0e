-- What a line of each kind may move. The table's constraint calls this: spelled out in the constraint, the same would be
-- read anew by every statement that writes a line, which took a fifth of a burn's time; a function is read once a session.
CREATE FUNCTION loyalty_entry_sound(
    kind text, points bigint, pending bigint, held bigint, balance_after bigint, reason text
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE kind
               WHEN 'accrual' THEN points >= 0 AND pending >= 0
               WHEN 'maturation' THEN points > 0 AND points = -pending
               WHEN 'burn' THEN points < 0
               WHEN 'hold' THEN held > 0 AND points = -held
               WHEN 'capture' THEN held < 0 AND points = 0
               WHEN 'release' THEN points > 0 AND points = -held
               WHEN 'expiry' THEN points < 0
               WHEN 'adjustment' THEN reason <> ''
               ELSE kind IN ('opening', 'reversal')
           END
           AND (points <> 0 OR pending <> 0 OR held <> 0)
           -- Law 3: only taking back may leave less than nothing.
           AND (points >= 0 OR balance_after >= 0 OR kind = 'reversal');
END
$$;
