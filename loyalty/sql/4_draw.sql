-- Points go out and must be there: burns, holds, and adjustments downward. Lots are drawn first in, first out by expiry; lots
-- whose validity has ended by now do not count, even if the night has not come round to expire them. If one account falls
-- short, nothing of the batch is written and the answer says so.
--
-- A buyer waits for his one posting, and large batches are rare: so postings are written one after the other, each by
-- statements whose plans are kept.
CREATE FUNCTION loyalty_draw(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    prepared record := loyalty_prepare(batch, FALSE);
    posting loyalty_posting;
    set_aside bigint;
    left_behind bigint;
    entry bigint;
    lots bigint[];
    parts bigint[];
    available bigint;
BEGIN
    IF prepared.known IS NOT NULL THEN
        RETURN QUERY SELECT o.* FROM unnest(prepared.known) AS o;
    END IF;
    IF prepared.conflict OR prepared.fresh IS NULL THEN
        RETURN;
    END IF;

    -- Before anything of several postings is written, all accounts must have enough for all of theirs. Of a single one
    -- the lots that it draws from tell that.
    IF cardinality(prepared.fresh) > 1 THEN
        RETURN QUERY
        SELECT p.seq, 'short', NULL::bigint, 0::bigint, 0::bigint, NULL::bigint, live.points
          FROM (
              SELECT f.seq, f.account_id, sum(f.points) OVER (PARTITION BY f.account_id) AS wanted
                FROM unnest(prepared.fresh) AS f
          ) AS p
         CROSS JOIN LATERAL (
              SELECT coalesce(sum(l.remaining), 0)::bigint AS points
                FROM loyalty_lot AS l
               WHERE l.account_id = p.account_id AND l.open AND NOT l.pending
                 AND (l.expires_at IS NULL OR l.expires_at > recorded)
          ) AS live
         WHERE p.wanted > live.points;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    FOREACH posting IN ARRAY prepared.fresh LOOP
        SELECT array_agg(l.id) FILTER (WHERE l.before < posting.points),
               array_agg(least(l.remaining, posting.points - l.before)) FILTER (WHERE l.before < posting.points),
               coalesce(sum(l.remaining), 0)
          INTO lots, parts, available
          FROM (
              SELECT o.id, o.remaining, sum(o.remaining) OVER (ORDER BY o.expires_at, o.id) - o.remaining AS before
                FROM loyalty_lot AS o
               WHERE o.account_id = posting.account_id AND o.open AND NOT o.pending
                 AND (o.expires_at IS NULL OR o.expires_at > recorded)
          ) AS l;
        IF posting.points > available THEN
            RETURN NEXT (posting.seq, 'short', NULL, 0, 0, NULL, available)::loyalty_outcome;
            RETURN;
        END IF;

        set_aside := CASE WHEN posting.kind = 'hold' THEN posting.points ELSE 0 END;

        WITH entries AS (
            INSERT INTO loyalty_entry (
                account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
                order_id, reference, reason, actor_id, trace
            )
            SELECT a.member_id, posting.kind, -posting.points, 0, set_aside, a.balance - posting.points, posting.key,
                   posting.digest, posting.effective_at, recorded, posting.order_id, posting.reference, posting.reason,
                   posting.actor_id, posting.trace
              FROM loyalty_account AS a
             WHERE a.member_id = posting.account_id
            RETURNING id, balance_after
        ), drawn AS (
            UPDATE loyalty_lot AS l
               SET remaining = l.remaining - t.points
              FROM unnest(lots, parts) AS t (lot_id, points)
             WHERE l.id = t.lot_id
        ), uses AS (
            INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
            SELECT e.id, t.lot_id, t.points FROM entries AS e, unnest(lots, parts) AS t (lot_id, points)
        ), accounts AS (
            UPDATE loyalty_account AS a
               SET balance = a.balance - posting.points, held = a.held + set_aside, version = a.version + 1
             WHERE a.member_id = posting.account_id
        )
        SELECT e.id, e.balance_after INTO entry, left_behind FROM entries AS e;

        IF set_aside > 0 THEN
            INSERT INTO loyalty_hold (account_id, entry_id, points, captured, released, deadline)
            VALUES (posting.account_id, entry, set_aside, 0, 0, posting.deadline);
        END IF;

        RETURN NEXT (posting.seq, 'posted', entry, -posting.points, 0, left_behind, NULL)::loyalty_outcome;
    END LOOP;
END
$$;
