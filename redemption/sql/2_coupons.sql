-- A buyer takes a coupon: one round trip, one transaction, all or nothing. The order of the locks is that of a reward's
-- checkout (1_checkout.sql): his account, then a code that nobody else waits for, and last the row that counts what the plan
-- has given out.

-- The special ratio that a plan asks at an instant: of several the one that began last. No row: the usual ratio.
CREATE OR REPLACE FUNCTION redemption_special(which bigint, asked timestamptz) RETURNS SETOF redemption_planwindow
LANGUAGE sql STABLE AS $$
    SELECT w.*
      FROM redemption_planwindow AS w
     WHERE w.plan_id = which AND w.starts_at <= asked AND w.ends_at > asked
     ORDER BY w.starts_at DESC, w.id DESC
     LIMIT 1
$$;

-- What stands against taking a coupon, apart from limits and points, which are looked at under their lock. NULL when nothing
-- does. ``budget`` and ``no_code`` here spare the points of a buyer who comes too late; the rows themselves have the last word.
CREATE OR REPLACE FUNCTION redemption_coupon_obstacle(
    p redemption_couponplan, w redemption_planwindow, his_rank integer, worth integer, price integer, asked timestamptz
) RETURNS redemption_answer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    u redemption_planuse;
BEGIN
    IF p.id IS NULL OR NOT p.active THEN
        RETURN ('gone', NULL, NULL)::redemption_answer;
    ELSIF p.ends_at <= asked THEN
        RETURN ('no_longer', NULL, jsonb_build_object('until', p.ends_at))::redemption_answer;
    ELSIF p.starts_at > asked THEN
        RETURN ('not_yet', NULL, jsonb_build_object('from', p.starts_at))::redemption_answer;
    ELSIF NOT coalesce(worth BETWEEN p.least_yuan AND p.most_yuan AND (worth - p.least_yuan) % p.step_yuan = 0, FALSE)
      AND NOT EXISTS (SELECT FROM redemption_denomination AS d WHERE d.plan_id = p.id AND d.yuan = worth) THEN
        RETURN ('value', NULL, NULL)::redemption_answer;
    ELSIF worth::bigint * coalesce(w.points_per_yuan, p.points_per_yuan) <> price THEN
        RETURN ('price_changed', NULL, NULL)::redemption_answer;
    END IF;
    IF p.min_tier_id IS NOT NULL THEN
        IF his_rank IS NULL THEN
            RETURN ('who', NULL, NULL)::redemption_answer;
        ELSIF EXISTS (SELECT FROM crm_tier AS t WHERE t.id = p.min_tier_id AND t.rank > his_rank) THEN
            RETURN ('tier_too_low', NULL, jsonb_build_object('tier', p.min_tier_id))::redemption_answer;
        END IF;
    END IF;
    SELECT * INTO u FROM redemption_planuse AS x WHERE x.plan_id = p.id;
    IF u.coupons + 1 > p.budget_coupons OR u.yuan + worth > p.budget_yuan THEN
        RETURN (
            'budget', NULL,
            jsonb_build_object('left', CASE WHEN u.coupons < p.budget_coupons OR p.budget_coupons IS NULL
                                            THEN p.budget_yuan - u.yuan ELSE 0 END)
        )::redemption_answer;
    ELSIF p.source = 'pool' AND NOT EXISTS (
        SELECT FROM redemption_poolcode AS c
         WHERE c.plan_id = p.id AND c.yuan = worth AND c.coupon_id IS NULL AND (c.valid_until > asked) IS NOT FALSE
    ) THEN
        RETURN ('no_code', NULL, NULL)::redemption_answer;
    END IF;
    RETURN NULL;
END
$$;

