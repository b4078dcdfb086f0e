-- Held points are spent: they leave the held sum for good. The lots gave them when they were set aside. A posting without
-- points spends all that is still held; one that asks for more than that is refused, and the batch with it.
CREATE FUNCTION loyalty_settle(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
DECLARE
    prepared record;
BEGIN
    SELECT * INTO prepared FROM loyalty_prepare(batch, FALSE);
    IF prepared.conflict THEN
        RETURN QUERY SELECT o.* FROM unnest(prepared.known) AS o;
        RETURN;
    END IF;

    RETURN QUERY
    WITH asked AS (
        SELECT p.*, h.id AS hold_id, coalesce(h.points - h.captured - h.released, 0) AS open
          FROM unnest(prepared.fresh) AS p
          LEFT JOIN loyalty_entry AS about ON about.key = p.about_key AND about.account_id = p.account_id
          LEFT JOIN loyalty_hold AS h ON h.entry_id = about.id
    )
    SELECT a.seq, 'short', NULL::bigint, 0::bigint, 0::bigint, NULL::bigint, a.open
      FROM asked AS a
      JOIN (
          SELECT about_key, sum(CASE WHEN points = 0 THEN open ELSE points END) AS wanted FROM asked GROUP BY about_key
      ) AS w USING (about_key)
     WHERE w.wanted > a.open OR a.open = 0;
    IF FOUND THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH moves AS (
        SELECT p.*, h.id AS hold_id, about.id AS about_id, b.balance,
               CASE WHEN p.points = 0 THEN h.points - h.captured - h.released ELSE p.points END AS spent
          FROM unnest(prepared.fresh) AS p
          JOIN loyalty_account AS b ON b.member_id = p.account_id
          JOIN loyalty_entry AS about ON about.key = p.about_key AND about.account_id = p.account_id
          JOIN loyalty_hold AS h ON h.entry_id = about.id
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, about_id, reference, reason, actor_id, trace
        )
        SELECT account_id, kind, 0, 0, -spent, balance, key, digest, effective_at, recorded,
               order_id, about_id, reference, reason, actor_id, trace
          FROM moves
         ORDER BY seq
        RETURNING id, key
    ), holds AS (
        UPDATE loyalty_hold AS h
           SET captured = h.captured + s.points
          FROM (SELECT hold_id, sum(spent) AS points FROM moves GROUP BY hold_id) AS s
         WHERE h.id = s.hold_id
    ), accounts AS (
        UPDATE loyalty_account AS a
           SET held = a.held - s.points, version = a.version + 1
          FROM (SELECT account_id, sum(spent) AS points FROM moves GROUP BY account_id) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT m.seq, 'posted', e.id, 0::bigint, 0::bigint, m.balance, NULL::bigint
      FROM moves AS m
      JOIN entries AS e ON e.key = m.key
    UNION ALL
    SELECT o.* FROM unnest(prepared.known) AS o;
END
$$;
