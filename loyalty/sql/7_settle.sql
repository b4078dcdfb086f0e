-- Held points are spent: they leave the held sum for good. The lots gave them when they were set aside. A posting without
-- points spends all that is still held; one that asks for more than that is refused, and the batch with it.
--
-- Written posting by posting, as draws are.
CREATE FUNCTION loyalty_settle(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    prepared record := loyalty_prepare(batch, FALSE);
    posting loyalty_posting;
    held_by record;
    spent bigint;
    left_behind bigint;
    entry bigint;
BEGIN
    IF prepared.known IS NOT NULL THEN
        RETURN QUERY SELECT o.* FROM unnest(prepared.known) AS o;
    END IF;
    IF prepared.conflict OR prepared.fresh IS NULL THEN
        RETURN;
    END IF;

    RETURN QUERY
    SELECT a.seq, 'short', NULL::bigint, 0::bigint, 0::bigint, NULL::bigint, a.open
      FROM (
          SELECT p.seq, coalesce(h.open, 0) AS open,
                 sum(CASE WHEN p.points = 0 THEN coalesce(h.open, 0) ELSE p.points END)
                     OVER (PARTITION BY p.about_key) AS wanted
            FROM unnest(prepared.fresh) AS p
            LEFT JOIN LATERAL (
                SELECT x.points - x.captured - x.released AS open
                  FROM loyalty_entry AS about
                  JOIN loyalty_hold AS x ON x.entry_id = about.id
                 WHERE about.key = p.about_key AND about.account_id = p.account_id
            ) AS h ON TRUE
      ) AS a
     WHERE a.wanted > a.open OR a.open = 0;
    IF FOUND THEN
        RETURN;
    END IF;

    FOREACH posting IN ARRAY prepared.fresh LOOP
        SELECT h.id, h.entry_id, h.points - h.captured - h.released AS open
          INTO held_by
          FROM loyalty_entry AS about
          JOIN loyalty_hold AS h ON h.entry_id = about.id
         WHERE about.key = posting.about_key;
        spent := CASE WHEN posting.points = 0 THEN held_by.open ELSE posting.points END;

        WITH entries AS (
            INSERT INTO loyalty_entry (
                account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
                order_id, about_id, reference, reason, actor_id, trace
            )
            SELECT a.member_id, posting.kind, 0, 0, -spent, a.balance, posting.key, posting.digest,
                   posting.effective_at, recorded, posting.order_id, held_by.entry_id, posting.reference,
                   posting.reason, posting.actor_id, posting.trace
              FROM loyalty_account AS a
             WHERE a.member_id = posting.account_id
            RETURNING id, balance_after
        ), holds AS (
            UPDATE loyalty_hold AS h SET captured = h.captured + spent WHERE h.id = held_by.id
        ), accounts AS (
            UPDATE loyalty_account AS a
               SET held = a.held - spent, version = a.version + 1
             WHERE a.member_id = posting.account_id
        )
        SELECT e.id, e.balance_after INTO entry, left_behind FROM entries AS e;

        RETURN NEXT (posting.seq, 'posted', entry, 0, 0, left_behind, NULL)::loyalty_outcome;
    END LOOP;
END
$$;
