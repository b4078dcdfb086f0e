-- Pending points become available: the whole of what is left of the lot that the named accrual made. Debt is settled
-- first here too.
CREATE FUNCTION loyalty_mature(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
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
    WITH moves AS (
        SELECT p.*, l.id AS lot_id, l.remaining AS waiting, about.id AS about_id,
               a.balance + sum(l.remaining) OVER (PARTITION BY p.account_id ORDER BY p.seq) AS balance_after
          FROM (
              -- A lot matures once, even if a batch names its accrual under two keys.
              SELECT DISTINCT ON (f.account_id, f.about_key) f.*
                FROM unnest(prepared.fresh) AS f
               ORDER BY f.account_id, f.about_key, f.seq
          ) AS p
          JOIN loyalty_account AS a ON a.member_id = p.account_id
          JOIN loyalty_entry AS about ON about.key = p.about_key AND about.account_id = p.account_id
          JOIN loyalty_lot AS l ON l.entry_id = about.id AND l.pending AND l.remaining > 0
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, about_id, reference, reason, actor_id, trace
        )
        SELECT account_id, kind, waiting, -waiting, 0, balance_after, key, digest, effective_at, recorded,
               order_id, about_id, reference, reason, actor_id, trace
          FROM moves
         ORDER BY seq
        RETURNING id, key
    ), lots AS (
        UPDATE loyalty_lot AS l
           SET pending = FALSE, available_at = m.effective_at, expires_at = m.expires_at,
               remaining = l.remaining - least(m.waiting, greatest(m.waiting - m.balance_after, 0))
          FROM moves AS m
         WHERE l.id = m.lot_id
        RETURNING l.id, l.remaining
    ), settled AS (
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
        SELECT e.id, l.id, m.waiting - l.remaining
          FROM lots AS l
          JOIN moves AS m ON m.lot_id = l.id
          JOIN entries AS e ON e.key = m.key
         WHERE l.remaining < m.waiting
    ), accounts AS (
        UPDATE loyalty_account AS a
           SET balance = a.balance + s.points, pending = a.pending - s.points, version = a.version + 1
          FROM (SELECT account_id, sum(waiting) AS points FROM moves GROUP BY account_id) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT p.seq, CASE WHEN e.id IS NULL THEN 'nothing' ELSE 'posted' END, e.id,
           coalesce(m.waiting, 0), coalesce(-m.waiting, 0), m.balance_after::bigint, NULL::bigint
      FROM unnest(prepared.fresh) AS p
      LEFT JOIN moves AS m ON m.key = p.key
      LEFT JOIN entries AS e ON e.key = p.key
    UNION ALL
    SELECT o.* FROM unnest(prepared.known) AS o;
END
$$;
