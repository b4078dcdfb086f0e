-- What is left of lots whose validity has ended leaves the given accounts, one entry a lot. The caller has locked them.
CREATE FUNCTION loyalty_expire_accounts(
    ids bigint[], due timestamptz, recorded timestamptz, overdue_only boolean,
    OUT accounts bigint, OUT lots bigint, OUT points bigint
) LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
BEGIN
    WITH moves AS (
        SELECT l.id AS lot_id, l.account_id, l.entry_id, l.remaining, l.expires_at,
               -- A lot that got points back after its end, without a new validity, expires a second time.
               'lot:' || l.id || ':expiry:' || to_char(l.expires_at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MI') || (
                   SELECT CASE WHEN count(*) > 0 THEN ':' || count(*) + 1 ELSE '' END
                     FROM loyalty_lotuse AS u
                     JOIN loyalty_entry AS x ON x.id = u.entry_id AND x.kind = 'expiry'
                    WHERE u.lot_id = l.id
               ) AS key,
               a.balance - sum(l.remaining)
                   OVER (PARTITION BY l.account_id ORDER BY l.expires_at, l.id) AS balance_after
          FROM loyalty_lot AS l
          JOIN loyalty_account AS a ON a.member_id = l.account_id
         WHERE l.account_id = ANY (ids) AND l.open AND NOT l.pending AND l.expires_at <= due
           AND (
               NOT overdue_only
               OR EXISTS (SELECT FROM loyalty_entry AS e WHERE e.id = l.entry_id AND e.recorded_at < l.expires_at)
           )
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            about_id, reference, reason, trace
        )
        SELECT account_id, 'expiry', -remaining, 0, 0, balance_after, key,
               substring(sha256(convert_to(key || '=' || remaining, 'UTF8')) FROM 1 FOR 16), expires_at, recorded,
               entry_id, '', '', jsonb_build_object('expired', remaining)
          FROM moves
         ORDER BY account_id, expires_at, lot_id
        RETURNING id, key
    ), uses AS (
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
        SELECT e.id, m.lot_id, m.remaining FROM moves AS m JOIN entries AS e ON e.key = m.key
    ), drawn AS (
        UPDATE loyalty_lot AS l SET remaining = 0 FROM moves AS m WHERE l.id = m.lot_id
    ), sums AS (
        UPDATE loyalty_account AS a
           SET balance = a.balance - s.points, version = a.version + 1
          FROM (SELECT account_id, sum(remaining) AS points FROM moves GROUP BY account_id) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT count(DISTINCT m.account_id), count(*), coalesce(sum(m.remaining), 0) INTO accounts, lots, points FROM moves AS m;
END
$$;

-- Before points are taken back: what lapsed since it was recorded leaves the given accounts, even if the night has not come
-- round to take it. Else it would pay for what is taken back, and a debt would depend on the hour of the night. What had
-- lapsed before it was recorded, as in an import of old orders, waits for the night: no night could have come between, and
-- the sequence of the files must not matter.
CREATE FUNCTION loyalty_expire_overdue(ids bigint[], recorded timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM loyalty_lock(ids, NULL);
    PERFORM loyalty_expire_accounts(ids, recorded, recorded, TRUE);
END
$$;

-- What is left of all lots whose validity has ended, for at most ``most`` accounts a call, in ascending order after
-- ``after_account``; returns how many accounts, lots and points there were, and the last account seen.
CREATE FUNCTION loyalty_expire(
    due timestamptz, recorded timestamptz, after_account bigint, most integer,
    OUT accounts bigint, OUT lots bigint, OUT points bigint, OUT last_account bigint
) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
BEGIN
    SELECT array_agg(s.account_id)
      INTO ids
      FROM (
          SELECT DISTINCT l.account_id
            FROM loyalty_lot AS l
           WHERE l.open AND NOT l.pending AND l.expires_at <= due AND l.account_id > after_account
           ORDER BY l.account_id
           LIMIT most
      ) AS s;
    last_account := ids[array_upper(ids, 1)];

    PERFORM FROM loyalty_account AS a WHERE a.member_id = ANY (ids) ORDER BY a.member_id FOR NO KEY UPDATE;

    SELECT e.accounts, e.lots, e.points
      INTO accounts, lots, points
      FROM loyalty_expire_accounts(ids, due, recorded, FALSE) AS e;
END
$$;
