-- Pending lots whose time has come become available as of that time. At most ``most`` accounts a call, in ascending order
-- after ``after_account``; returns how many accounts, lots and points there were, and the last account seen.
--
-- An entry written here has the key, the digest and the meaning of the maturation that the order's completion would post.
CREATE FUNCTION loyalty_mature_due(
    due timestamptz, recorded timestamptz, zone text, after_account bigint, most integer,
    OUT accounts bigint, OUT lots bigint, OUT points bigint, OUT last_account bigint
) LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
DECLARE
    ids bigint[];
BEGIN
    SELECT array_agg(s.account_id)
      INTO ids
      FROM (
          SELECT DISTINCT l.account_id
            FROM loyalty_lot AS l
           WHERE l.open AND l.pending AND l.available_at <= due AND l.account_id > after_account
           ORDER BY l.account_id
           LIMIT most
      ) AS s;
    last_account := ids[array_upper(ids, 1)];

    PERFORM FROM loyalty_account AS a WHERE a.member_id = ANY (ids) ORDER BY a.member_id FOR NO KEY UPDATE;

    WITH moves AS (
        SELECT l.id AS lot_id, l.account_id, l.remaining AS waiting, l.available_at, about.id AS about_id,
               about.key AS about_key, about.order_id, about.reference, about.trace,
               coalesce((about.trace ->> 'policy')::integer, 0) AS policy,
               a.balance + sum(l.remaining)
                   OVER (PARTITION BY l.account_id ORDER BY l.available_at, l.id) AS balance_after
          FROM loyalty_lot AS l
          JOIN loyalty_account AS a ON a.member_id = l.account_id
          JOIN loyalty_entry AS about ON about.id = l.entry_id
         WHERE l.account_id = ANY (ids) AND l.open AND l.pending AND l.available_at <= due
    ), policies AS (
        SELECT p.policy, loyalty_policy(p.policy) AS validity FROM (SELECT DISTINCT policy FROM moves) AS p
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, about_id, reference, reason, trace
        )
        SELECT account_id, 'maturation', waiting, -waiting, 0, balance_after, about_key || ':maturation',
               substring(sha256(convert_to(account_id || '=' || about_key, 'UTF8')) FROM 1 FOR 16),
               available_at, recorded, order_id, about_id, reference, '',
               jsonb_strip_nulls(jsonb_build_object(
                   'set', trace -> 'set', 'paid', trace -> 'paid', 'policy', trace -> 'policy', 'unconfirmed', TRUE
               ))
          FROM moves
         ORDER BY account_id, available_at, lot_id
        RETURNING id, about_id
    ), matured AS (
        UPDATE loyalty_lot AS l
           SET pending = FALSE, expires_at = loyalty_valid_until(p.validity, m.available_at, zone),
               remaining = l.remaining - least(m.waiting, greatest(m.waiting - m.balance_after, 0))
          FROM moves AS m
          JOIN policies AS p USING (policy)
         WHERE l.id = m.lot_id
        RETURNING l.id, l.remaining
    ), settled AS (
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
        SELECT e.id, l.id, m.waiting - l.remaining
          FROM matured AS l
          JOIN moves AS m ON m.lot_id = l.id
          JOIN entries AS e ON e.about_id = m.about_id
         WHERE l.remaining < m.waiting
    ), sums AS (
        UPDATE loyalty_account AS a
           SET balance = a.balance + s.points, pending = a.pending - s.points, version = a.version + 1
          FROM (SELECT account_id, sum(waiting) AS points FROM moves GROUP BY account_id) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT count(DISTINCT m.account_id), count(*), coalesce(sum(m.waiting), 0) INTO accounts, lots, points FROM moves AS m;

    IF EXISTS (SELECT FROM loyalty_validitypolicy WHERE kind = 'account_renewal') THEN
        PERFORM loyalty_renew_by_purchases(ids, recorded, zone);
    END IF;
END
$$;
