-- The journal's common ground: what a posting is, and the first steps that every verb takes.

CREATE TYPE loyalty_posting AS (
    seq integer,                  -- Order within the batch.
    account_id bigint,
    kind text,
    points bigint,                -- Never negative here; the verb gives the sign.
    pending boolean,              -- Accruals only: points wait for the order to succeed.
    key text,
    digest bytea,
    effective_at timestamptz,
    available_at timestamptz,
    expires_at timestamptz,
    deadline timestamptz,         -- Holds only: when the points go back by themselves.
    order_id bigint,
    about_key text,               -- Key of the entry that is matured, taken back, settled or undone.
    reference text,
    reason text,
    actor_id bigint,
    trace jsonb,
    limit_most integer[],         -- Draws only, one for each limit: as many units of the reference as a member may have,
    limit_since timestamptz[]     -- counted from then on, NULL for ever.
);

CREATE TYPE loyalty_outcome AS (
    seq integer,
    code text,                    -- posted, repeated, conflict, short, nothing, or 'limit 2' when the second one is reached.
    entry_id bigint,
    points bigint,                -- Signed change of the balance.
    pending bigint,               -- Signed change of the pending sum.
    balance_after bigint,
    available bigint              -- For 'short': what could have been spent; for 'limit': units had.
);

-- Create the missing accounts of the newcomers, then lock all accounts, both in ascending order.
--
-- Here and in the verbs that write posting by posting, one plan serves every size of batch: a few index look-ups a posting.
-- Left alone, the planner would think the statements over at each call, which takes longer than a single posting's work.
CREATE FUNCTION loyalty_lock(ids bigint[], newcomers bigint[]) RETURNS void
LANGUAGE plpgsql SET loyalty.journal = 'on' SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    IF newcomers IS NOT NULL THEN
        INSERT INTO loyalty_account (member_id, balance, pending, held, version)
        SELECT i.id, 0, 0, 0, 0
          FROM unnest(newcomers) AS i (id)
         WHERE NOT EXISTS (SELECT FROM loyalty_account AS a WHERE a.member_id = i.id)
         ORDER BY i.id
            ON CONFLICT DO NOTHING;
    END IF;

    PERFORM FROM loyalty_account AS a WHERE a.member_id = ANY (ids) ORDER BY a.member_id FOR NO KEY UPDATE;
END
$$;

-- Lock all accounts of the batch and only then look the keys up: a concurrent writer of the same key has either
-- committed by now or waits behind our lock. Each statement of a VOLATILE function takes a fresh snapshot, so what is
-- read after the lock is what the lock protects. Keys are looked up one by one in their index: a plan that was kept from
-- the days when the journal was small would otherwise read all of it for every batch.
CREATE FUNCTION loyalty_prepare(
    batch jsonb, open_accounts boolean, OUT fresh loyalty_posting[], OUT known loyalty_outcome[], OUT conflict boolean
) LANGUAGE plpgsql SET plan_cache_mode = 'force_generic_plan' SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ids bigint[] := ARRAY(SELECT DISTINCT (p ->> 'account_id')::bigint FROM jsonb_array_elements(batch) AS p);
BEGIN
    PERFORM loyalty_lock(ids, CASE WHEN open_accounts THEN ids END);

    SELECT array_agg(p ORDER BY p.seq) FILTER (WHERE e.id IS NULL),
           array_agg(
               ROW(
                   p.seq, CASE WHEN e.digest = p.digest THEN 'repeated' ELSE 'conflict' END,
                   e.id, e.points, e.pending, e.balance_after, NULL
               )::loyalty_outcome
               ORDER BY p.seq
           ) FILTER (WHERE e.id IS NOT NULL),
           coalesce(bool_or(e.digest <> p.digest), FALSE)
      INTO fresh, known, conflict
      FROM jsonb_populate_recordset(NULL::loyalty_posting, batch) AS p
      LEFT JOIN loyalty_entry AS e ON e.key = p.key;
END
$$;
