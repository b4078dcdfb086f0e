-- Points come in: one entry and one lot each. An account in debt settles it first, so the lot is born with less than it
-- was accrued with, and a lot use says where the rest went.
CREATE FUNCTION loyalty_accrue(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
DECLARE
    prepared record;
BEGIN
    SELECT * INTO prepared FROM loyalty_prepare(batch, TRUE);
    IF prepared.conflict THEN
        RETURN QUERY SELECT o.* FROM unnest(prepared.known) AS o;
        RETURN;
    END IF;

    RETURN QUERY
    WITH moves AS (
        SELECT p.*,
               CASE WHEN p.pending THEN 0 ELSE p.points END AS now_points,
               CASE WHEN p.pending THEN p.points ELSE 0 END AS later_points,
               a.balance + sum(CASE WHEN p.pending THEN 0 ELSE p.points END)
                   OVER (PARTITION BY p.account_id ORDER BY p.seq) AS balance_after
          FROM unnest(prepared.fresh) AS p
          JOIN loyalty_account AS a ON a.member_id = p.account_id
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, reference, reason, actor_id, trace
        )
        SELECT account_id, kind, now_points, later_points, 0, balance_after, key, digest, effective_at, recorded,
               order_id, reference, reason, actor_id, trace
          FROM moves
         ORDER BY seq
        RETURNING id, key
    ), lots AS (
        INSERT INTO loyalty_lot (account_id, entry_id, points, remaining, pending, available_at, expires_at)
        SELECT m.account_id, e.id, m.points,
               -- The debt before this posting is what the balance after it lacks to the points it brought.
               m.points - least(m.now_points, greatest(m.now_points - m.balance_after, 0)),
               m.pending, m.available_at, CASE WHEN m.pending THEN NULL ELSE m.expires_at END
          FROM moves AS m
          JOIN entries AS e ON e.key = m.key
         ORDER BY m.seq
        RETURNING id, entry_id, points, remaining
    ), settled AS (
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
        SELECT entry_id, id, points - remaining FROM lots WHERE remaining < points
    ), accounts AS (
        UPDATE loyalty_account AS a
           SET balance = a.balance + s.points, pending = a.pending + s.pending, version = a.version + 1
          FROM (
              SELECT account_id, sum(now_points) AS points, sum(later_points) AS pending
                FROM moves GROUP BY account_id
          ) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT m.seq, 'posted', e.id, m.now_points, m.later_points, m.balance_after::bigint, NULL::bigint
      FROM moves AS m
      JOIN entries AS e ON e.key = m.key
    UNION ALL
    SELECT o.* FROM unnest(prepared.known) AS o;
END
$$;
