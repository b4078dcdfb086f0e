-- Points of one posting go out. The caller has locked the account, knows that the key is new, and calls from a function
-- of the journal. If the member has had his share of what he wants, or his valid lots do not suffice, nothing is written
-- and the outcome says so. A unit whose points were all given back is no longer had; one that was given back in part is.
CREATE FUNCTION loyalty_draw_lots(posting loyalty_posting, recorded timestamptz) RETURNS loyalty_outcome
LANGUAGE plpgsql AS $$
DECLARE
    valid_lots CURSOR FOR
        SELECT l.id, l.remaining
          FROM loyalty_lot AS l
         WHERE l.account_id = posting.account_id AND l.open AND NOT l.pending
           AND (l.expires_at IS NULL OR l.expires_at > recorded)
         ORDER BY l.expires_at, l.id;
    lot bigint;
    left_in_lot bigint;
    lots bigint[] := '{}';
    parts bigint[] := '{}';
    wanting bigint := posting.points;
    set_aside bigint := CASE WHEN posting.kind = 'hold' THEN posting.points ELSE 0 END;
    entry bigint;
    left_behind bigint;
    wanted integer := coalesce((posting.trace ->> 'units')::integer, 1);
    earliest timestamptz := 'infinity';
    had bigint[];
    draw record;
BEGIN
    -- What he has had is read once for all limits, and only as far back as any of them looks.
    IF posting.limit_most IS NOT NULL THEN
        FOR n IN 1 .. cardinality(posting.limit_most) LOOP
            earliest := least(earliest, coalesce(posting.limit_since[n], '-infinity'));
            had[n] := 0;
        END LOOP;
        FOR draw IN
            SELECT e.effective_at, u.units - u.units * coalesce(b.points, 0) / -e.points AS units
              FROM loyalty_entry AS e
             CROSS JOIN LATERAL (SELECT coalesce((e.trace ->> 'units')::integer, 1) AS units) AS u
              LEFT JOIN LATERAL (
                   SELECT sum(x.points)::bigint AS points FROM loyalty_entry AS x WHERE x.about_id = e.id
              ) AS b ON TRUE
             WHERE e.account_id = posting.account_id AND e.reference = posting.reference AND e.kind IN ('burn', 'hold')
               AND e.effective_at >= earliest
        LOOP
            FOR n IN 1 .. cardinality(posting.limit_most) LOOP
                IF (draw.effective_at >= posting.limit_since[n]) IS NOT FALSE THEN
                    had[n] := had[n] + draw.units;
                END IF;
            END LOOP;
        END LOOP;
        FOR n IN 1 .. cardinality(posting.limit_most) LOOP
            IF had[n] + wanted > posting.limit_most[n] THEN
                RETURN (posting.seq, 'limit ' || n, NULL, 0, 0, NULL, had[n])::loyalty_outcome;
            END IF;
        END LOOP;
    END IF;

    -- Lot by lot: most postings are met by the first or the second of many.
    OPEN valid_lots;
    LOOP
        FETCH valid_lots INTO lot, left_in_lot;
        EXIT WHEN NOT FOUND;
        lots := lots || lot;
        parts := parts || least(left_in_lot, wanting);
        wanting := wanting - least(left_in_lot, wanting);
        EXIT WHEN wanting = 0;
    END LOOP;
    CLOSE valid_lots;
    IF wanting > 0 THEN
        RETURN (posting.seq, 'short', NULL, 0, 0, NULL, posting.points - wanting)::loyalty_outcome;
    END IF;

    INSERT INTO loyalty_entry (
        account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
        order_id, reference, reason, actor_id, trace
    )
    SELECT a.member_id, posting.kind, -posting.points, 0, set_aside, a.balance - posting.points, posting.key,
           posting.digest, posting.effective_at, recorded, posting.order_id, posting.reference, posting.reason,
           posting.actor_id, posting.trace
      FROM loyalty_account AS a
     WHERE a.member_id = posting.account_id
    RETURNING id, balance_after INTO entry, left_behind;

    FOR n IN 1 .. cardinality(lots) LOOP
        UPDATE loyalty_lot AS l SET remaining = l.remaining - parts[n] WHERE l.id = lots[n];
        INSERT INTO loyalty_lotuse (entry_id, lot_id, points) VALUES (entry, lots[n], parts[n]);
    END LOOP;

    UPDATE loyalty_account AS a
       SET balance = a.balance - posting.points, held = a.held + set_aside, version = a.version + 1
     WHERE a.member_id = posting.account_id;

    IF set_aside > 0 THEN
        INSERT INTO loyalty_hold (account_id, entry_id, points, captured, released, deadline)
        VALUES (posting.account_id, entry, set_aside, 0, 0, posting.deadline);
    END IF;

    RETURN (posting.seq, 'posted', entry, -posting.points, 0, left_behind, NULL)::loyalty_outcome;
END
$$;

-- The one posting of a buyer who waits for it. What another function takes along with it, a reward or a coupon, calls this in
-- the same statement, and names deadline and limits in the posting: neither is part of what makes two draws the same fact.
CREATE FUNCTION loyalty_draw_one(posting loyalty_posting, recorded timestamptz) RETURNS loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    known record;
BEGIN
    -- For a single one, loyalty_prepare's ways of looking many keys up would take as long as the work itself.
    PERFORM FROM loyalty_account AS a WHERE a.member_id = posting.account_id FOR NO KEY UPDATE;
    SELECT e.id, e.digest, e.points, e.pending, e.balance_after
      INTO known
      FROM loyalty_entry AS e
     WHERE e.key = posting.key;
    IF NOT FOUND THEN
        RETURN loyalty_draw_lots(posting, recorded);
    END IF;
    RETURN (
        posting.seq, CASE WHEN known.digest = posting.digest THEN 'repeated' ELSE 'conflict' END,
        known.id, known.points, known.pending, known.balance_after, NULL
    )::loyalty_outcome;
END
$$;

-- Points go out and must be there: burns, holds, and adjustments downward. Lots are drawn first in, first out by expiry; lots
-- whose validity has ended by now do not count, even if the night has not come round to expire them. If one account falls
-- short, nothing of the batch is written and the answer says so.
--
-- A buyer waits for his one posting, and large batches are rare: so postings are written one after the other, each by
-- statements whose plans are kept.
CREATE FUNCTION loyalty_draw_many(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql SET loyalty.journal = 'on' SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    prepared record;
    posting loyalty_posting;
BEGIN
    prepared := loyalty_prepare(batch, FALSE);
    IF prepared.known IS NOT NULL THEN
        RETURN QUERY SELECT o.* FROM unnest(prepared.known) AS o;
    END IF;
    IF prepared.conflict OR prepared.fresh IS NULL THEN
        RETURN;
    END IF;

    -- Before anything is written, all accounts must have enough for all of their postings.
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

    FOREACH posting IN ARRAY prepared.fresh LOOP
        RETURN NEXT loyalty_draw_lots(posting, recorded);
    END LOOP;
END
$$;

CREATE FUNCTION loyalty_draw(batch jsonb, recorded timestamptz) RETURNS SETOF loyalty_outcome
LANGUAGE plpgsql AS $$
BEGIN
    IF jsonb_array_length(batch) = 1 THEN
        RETURN NEXT loyalty_draw_one(jsonb_populate_record(NULL::loyalty_posting, batch -> 0), recorded);
    ELSE
        RETURN QUERY SELECT o.* FROM loyalty_draw_many(batch, recorded) AS o;
    END IF;
END
$$;
