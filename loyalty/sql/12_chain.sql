-- The chain over the closed days: digests over a day's seals and entries, and over its figures (decision 0006).

-- The digest over a day's seals, which are of entries above ``lowest``, in the order of their ids; in blocks of 4096 ids,
-- so that no aggregate grows long.
CREATE FUNCTION loyalty_seals_digest(of_close integer, lowest bigint) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(coalesce(string_agg(b.digest, ''::bytea ORDER BY b.block), ''::bytea))
      FROM (
          SELECT s.entry_id >> 12 AS block,
                 sha256(string_agg(int8send(s.entry_id) || s.digest, ''::bytea ORDER BY s.entry_id)) AS digest
            FROM loyalty_entryseal AS s
           WHERE s.close_id = of_close AND s.entry_id > lowest
           GROUP BY s.entry_id >> 12
      ) AS b
$$;

-- The digest over the day's entries themselves, in the same order and the same blocks, their texts line by line. An audit
-- works it out outside of the database, where hashing is quicker by far, and needs no seal for it.
CREATE FUNCTION loyalty_entries_digest(of_close integer, lowest bigint) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(coalesce(string_agg(b.digest, ''::bytea ORDER BY b.block), ''::bytea))
      FROM (
          SELECT s.entry_id >> 12 AS block,
                 sha256(convert_to(string_agg(loyalty_entry_text(e), E'\n' ORDER BY e.id), 'UTF8')) AS digest
            FROM loyalty_entryseal AS s
            JOIN loyalty_entry AS e ON e.id = s.entry_id AND e.id > lowest
           WHERE s.close_id = of_close AND s.entry_id > lowest
           GROUP BY s.entry_id >> 12
      ) AS b
$$;

-- The day's own digest: the day before, the seals, the entries, and every figure of the row. Days that were closed before
-- their entries had a digest of their own keep the one they have: nothing adds nothing.
CREATE FUNCTION loyalty_close_digest(c loyalty_dayclose) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(c.previous_digest || c.seals_digest || c.entries_digest || convert_to(concat_ws(
               '|', c.number, c.day - DATE '2000-01-01', extract(EPOCH FROM c.begins_at), extract(EPOCH FROM c.ends_at),
               extract(EPOCH FROM c.closed_at), c.entries, c.late_entries,
               c.opening, c.accrued, c.carried_over, c.matured, c.burned, c.expired, c.adjusted, c.reversed, c.undone,
               c.set_aside, c.released, c.closing,
               c.pending_opening, c.pending_accrued, c.pending_reversed, c.pending_closing,
               c.held_opening, c.captured, c.held_closing,
               c.debt, c.rate_version, c.cost_per_point, c.breakage, c.liability, c.sealed_from, c.sealed_to,
               c.seen_to, c.transaction
           ), 'UTF8'))
$$;

-- Write the row of a day whose entries are sealed, and chain it to the day before.
CREATE FUNCTION loyalty_write_close(figures jsonb) RETURNS void
LANGUAGE plpgsql SET loyalty.journal = 'on' AS $$
DECLARE
    c loyalty_dayclose := jsonb_populate_record(NULL::loyalty_dayclose, figures);
BEGIN
    c.previous_digest := coalesce((SELECT p.digest FROM loyalty_dayclose AS p WHERE p.number = c.number - 1), ''::bytea);
    c.seals_digest := loyalty_seals_digest(c.number, c.sealed_from);
    c.entries_digest := loyalty_entries_digest(c.number, c.sealed_from);
    c.digest := loyalty_close_digest(c);
    INSERT INTO loyalty_dayclose SELECT c.*;
END
$$;
