-- Closing a day: which entries belong to it, and a seal for each (decision 0006).

-- All of an entry as one text, from which each column can be told: free texts carry their length in bytes before them.
-- The key's hash and the two instants (microseconds since 2000, eight bytes each) are one hexadecimal number, for speed.
-- Nothing here depends on the settings of a session. A new column of the journal belongs in here.
CREATE FUNCTION loyalty_entry_text(e loyalty_entry) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT concat_ws(
               '|', e.id, e.account_id, e.kind, e.points, e.pending, e.held, e.balance_after, octet_length(e.key), e.key,
               encode(e.digest || timestamptz_send(e.effective_at) || timestamptz_send(e.recorded_at), 'hex'),
               coalesce(e.order_id, 0), coalesce(e.about_id, 0), coalesce(e.actor_id, 0),
               octet_length(e.reference), e.reference, octet_length(e.reason), e.reason, e.trace
           )
$$;

-- Half of a SHA-256 is kept for each entry: the day's digest, which is whole, covers it.
CREATE FUNCTION loyalty_entry_digest(e loyalty_entry) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT substring(sha256(convert_to(loyalty_entry_text(e), 'UTF8')) FROM 1 FOR 16)
$$;

-- Seal the entries that were recorded before the day's end and have no seal yet, ``most`` ids at a time, and add them up.
--
-- Ids are not committed in their order: below one that is sealed, a slow transaction may still bring another. So the
-- search goes on from ``sealed_to``, below which nothing can turn up any more, and that is proved like this. Whoever
-- takes an id has a transaction number by then, for the journal locks the account first. So those who held an id up to
-- what day d saw have lower numbers than the transaction that closed day d + 1. Once all lower ones have ended, a search
-- from the old ``sealed_to`` sees all there is up to there; and then it moves up, though never to what is unsealed yet.
CREATE FUNCTION loyalty_seal_day(
    of_close integer, begins timestamptz, ends timestamptz, most bigint,
    OUT sealed_from bigint, OUT sealed_to bigint, OUT seen_to bigint, OUT transaction bigint,
    OUT entries bigint, OUT late_entries bigint,
    OUT accrued bigint, OUT carried_over bigint, OUT matured bigint, OUT burned bigint, OUT expired bigint,
    OUT adjusted bigint, OUT reversed bigint, OUT undone bigint, OUT set_aside bigint, OUT released bigint,
    OUT pending_accrued bigint, OUT pending_reversed bigint, OUT captured bigint, OUT debt bigint
) LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
DECLARE
    highest bigint;
    start bigint;
    settled bigint;
    unsealed bigint;
BEGIN
    transaction := pg_current_xact_id()::text::bigint;
    sealed_from := coalesce((SELECT c.sealed_to FROM loyalty_dayclose AS c WHERE c.number = of_close - 1), 0);
    -- Before the search, so that whatever had ended by now is visible to it.
    SELECT coalesce(max(c.seen_to), 0)
      INTO settled
      FROM loyalty_dayclose AS c
      JOIN loyalty_dayclose AS after ON after.number = c.number + 1
     WHERE after.transaction <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint;

    -- Materialized, or the planner would walk down from the newest entry through all days that come after.
    WITH due AS MATERIALIZED (SELECT e.id FROM loyalty_entry AS e WHERE e.id > sealed_from AND e.recorded_at < ends)
    SELECT max(id) INTO highest FROM due;

    FOR start IN SELECT generate_series(sealed_from, highest, most) LOOP
        INSERT INTO loyalty_entryseal (entry_id, close_id, digest)
        SELECT e.id, of_close, loyalty_entry_digest(e)
          FROM loyalty_entry AS e
         WHERE e.id > start AND e.id <= start + most AND e.recorded_at < ends
           AND NOT EXISTS (
               SELECT FROM loyalty_entryseal AS s
                WHERE s.entry_id = e.id AND s.entry_id > start AND s.entry_id <= start + most
           )
         ORDER BY e.id;
    END LOOP;

    SELECT e.id
      INTO unsealed
      FROM loyalty_entry AS e
     WHERE e.id > sealed_from AND NOT EXISTS (SELECT FROM loyalty_entryseal AS s WHERE s.entry_id = e.id)
     ORDER BY e.id
     LIMIT 1;
    sealed_to := greatest(least(settled, unsealed - 1), sealed_from);
    seen_to := coalesce((SELECT max(e.id) FROM loyalty_entry AS e), 0);

    SELECT count(*), count(*) FILTER (WHERE e.recorded_at < begins),
           coalesce(sum(e.points) FILTER (WHERE e.kind = 'accrual'), 0),
           coalesce(sum(e.points) FILTER (WHERE e.kind = 'opening'), 0),
           coalesce(sum(e.points) FILTER (WHERE e.kind = 'maturation'), 0),
           coalesce(-sum(e.points) FILTER (WHERE e.kind = 'burn'), 0),
           coalesce(-sum(e.points) FILTER (WHERE e.kind = 'expiry'), 0),
           coalesce(sum(e.points) FILTER (WHERE e.kind = 'adjustment'), 0),
           coalesce(-sum(e.points) FILTER (WHERE e.kind = 'reversal' AND e.points < 0), 0),
           coalesce(sum(e.points) FILTER (WHERE e.kind = 'reversal' AND e.points > 0), 0),
           coalesce(sum(e.held) FILTER (WHERE e.kind = 'hold'), 0),
           coalesce(sum(e.points) FILTER (WHERE e.kind = 'release'), 0),
           coalesce(sum(e.pending) FILTER (WHERE e.kind IN ('accrual', 'opening')), 0),
           coalesce(-sum(e.pending) FILTER (WHERE e.kind = 'reversal'), 0),
           coalesce(-sum(e.held) FILTER (WHERE e.kind = 'capture'), 0)
      INTO entries, late_entries, accrued, carried_over, matured, burned, expired, adjusted, reversed, undone,
           set_aside, released, pending_accrued, pending_reversed, captured
      FROM loyalty_entryseal AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE s.close_id = of_close AND s.entry_id > sealed_from;

    -- What members owed after their last sealed entry. Few were ever below zero, and those have an index.
    SELECT coalesce(-sum(last.balance_after), 0)
      INTO debt
      FROM (SELECT DISTINCT account_id FROM loyalty_entry WHERE balance_after < 0) AS a
     CROSS JOIN LATERAL (
         SELECT e.balance_after
           FROM loyalty_entry AS e
           JOIN loyalty_entryseal AS s ON s.entry_id = e.id
          WHERE e.account_id = a.account_id
          ORDER BY e.id DESC
          LIMIT 1
     ) AS last
     WHERE last.balance_after < 0;
END
$$;
