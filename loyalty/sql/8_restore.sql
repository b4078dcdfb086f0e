-- How many points of a drawing entry can still be given back: of a hold, what is neither spent nor released (by release),
-- or what was spent and not undone yet (by reversal); of a burn or a deduction, what was not undone yet. Nothing of what
-- did not spend: a reversal may have left a debt where it drew on no lot.
CREATE FUNCTION loyalty_returnable(drawing_entry bigint, by_kind text) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT CASE
               WHEN e.kind = 'hold' AND by_kind = 'release' THEN h.points - h.captured - h.released
               WHEN by_kind = 'release' OR e.points >= 0 OR e.kind NOT IN ('hold', 'burn', 'adjustment') THEN 0
               ELSE coalesce(h.captured, -e.points) - coalesce((
                        SELECT sum(r.points) FROM loyalty_entry AS r WHERE r.about_id = e.id AND r.kind = 'reversal'
                    ), 0)
           END::bigint
      FROM loyalty_entry AS e
      LEFT JOIN loyalty_hold AS h ON h.entry_id = e.id
     WHERE e.id = drawing_entry
$$;

-- Points go back to the lots that an earlier entry drew them from: a hold is released, or a burn or a captured hold is
-- undone. The lot that would expire last is given back first, because it was drawn last. A lot whose validity has ended
-- meanwhile gets the one that the posting names; a batch that names one is of one day. An account in debt settles it first: what settles is given to its lot
-- and drawn from it in the same entry, so that the uses tell both.
--
-- A posting without points gives back all that can be; one that asks for more is refused, and the batch with it.
CREATE FUNCTION loyalty_restore(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
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
        SELECT p.*, coalesce(loyalty_returnable(about.id, p.kind), 0) AS open
          FROM unnest(prepared.fresh) AS p
          LEFT JOIN loyalty_entry AS about ON about.key = p.about_key AND about.account_id = p.account_id
    )
    SELECT a.seq, 'short', NULL::bigint, 0::bigint, 0::bigint, NULL::bigint, a.open
      FROM asked AS a
      JOIN (
          SELECT about_key, kind, sum(CASE WHEN points = 0 THEN open ELSE points END) AS wanted
            FROM asked
           GROUP BY about_key, kind
      ) AS w USING (about_key, kind)
     WHERE w.wanted > a.open OR a.open = 0;
    IF FOUND THEN
        RETURN;
    END IF;

    -- Only what comes back is revived: what else was left in a lapsed lot goes first, even if the night has not come
    -- round to take it.
    PERFORM loyalty_expire_accounts(array_agg(DISTINCT p.account_id), min(p.effective_at), recorded, FALSE)
       FROM unnest(prepared.fresh) AS p
      WHERE p.expires_at IS NOT NULL
     HAVING count(*) > 0;

    RETURN QUERY
    WITH moves AS (
        SELECT m.*, m.balance + sum(m.back) OVER (PARTITION BY m.account_id ORDER BY m.seq) AS balance_after,
               sum(m.back) OVER (PARTITION BY m.about_id ORDER BY m.seq) AS upto
          FROM (
              SELECT p.*, about.id AS about_id, b.balance,
                     CASE WHEN p.points = 0 THEN loyalty_returnable(about.id, p.kind) ELSE p.points END AS back
                FROM unnest(prepared.fresh) AS p
                JOIN loyalty_account AS b ON b.member_id = p.account_id
                JOIN loyalty_entry AS about ON about.key = p.about_key AND about.account_id = p.account_id
          ) AS m
    ), drawn AS (
        -- What each lot gave to the entry and has not got back from anything that concerns it.
        SELECT d.about_id, l.id AS lot_id, d.points,
               sum(d.points) OVER (PARTITION BY d.about_id ORDER BY l.expires_at DESC NULLS FIRST, l.id DESC) AS upto
          FROM (
              SELECT a.about_id, u.lot_id, sum(u.points) AS points
                FROM (SELECT DISTINCT about_id FROM moves) AS a
                JOIN loyalty_entry AS e ON e.id = a.about_id OR e.about_id = a.about_id
                JOIN loyalty_lotuse AS u ON u.entry_id = e.id AND (u.points < 0 OR e.id = a.about_id)
               GROUP BY a.about_id, u.lot_id
          ) AS d
          JOIN loyalty_lot AS l ON l.id = d.lot_id
         WHERE d.points > 0
    ), pieces AS (
        SELECT m.key, m.expires_at, m.effective_at, d.lot_id,
               greatest(m.upto - m.back, d.upto - d.points) - (m.upto - m.back) AS begins,
               least(m.upto, d.upto) - (m.upto - m.back) AS ends,
               least(m.back, greatest(m.back - m.balance_after, 0)) AS settles
          FROM moves AS m
          JOIN drawn AS d
            ON d.about_id = m.about_id AND d.upto - d.points < m.upto AND d.upto > m.upto - m.back
    ), entries AS (
        INSERT INTO loyalty_entry (
            account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
            order_id, about_id, reference, reason, actor_id, trace
        )
        SELECT account_id, kind, back, 0, CASE WHEN kind = 'release' THEN -back ELSE 0 END, balance_after, key, digest,
               effective_at, recorded, order_id, about_id, reference, reason, actor_id, trace
          FROM moves
         ORDER BY seq
        RETURNING id, key
    ), uses AS (
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
        SELECT e.id, p.lot_id, p.begins - p.ends FROM pieces AS p JOIN entries AS e ON e.key = p.key
        UNION ALL
        SELECT e.id, p.lot_id, least(p.ends, p.settles) - p.begins
          FROM pieces AS p
          JOIN entries AS e ON e.key = p.key
         WHERE p.settles > p.begins
    ), refills AS (
        -- Whether a lot has lapsed is asked for the instant at which its points come back: a night that is late gives
        -- no other answer than one in time.
        SELECT s.*, l.expires_at AS before, l.expires_at <= s.since AND s.until > l.expires_at AS revived
          FROM (
              SELECT lot_id, max(expires_at) AS until, min(effective_at) AS since, min(key COLLATE "C") AS key,
                     sum(ends - begins - greatest(least(ends, settles) - begins, 0)) AS points
                FROM pieces GROUP BY lot_id
          ) AS s
          JOIN loyalty_lot AS l ON l.id = s.lot_id
         WHERE s.points > 0
    ), refilled AS (
        UPDATE loyalty_lot AS l
           SET remaining = l.remaining + s.points,
               expires_at = CASE WHEN s.revived THEN s.until ELSE l.expires_at END
          FROM refills AS s
         WHERE l.id = s.lot_id
    ), revivals AS (
        INSERT INTO loyalty_lotrenewal (
            lot_id, before, after, effective_at, recorded_at, key, reason, policy_version
        )
        SELECT lot_id, before, until, since, recorded, key || ':revival:' || lot_id, 'revival', 0
          FROM refills
         WHERE revived
    ), holds AS (
        UPDATE loyalty_hold AS h
           SET released = h.released + s.points
          FROM (SELECT about_id, sum(back) AS points FROM moves WHERE kind = 'release' GROUP BY about_id) AS s
         WHERE h.entry_id = s.about_id
    ), accounts AS (
        UPDATE loyalty_account AS a
           SET balance = a.balance + s.points, held = a.held - s.held, version = a.version + 1
          FROM (
              SELECT account_id, sum(back) AS points,
                     coalesce(sum(back) FILTER (WHERE kind = 'release'), 0) AS held
                FROM moves GROUP BY account_id
          ) AS s
         WHERE a.member_id = s.account_id
    )
    SELECT m.seq, 'posted', e.id, m.back::bigint, 0::bigint, m.balance_after::bigint, NULL::bigint
      FROM moves AS m
      JOIN entries AS e ON e.key = m.key
    UNION ALL
    SELECT o.* FROM unnest(prepared.known) AS o;
END
$$;
