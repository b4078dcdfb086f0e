-- A buyer takes a reward: one round trip, one transaction, all or nothing.
--
-- The order of the locks is that of docs/locking.md: his account (loyalty_draw_one takes it and draws the points), then
-- codes that nobody else waits for, and last the stock, the hottest row, held for no longer than the commit takes.

CREATE TYPE redemption_answer AS (
    code text,              -- placed, repeated, or why there is nothing.
    redemption_id bigint,   -- Of placed and repeated.
    figures jsonb           -- What a refusal is explained by.
);

-- Whether somebody who stands on a rung of this rank, and has these tags, may have a reward that asks for either; NULL when he
-- may. The answer ``who`` asks for rank and tags, of which the caller has told nothing.
CREATE FUNCTION redemption_not_his(reward bigint, tier bigint, tagged boolean, his_rank integer, his_tags bigint[])
RETURNS redemption_answer
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF his_rank IS NULL THEN
        RETURN ('who', NULL, NULL)::redemption_answer;
    ELSIF EXISTS (SELECT FROM crm_tier AS t WHERE t.id = tier AND t.rank > his_rank) THEN
        RETURN ('tier_too_low', NULL, jsonb_build_object('tier', tier))::redemption_answer;
    ELSIF tagged AND (
        SELECT bool_or(w.barred AND w.tag_id = ANY (his_tags))
               OR bool_or(NOT w.barred) AND NOT bool_or(NOT w.barred AND w.tag_id = ANY (his_tags))
          FROM redemption_rewardtag AS w
         WHERE w.reward_id = reward
    ) THEN
        RETURN ('not_for_you', NULL, NULL)::redemption_answer;
    END IF;
    RETURN NULL;
END
$$;

