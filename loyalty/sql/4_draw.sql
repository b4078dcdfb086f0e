-- Points go out and must be there: burns, holds, and adjustments downward. Lots are drawn first in, first out by expiry; lots
-- whose validity has ended by now do not count, even if the night has not come round to expire them.
--
-- Postings of one account are laid end to end on a line of points, and so are its lots: where the two overlap, the
-- posting draws from the lot. If one account falls short, nothing of the batch is written and the answer says so.
CREATE FUNCTION loyalty_draw(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
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
    WITH live AS (
        SELECT p.account_id, coalesce(sum(l.remaining), 0) AS points
          FROM (SELECT DISTINCT account_id FROM unnest(prepared.fresh)) AS p
          LEFT JOIN loyalty_lot AS l
            ON l.account_id = p.account_id AND l.open AND NOT l.pending
           AND (l.expires_at IS NULL OR l.expires_at > recorded)
         GROUP BY p.account_id
    )
    SELECT p.seq, 'short', NULL::bigint, 0::bigint, 0::bigint, NULL::bigint, live.points::bigint
      FROM unnest(prepared.fresh) AS p
      JOIN live USING (account_id)
      JOIN (SELECT account_id, sum(points) AS wanted FROM unnest(prepared.fresh) GROUP BY account_id) AS w
     USING (account_id)
     WHERE w.wanted > live.points;
    IF FOUND THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH moves AS (
        SELECT p.*, sum(p.points) OVER (PARTITION BY p.account_id ORDER BY p.seq) AS upto, a.balance
          FROM unnest(prepared.fresh) AS p
          JOIN loyalty_account AS a ON a.member_id = p.account_id
    ), lots AS (
        SELECT l.id, l.account_id, l.remaining,
               sum(l.remaining) OVER (PARTITION BY l.account_id ORDER BY l.expires_at, l.id) AS upto
          FROM loyalty_lot AS l
         WHERE l.account_id IN (SELECT account_id FROM moves) AND l.open AND NOT l.pending
           AND (l.expires_at IS NULL OR l.expires_at > recorded)
    ), takes AS (
        SELECT m.key, l.id AS lot_id,
               least(m.upto, l.upto) - greatest(m.upto - m.points, l.upto - l.remaining) AS points
          FROM moves AS m
          JOIN lots AS l
            ON l.account_id = m.account_id AND l.upto - l.remaining < m.upto AND l.upto > m.upto - m.points
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, reference, reason, actor_id, trace
        )
        SELECT account_id, kind, -points, 0, CASE WHEN kind = 'hold' THEN points ELSE 0 END, balance - upto, key, digest, effective_at, recorded,
               order_id, reference, reason, actor_id, trace
          FROM moves
         ORDER BY seq
        RETURNING id, key
    ), holds AS (
        INSERT INTO loyalty_hold (account_id, entry_id, points, captured, released, deadline)
        SELECT m.account_id, e.id, m.points, 0, 0, m.deadline
          FROM moves AS m
          JOIN entries AS e ON e.key = m.key
         WHERE m.kind = 'hold'
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
           SET balance = a.balance - s.points, held = a.held + s.held, version = a.version + 1
          FROM (
              SELECT account_id, sum(points) AS points, coalesce(sum(points) FILTER (WHERE kind = 'hold'), 0) AS held
                FROM moves GROUP BY account_id
          ) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT m.seq, 'posted', e.id, -m.points, 0::bigint, (m.balance - m.upto)::bigint, NULL::bigint
      FROM moves AS m
      JOIN entries AS e ON e.key = m.key
    UNION ALL
    SELECT o.* FROM unnest(prepared.known) AS o;
END
$$;
