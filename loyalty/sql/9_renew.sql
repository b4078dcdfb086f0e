-- A validity policy as far as it says when points end; see loyalty/validity.py for the meaning of the numbers.
CREATE TYPE loyalty_validity AS (kind text, days integer, months integer, years integer, month integer, day integer);

-- The published policy of a version; before the first one, a year from each accrual (BUILT_IN in loyalty/validity.py).
CREATE FUNCTION loyalty_policy(wanted integer) RETURNS loyalty_validity
LANGUAGE sql STABLE AS $$
    SELECT ROW(
               coalesce(v.kind, 'per_lot_months'), coalesce(v.days, 0), coalesce(v.months, 12), coalesce(v.years, 0),
               coalesce(v.month, 12), coalesce(v.day, 31)
           )::loyalty_validity
      FROM (SELECT) AS one
      LEFT JOIN loyalty_validitypolicy AS v ON v.version = wanted
$$;

-- A fixed day in a given year, or the last day of its month when that is shorter.
CREATE FUNCTION loyalty_fixed_day(in_year integer, month integer, day integer) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT least(
               make_date(in_year, month, 1) + day - 1,
               (make_date(in_year, month, 1) + interval '1 month' - interval '1 day')::date
           )
$$;

-- The first instant at which points of an instant are no longer valid; NULL when they always are. The same as
-- valid_until in loyalty/validity.py.
CREATE FUNCTION loyalty_valid_until(policy loyalty_validity, instant timestamptz, zone text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT (CASE (policy).kind
                WHEN 'per_lot_days' THEN local.day + (policy).days + 1
                WHEN 'year_end' THEN 1 + loyalty_fixed_day(
                    extract(year FROM local.day)::integer + (policy).years + CASE
                        WHEN loyalty_fixed_day(
                            extract(year FROM local.day)::integer, (policy).month, (policy).day
                        ) < local.day THEN 1 ELSE 0
                    END,
                    (policy).month, (policy).day
                )
                WHEN 'never' THEN NULL
                ELSE (local.day + make_interval(months => (policy).months))::date + 1
            END)::timestamp AT TIME ZONE zone
      FROM (SELECT (instant AT TIME ZONE zone)::date AS day) AS local
$$;

-- One change of a lot's validity, not yet written.
CREATE TYPE loyalty_renewal AS (
    lot_id bigint,
    account_id bigint,
    remaining bigint,
    before timestamptz,
    after timestamptz,
    effective_at timestamptz,
    key text,
    reason text,
    policy_version integer
);

-- Write changes of validity. The caller has locked the accounts and names no lot twice.
CREATE FUNCTION loyalty_write_renewals(changes loyalty_renewal[], recorded timestamptz) RETURNS void
LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
BEGIN
    INSERT INTO loyalty_lotrenewal (lot_id, before, after, effective_at, recorded_at, key, reason, policy_version)
    SELECT c.lot_id, c.before, c.after, c.effective_at, recorded, c.key, c.reason, c.policy_version
      FROM unnest(changes) AS c
     ORDER BY c.account_id, c.lot_id;

    UPDATE loyalty_lot AS l SET expires_at = c.after FROM unnest(changes) AS c WHERE l.id = c.lot_id;

    UPDATE loyalty_account AS a
       SET version = a.version + 1
     WHERE a.member_id IN (SELECT c.account_id FROM unnest(changes) AS c);
END
$$;

-- Renew open, available lots: the one of a given accrual, or, where no accrual is named, all that the account had by then:
-- repeated later, the same renewal must not reach what came after it. A lot that had ended before the renewal's instant
-- stays ended, and validity is never shortened unless the caller says so. The same key renews a lot once.
CREATE FUNCTION loyalty_renew(
    batch jsonb, recorded timestamptz, may_shorten boolean, OUT lots bigint, OUT points bigint
) LANGUAGE plpgsql AS $$
DECLARE
    changes loyalty_renewal[];
BEGIN
    PERFORM loyalty_lock(array_agg(DISTINCT r.account_id), NULL)
       FROM jsonb_to_recordset(batch) AS r (account_id bigint);

    WITH asked AS (
        SELECT r.*
          FROM jsonb_to_recordset(batch) AS r (
              account_id bigint, about_key text, until timestamptz, key text, effective_at timestamptz, reason text,
              policy_version integer
          )
    ), meant AS (
        SELECT a.*, l.id AS lot_id, l.remaining, l.expires_at
          FROM asked AS a
          JOIN loyalty_entry AS e ON e.key = a.about_key AND e.account_id = a.account_id
          JOIN loyalty_lot AS l ON l.entry_id = e.id AND l.open AND NOT l.pending
        UNION ALL
        SELECT a.*, l.id, l.remaining, l.expires_at
          FROM asked AS a
          JOIN loyalty_lot AS l ON l.account_id = a.account_id AND l.open AND NOT l.pending
         WHERE a.about_key IS NULL AND coalesce(l.available_at <= a.effective_at, TRUE)
    ), wanted AS (
        SELECT DISTINCT ON (m.lot_id) m.*
          FROM meant AS m
         WHERE (m.expires_at IS NULL OR m.expires_at > m.effective_at)
           AND CASE
                   WHEN may_shorten THEN m.until IS DISTINCT FROM m.expires_at
                   ELSE coalesce(m.until, 'infinity') > coalesce(m.expires_at, 'infinity')
               END
           AND NOT EXISTS (SELECT FROM loyalty_lotrenewal AS x WHERE x.key = m.key || ':' || m.lot_id)
         ORDER BY m.lot_id, m.until DESC NULLS FIRST
    )
    SELECT array_agg(
               ROW(
                   lot_id, account_id, remaining, expires_at, until, effective_at, key || ':' || lot_id, reason,
                   policy_version
               )::loyalty_renewal
           ), count(*), coalesce(sum(remaining), 0)
      INTO changes, lots, points
      FROM wanted;
    IF lots > 0 THEN
        PERFORM loyalty_write_renewals(changes, recorded);
    END IF;
END
$$;

-- Where the policy of a purchase says so, it renews all lots that the account had and that were still valid at its
-- instant. All purchases of the accounts are looked at until nothing changes any more, so that it does not matter in which
-- sequence they were recorded. What a confirmed change of policy has shortened is not lengthened again by a purchase
-- that was known then. The caller has locked the accounts.
CREATE FUNCTION loyalty_renew_by_purchases(ids bigint[], recorded timestamptz, zone text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    changes loyalty_renewal[];
BEGIN
    LOOP
        WITH purchases AS (
            SELECT e.account_id, e.effective_at, e.recorded_at, e.key, v.version,
                   loyalty_valid_until(loyalty_policy(v.version), e.effective_at, zone) AS until
              FROM loyalty_entry AS e
              JOIN loyalty_validitypolicy AS v
                ON v.version = (e.trace ->> 'policy')::integer AND v.kind = 'account_renewal'
             WHERE e.account_id = ANY (ids) AND e.order_id IS NOT NULL AND e.points > 0
               AND e.kind IN ('accrual', 'maturation')
        ), wanted AS (
            SELECT DISTINCT ON (l.id)
                   l.id AS lot_id, l.account_id, l.remaining, l.expires_at, p.until, p.effective_at, p.key, p.version
              FROM loyalty_lot AS l
              JOIN purchases AS p
                ON p.account_id = l.account_id AND p.effective_at >= l.available_at
               AND p.effective_at < l.expires_at AND p.until > l.expires_at
             WHERE l.account_id = ANY (ids) AND l.open AND NOT l.pending
               AND NOT EXISTS (
                   SELECT FROM loyalty_lotrenewal AS x
                    WHERE x.lot_id = l.id AND x.reason = 'policy' AND x.recorded_at >= p.recorded_at
                      AND (x.before IS NULL OR x.after < x.before)
               )
             ORDER BY l.id, p.until DESC
        )
        SELECT array_agg(
                   ROW(
                       lot_id, account_id, remaining, expires_at, until, effective_at,
                       key || ':renewal:' || lot_id, 'purchase', version
                   )::loyalty_renewal
               )
          INTO changes
          FROM wanted;
        EXIT WHEN changes IS NULL;
        PERFORM loyalty_write_renewals(changes, recorded);
    END LOOP;
END
$$;

-- When a pending lot becomes available if nobody confirms the receipt before. No points move, so that there is nothing
-- for the journal to say. The caller has locked the accounts.
CREATE FUNCTION loyalty_schedule(batch jsonb) RETURNS void
LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
BEGIN
    UPDATE loyalty_lot AS l
       SET available_at = r.available_at
      FROM jsonb_to_recordset(batch) AS r (account_id bigint, about_key text, available_at timestamptz)
      JOIN loyalty_entry AS e ON e.key = r.about_key AND e.account_id = r.account_id
     WHERE l.entry_id = e.id AND l.pending AND l.open AND l.available_at IS DISTINCT FROM r.available_at;
END
$$;

-- What a policy would say of the open lots that the accounts from ``first`` to ``last`` had before ``since``: valid until
-- when now, and until when then. A lot's period counts from when its points became available, from the return of a part
-- of its order, or, where purchases renew an account, from the last one. What would have ended already ends now.
CREATE FUNCTION loyalty_revalue(
    policy loyalty_validity, since timestamptz, now_at timestamptz, zone text, first bigint, last bigint
) RETURNS TABLE (lot_id bigint, account_id bigint, remaining bigint, before timestamptz, after timestamptz)
LANGUAGE sql STABLE AS $$
    WITH lots AS MATERIALIZED (
        SELECT l.id, l.account_id, l.remaining, l.expires_at,
               (
                   greatest(coalesce(l.available_at, now_at), r.renewed_at, p.purchased_at) AT TIME ZONE zone
               )::date AS begins
          FROM loyalty_lot AS l
         CROSS JOIN LATERAL (
              SELECT max(x.effective_at) AS renewed_at
                FROM loyalty_lotrenewal AS x
               WHERE x.lot_id = l.id AND x.reason = 'partial_return'
          ) AS r
          LEFT JOIN (
              SELECT e.account_id, max(e.effective_at) AS purchased_at
                FROM loyalty_entry AS e
               WHERE (policy).kind = 'account_renewal' AND e.account_id BETWEEN first AND last
                 AND e.order_id IS NOT NULL AND e.points > 0 AND e.kind IN ('accrual', 'maturation')
               GROUP BY e.account_id
          ) AS p ON p.account_id = l.account_id
         WHERE l.account_id BETWEEN first AND last AND l.open AND NOT l.pending
           AND (l.expires_at IS NULL OR l.expires_at > now_at) AND coalesce(l.available_at < since, TRUE)
    ), days AS MATERIALIZED (
        -- A million lots begin on some hundred days.
        SELECT d.begins, loyalty_valid_until(policy, d.begins::timestamp AT TIME ZONE zone, zone) AS until
          FROM (SELECT DISTINCT begins FROM lots) AS d
    )
    SELECT l.id, l.account_id, l.remaining, l.expires_at,
           CASE WHEN (policy).kind <> 'never' THEN greatest(d.until, now_at) END
      FROM lots AS l
      JOIN days AS d USING (begins)
$$;

-- Carry a change of policy through for points that members had before, at most ``most`` accounts a call, in ascending
-- order after ``after_account``. A lot is changed once for each version of the policy.
CREATE FUNCTION loyalty_apply_policy(
    version integer, since timestamptz, may_shorten boolean, recorded timestamptz, zone text,
    after_account bigint, most integer,
    OUT accounts bigint, OUT lots bigint, OUT points bigint, OUT last_account bigint
) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    changes loyalty_renewal[];
BEGIN
    SELECT array_agg(s.account_id)
      INTO ids
      FROM (
          SELECT DISTINCT l.account_id
            FROM loyalty_lot AS l
           WHERE l.open AND l.account_id > after_account
           ORDER BY l.account_id
           LIMIT most
      ) AS s;
    last_account := ids[array_upper(ids, 1)];

    PERFORM loyalty_lock(ids, NULL);

    WITH wanted AS (
        SELECT v.*, 'policy:' || version || ':lot:' || v.lot_id AS key
          FROM loyalty_revalue(loyalty_policy(version), since, recorded, zone, after_account + 1, last_account) AS v
         WHERE CASE
                   WHEN may_shorten THEN v.after IS DISTINCT FROM v.before
                   ELSE coalesce(v.after, 'infinity') > coalesce(v.before, 'infinity')
               END
    )
    SELECT array_agg(
               ROW(
                   w.lot_id, w.account_id, w.remaining, w.before, w.after, recorded, w.key, 'policy', version
               )::loyalty_renewal
           ), count(DISTINCT w.account_id), count(*), coalesce(sum(w.remaining), 0)
      INTO changes, accounts, lots, points
      FROM wanted AS w
     WHERE NOT EXISTS (SELECT FROM loyalty_lotrenewal AS x WHERE x.key = w.key);
    IF lots > 0 THEN
        PERFORM loyalty_write_renewals(changes, recorded);
    END IF;
END
$$;
