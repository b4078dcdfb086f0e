-- An accrual is taken back, whole or in part. The lot that it made gives first, then the account's other lots, first in,
-- first out; what is still missing stays as debt that later accruals settle. Points of that lot which have expired
-- meanwhile count as taken. A lot that is still pending gives from the pending sum.
CREATE FUNCTION loyalty_reverse(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
DECLARE
    prepared record;
BEGIN
    SELECT * INTO prepared FROM loyalty_prepare(batch, TRUE);
    IF prepared.conflict THEN
        RETURN QUERY SELECT o.* FROM unnest(prepared.known) AS o;
        RETURN;
    END IF;

    PERFORM loyalty_expire_overdue(array_agg(DISTINCT p.account_id), recorded)
       FROM unnest(prepared.fresh) AS p
     HAVING count(*) > 0;

    RETURN QUERY
    WITH asked AS (
        SELECT p.*, about.id AS about_id, l.id AS lot_id, coalesce(l.remaining, 0) AS own,
               coalesce(l.pending, FALSE) AS waiting,
               coalesce((
                   SELECT sum(u.points)
                     FROM loyalty_lotuse AS u
                     JOIN loyalty_entry AS x ON x.id = u.entry_id AND x.kind = 'expiry'
                    WHERE u.lot_id = l.id
               ), 0) AS expired,
               sum(p.points) OVER (PARTITION BY p.account_id, p.about_key ORDER BY p.seq) AS upto
          FROM unnest(prepared.fresh) AS p
          LEFT JOIN loyalty_entry AS about ON about.key = p.about_key AND about.account_id = p.account_id
          LEFT JOIN loyalty_lot AS l ON l.entry_id = about.id
    ), capped AS (
        -- Of what is to be taken back in all, now and before, expired points are gone already, and no more than the
        -- accrual brought can go; so it comes to the same whether a lot lapsed before its return or after. An accrual
        -- that the account never had is not taken back at all. A posting that names none takes what it says.
        SELECT a.*,
               CASE
                   WHEN coalesce(a.about_key, '') = '' THEN a.points
                   WHEN a.about_id IS NULL THEN 0
                   WHEN a.waiting THEN least(a.points, greatest(a.own - (a.upto - a.points), 0))
                   ELSE greatest(least(made.reversed + a.upto, made.points) - a.expired, made.reversed)
                        - greatest(least(made.reversed + a.upto - a.points, made.points) - a.expired, made.reversed)
               END AS take
          FROM asked AS a
          LEFT JOIN LATERAL (
              SELECT e.points + e.pending AS points, coalesce((
                         SELECT -sum(r.points + r.pending)
                           FROM loyalty_entry AS r
                          WHERE r.about_id = a.about_id AND r.kind = 'reversal'
                     ), 0) AS reversed
                FROM loyalty_entry AS e
               WHERE e.id = a.about_id
          ) AS made ON TRUE
    ), moves AS (
        SELECT c.*, b.balance,
               CASE WHEN c.waiting THEN 0 ELSE c.take END AS now_points,
               CASE WHEN c.waiting THEN c.take ELSE 0 END AS later_points,
               least(c.take, greatest(c.own - (sum(c.take) OVER same_lot - c.take), 0)) AS from_own,
               sum(CASE WHEN c.waiting THEN 0 ELSE c.take END) OVER (PARTITION BY c.account_id ORDER BY c.seq) AS upto_now
          FROM capped AS c
          JOIN loyalty_account AS b ON b.member_id = c.account_id
         WHERE c.take > 0
        WINDOW same_lot AS (PARTITION BY c.account_id, c.about_key ORDER BY c.seq)
    ), rest AS (
        SELECT key, account_id, take - from_own AS points,
               sum(take - from_own) OVER (PARTITION BY account_id ORDER BY seq) AS upto
          FROM moves
         WHERE take > from_own
    ), others AS (
        SELECT l.id, l.account_id, l.remaining - coalesce(o.points, 0) AS remaining,
               sum(l.remaining - coalesce(o.points, 0))
                   OVER (PARTITION BY l.account_id ORDER BY l.expires_at, l.id) AS upto
          FROM loyalty_lot AS l
          LEFT JOIN (SELECT lot_id, sum(from_own) AS points FROM moves GROUP BY lot_id) AS o ON o.lot_id = l.id
         WHERE l.account_id IN (SELECT account_id FROM rest) AND l.open AND NOT l.pending
    ), takes AS (
        SELECT key, lot_id, from_own AS points FROM moves WHERE from_own > 0
        UNION ALL
        SELECT r.key, o.id, least(r.upto, o.upto) - greatest(r.upto - r.points, o.upto - o.remaining)
          FROM rest AS r
          JOIN others AS o
            ON o.account_id = r.account_id AND o.remaining > 0
           AND o.upto - o.remaining < r.upto AND o.upto > r.upto - r.points
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, about_id, reference, reason, actor_id, trace
        )
        SELECT account_id, kind, -now_points, -later_points, 0, balance - upto_now, key, digest, effective_at, recorded,
               order_id, about_id, reference, reason, actor_id, trace
          FROM moves
         ORDER BY seq
        RETURNING id, key
    ), uses AS (
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
        SELECT e.id, t.lot_id, t.points FROM takes AS t JOIN entries AS e ON e.key = t.key
    ), drawn AS (
        UPDATE loyalty_lot AS l
           SET remaining = l.remaining - s.points
          FROM (SELECT lot_id, sum(points) AS points FROM takes GROUP BY lot_id) AS s
         WHERE l.id = s.lot_id
    ), accounts AS (
        UPDATE loyalty_account AS a
           SET balance = a.balance - s.points, pending = a.pending - s.pending, version = a.version + 1
          FROM (
              SELECT account_id, sum(now_points) AS points, sum(later_points) AS pending
                FROM moves GROUP BY account_id
          ) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT p.seq, CASE WHEN e.id IS NULL THEN 'nothing' ELSE 'posted' END, e.id,
           coalesce(-m.now_points, 0)::bigint, coalesce(-m.later_points, 0)::bigint, (m.balance - m.upto_now)::bigint, NULL::bigint
      FROM unnest(prepared.fresh) AS p
      LEFT JOIN moves AS m ON m.key = p.key
      LEFT JOIN entries AS e ON e.key = p.key
    UNION ALL
    SELECT o.* FROM unnest(prepared.known) AS o;
END
$$;