-- What a key stands for already.
CREATE OR REPLACE FUNCTION redemption_coupon_under_key(wish text, his bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT c.id FROM redemption_coupon AS c WHERE c.key = wish AND c.member_id = his
$$;

-- ``batch`` is the one posting that draws the points, as loyalty_draw takes it; its key is the buyer's wish. ``fresh`` is a new
-- code, for plans that make their own. ``today`` is when the programme's day began, ``zone`` is its time zone. An exception
-- rolls everything back: PK010 when the codes ran out, PK011 when the budget did, between the look and the take.
CREATE OR REPLACE FUNCTION redemption_take_coupon(
    batch jsonb, his bigint, his_rank integer, which bigint, worth integer, price integer, fresh text, today timestamptz,
    zone text, asked timestamptz
) RETURNS redemption_answer
LANGUAGE plpgsql SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    p redemption_couponplan;
    w redemption_planwindow;
    answer redemption_answer;
    posting loyalty_posting := jsonb_populate_record(NULL::loyalty_posting, batch -> 0);
    limits text[];
    drawn loyalty_outcome;
    taken bigint;
    pooled redemption_poolcode;
    until timestamptz;
    reached integer;
BEGIN
    SELECT * INTO p FROM redemption_couponplan AS x WHERE x.id = which;
    SELECT * INTO w FROM redemption_special(which, asked);
    answer := redemption_coupon_obstacle(p, w, his_rank, worth, price, asked);
    IF answer.code IS NOT NULL THEN
        -- Whoever asks again for what he has got is told so, whatever has changed since.
        taken := redemption_coupon_under_key(posting.key, his);
        IF taken IS NOT NULL THEN
            RETURN ('repeated', taken, NULL)::redemption_answer;
        END IF;
        RETURN answer;
    END IF;

    posting.trace := posting.trace || jsonb_strip_nulls(jsonb_build_object(
        'name', p.name, 'points_per_yuan', coalesce(w.points_per_yuan, p.points_per_yuan), 'special', w.name
    ));
    -- The most lasting limit first: who may never have another one is not told to come back tomorrow.
    IF p.limit_ever IS NOT NULL THEN
        limits := array_append(limits, 'ever');
        posting.limit_most := array_append(posting.limit_most, p.limit_ever::integer);
        posting.limit_since := array_append(posting.limit_since, NULL::timestamptz);
    END IF;
    IF p.limit_window IS NOT NULL THEN
        limits := array_append(limits, 'window');
        posting.limit_most := array_append(posting.limit_most, p.limit_window::integer);
        posting.limit_since := array_append(posting.limit_since, p.starts_at);
    END IF;
    IF w."limit" IS NOT NULL THEN
        limits := array_append(limits, 'special');
        posting.limit_most := array_append(posting.limit_most, w."limit"::integer);
        posting.limit_since := array_append(posting.limit_since, w.starts_at);
    END IF;
    IF p.limit_day IS NOT NULL THEN
        limits := array_append(limits, 'day');
        posting.limit_most := array_append(posting.limit_most, p.limit_day::integer);
        posting.limit_since := array_append(posting.limit_since, today);
    END IF;

    drawn := loyalty_draw_one(posting, asked);
    IF drawn.code IN ('repeated', 'conflict') THEN
        RETURN ('repeated', redemption_coupon_under_key(posting.key, his), NULL)::redemption_answer;
    ELSIF drawn.code LIKE 'limit %' THEN
        reached := split_part(drawn.code, ' ', 2)::integer;
        RETURN (
            'limit', NULL,
            jsonb_build_object('which', limits[reached], 'most', posting.limit_most[reached],
                               'had', drawn.available, 'until', w.ends_at)
        )::redemption_answer;
    ELSIF drawn.code <> 'posted' THEN
        RETURN (drawn.code, NULL, jsonb_build_object('available', drawn.available))::redemption_answer;
    END IF;

    until := (((asked AT TIME ZONE zone)::date + p.validity_days::integer + 1)::timestamp) AT TIME ZONE zone;
    IF p.source = 'pool' THEN
        SELECT * INTO pooled
          FROM redemption_poolcode AS c
         WHERE c.plan_id = which AND c.yuan = worth AND c.coupon_id IS NULL AND (c.valid_until > asked) IS NOT FALSE
         ORDER BY c.id
         LIMIT 1
           FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no code is left' USING ERRCODE = 'PK010';
        END IF;
        fresh := pooled.code;
        until := least(until, pooled.valid_until);
    END IF;
    INSERT INTO redemption_coupon (
        plan_id, member_id, code, yuan, points, entry_id, key, state, issued_at, expires_at
    )
    VALUES (which, his, fresh, worth, price, drawn.entry_id, posting.key, 'issued', asked, until)
    RETURNING id INTO taken;
    IF p.source = 'pool' THEN
        UPDATE redemption_poolcode AS c SET coupon_id = taken WHERE c.id = pooled.id;
    END IF;

    UPDATE redemption_planuse AS u
       SET coupons = u.coupons + 1, yuan = u.yuan + worth
     WHERE u.plan_id = which
       AND (u.coupons + 1 <= p.budget_coupons AND u.yuan + worth <= p.budget_yuan) IS NOT FALSE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the budget is spent' USING ERRCODE = 'PK011';
    END IF;
    RETURN (
        'placed', taken, jsonb_build_object('code', fresh, 'entry', drawn.entry_id, 'until', until)
    )::redemption_answer;
END
$$;