-- What a key stands for already.
CREATE FUNCTION redemption_under_key(wish text, member bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT x.id
      FROM loyalty_entry AS e
      JOIN redemption_redemption AS x ON x.entry_id = e.id
     WHERE e.key = wish AND x.member_id = member
$$;

-- ``batch`` is the one posting that draws the points, as loyalty_draw takes it; its key is the buyer's wish. ``state`` is
-- how the redemption begins. ``today`` is when the programme's day began, for limits of a day. An exception rolls everything
-- back: PK010 when the stock or the codes ran out between the look and the take.
CREATE FUNCTION redemption_redeem(
    batch jsonb, member bigint, his_rank integer, his_tags bigint[], reward bigint, pieces integer, points_each integer,
    cash_each numeric, state text, address bigint, today timestamptz, asked timestamptz
) RETURNS redemption_answer
LANGUAGE plpgsql SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    r record;
    answer redemption_answer;
    posting loyalty_posting := jsonb_populate_record(NULL::loyalty_posting, batch -> 0);
    drawn loyalty_outcome;
    placed bigint;
    pay_until timestamptz;
    limits text[];
    reached integer;
    taken integer;
BEGIN
    SELECT x.*,
           s.free,
           EXISTS (SELECT FROM redemption_rewardtag AS w WHERE w.reward_id = x.id) AS tagged,
           EXISTS (
               SELECT FROM redemption_address AS a
                WHERE a.id = address AND a.member_id = member AND a.removed_at IS NULL
           ) AS addressed
      INTO r
      FROM redemption_reward AS x
      LEFT JOIN redemption_stock AS s ON s.reward_id = x.id
     WHERE x.id = reward;

    -- What stands against it, apart from limits, points and stock, which are looked at under their locks. ``sold_out`` here
    -- spares the points of a buyer who comes too late; the stock itself has the last word.
    IF r.active IS NOT TRUE THEN
        answer.code := 'gone';
    ELSIF r.ends_at <= asked THEN
        answer := ('no_longer', NULL, jsonb_build_object('until', r.ends_at));
    ELSIF r.starts_at > asked THEN
        answer := ('not_yet', NULL, jsonb_build_object('from', r.starts_at));
    ELSIF r.points <> points_each OR r.cash <> cash_each THEN
        answer.code := 'price_changed';
    ELSIF pieces > r.most_at_once THEN
        answer := ('too_many', NULL, jsonb_build_object('most', r.most_at_once));
    ELSE
        IF r.min_tier_id IS NOT NULL OR r.tagged THEN
            answer := redemption_not_his(reward, r.min_tier_id, r.tagged, his_rank, his_tags);
        END IF;
        IF answer.code IS NOT NULL THEN
            NULL;
        ELSIF r.kind = 'goods' AND NOT r.addressed THEN
            answer.code := 'address_missing';
        ELSIF r.counted AND coalesce(r.free, 0) < pieces THEN
            answer := ('sold_out', NULL, jsonb_build_object('free', coalesce(r.free, 0)));
        END IF;
    END IF;
    IF answer.code IS NOT NULL THEN
        -- Whoever asks again for what he has got is told so, whatever has changed since.
        placed := redemption_under_key(posting.key, member);
        IF placed IS NOT NULL THEN
            RETURN ('repeated', placed, NULL)::redemption_answer;
        END IF;
        RETURN answer;
    END IF;

    -- The statement calls the reward by the name that it has now.
    posting.trace := posting.trace || jsonb_build_object('name', r.name);
    IF cash_each > 0 THEN
        pay_until := asked + r.pay_hours * interval '1 hour';
        posting.deadline := pay_until;
    END IF;
    IF r.limit_day IS NOT NULL THEN
        limits := array_append(limits, 'day');
        posting.limit_most := array_append(posting.limit_most, r.limit_day::integer);
        posting.limit_since := array_append(posting.limit_since, today);
    END IF;
    IF r.limit_window IS NOT NULL THEN
        limits := array_append(limits, 'window');
        posting.limit_most := array_append(posting.limit_most, r.limit_window::integer);
        posting.limit_since := array_append(posting.limit_since, r.starts_at);
    END IF;
    IF r.limit_ever IS NOT NULL THEN
        limits := array_append(limits, 'ever');
        posting.limit_most := array_append(posting.limit_most, r.limit_ever::integer);
        posting.limit_since := array_append(posting.limit_since, NULL::timestamptz);
    END IF;

    drawn := loyalty_draw_one(posting, asked);
    IF drawn.code IN ('repeated', 'conflict') THEN
        RETURN ('repeated', redemption_under_key(posting.key, member), NULL)::redemption_answer;
    ELSIF drawn.code LIKE 'limit %' THEN
        reached := split_part(drawn.code, ' ', 2)::integer;
        RETURN (
            'limit', NULL,
            jsonb_build_object('which', limits[reached], 'most', posting.limit_most[reached], 'had', drawn.available)
        )::redemption_answer;
    ELSIF drawn.code <> 'posted' THEN
        RETURN (drawn.code, NULL, jsonb_build_object('available', drawn.available))::redemption_answer;
    END IF;

    INSERT INTO redemption_redemption (
        member_id, reward_id, entry_id, quantity, points, cash, state, address_id, placed_at, pay_until, moved_at
    )
    VALUES (
        member, reward, drawn.entry_id, pieces, points_each * pieces, cash_each * pieces, state,
        CASE WHEN r.kind = 'goods' THEN address END, asked, pay_until, asked
    )
    RETURNING id INTO placed;

    IF r.kind = 'digital' THEN
        UPDATE redemption_rewardcode AS c
           SET redemption_id = placed
         WHERE c.id IN (
               SELECT x.id FROM redemption_rewardcode AS x
                WHERE x.reward_id = reward AND x.redemption_id IS NULL
                ORDER BY x.id LIMIT pieces FOR UPDATE SKIP LOCKED
         );
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken < pieces THEN
            RAISE EXCEPTION 'sold out' USING ERRCODE = 'PK010';
        END IF;
    END IF;

    IF r.counted THEN
        UPDATE redemption_stock AS s SET free = s.free - pieces WHERE s.reward_id = reward AND s.free >= pieces;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'sold out' USING ERRCODE = 'PK010';
        END IF;
    END IF;
    RETURN ('placed', placed, NULL)::redemption_answer;
END
$$;
