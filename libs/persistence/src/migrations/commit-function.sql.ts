/**
 * Applies one changeset of a shard that was entered. A part that is NULL costs nothing. Long texts
 * (documents, schemas) come in `p_texts`, apart from the JSON that names them by position, because
 * escaping them into JSON costs more than storing them. A row that is not as the changeset expects
 * raises PW002, which takes everything back. Functions share it as text: one that they called would
 * copy `p_texts` at every call.
 */
export const APPLY = `
  IF p_definitions IS NOT NULL THEN
    FOR item IN SELECT * FROM json_to_recordset(p_definitions) AS d(
      address text, version bigint, document integer, "documentHash" text, schema integer,
      "schemaHash" text, author text, "createdAt" timestamptz, message text)
    LOOP
      INSERT INTO config_definition (
        address, version, document, document_hash, schema_hash, author, created_at, message)
      SELECT item.address, item.version, p_texts[item.document], item."documentHash",
        item."schemaHash", item.author, item."createdAt", item.message
      WHERE item.version = 1 OR EXISTS (
        SELECT FROM config_definition d
        WHERE d.address = item.address AND d.version = item.version - 1)
      ON CONFLICT (address, version) DO NOTHING;
      IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PW002', MESSAGE = format(
          '%s does not have newest definition version %s', item.address, item.version - 1);
      END IF;
      IF item.version = 1 THEN
        INSERT INTO config_address AS a (address, root, shard, opened)
        VALUES (item.address, p_root, p_shard, false)
        ON CONFLICT (address) DO UPDATE SET opened = false WHERE a.opened;
      END IF;
      IF item.schema IS NOT NULL THEN
        INSERT INTO config_schema (address, hash, text)
        VALUES (item.address, item."schemaHash", p_texts[item.schema])
        ON CONFLICT (address, hash) DO NOTHING;
      END IF;
    END LOOP;
  END IF;

  IF p_opened IS NOT NULL THEN
    INSERT INTO config_address (address, root, shard, opened)
    SELECT o.address, p_root, p_shard, true FROM unnest(p_opened) AS o(address)
    ON CONFLICT (address) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(p_opened) THEN
      RAISE EXCEPTION USING ERRCODE = 'PW002', MESSAGE = format(
        'only %s of %s opened addresses are new', written, cardinality(p_opened));
    END IF;
  END IF;

  IF p_releases IS NOT NULL THEN
    FOR item IN SELECT * FROM json_to_recordset(p_releases) AS r(
      address text, state text, "releaseVersion" bigint, "stableVersion" bigint,
      "contributionAt" bigint, "loweredAt" bigint, forced boolean, "blockedVersions" bigint[])
    LOOP
      UPDATE config_address a
      SET state = item.state, release_version = item."releaseVersion",
        stable_version = item."stableVersion", contribution_at = item."contributionAt",
        lowered_at = item."loweredAt", forced = item.forced,
        blocked_versions = item."blockedVersions"
      WHERE a.address = item.address AND a.shard = p_shard
        AND a.release_version = item."releaseVersion" - 1;
      IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PW002', MESSAGE = format(
          '%s is not at release version %s', item.address, item."releaseVersion" - 1);
      END IF;
    END LOOP;
  END IF;

  IF p_snapshots IS NOT NULL THEN
    INSERT INTO config_snapshot AS s (
      address, generation, version, hash, inputs, variant_hash, variant_size, variant_absent)
    SELECT n.address, n.generation, n.version, n.hash, n.inputs, n."variantHash",
      n."variantSize", n."variantAbsent"
    FROM json_to_recordset(p_snapshots) AS n(
      address text, generation bigint, version bigint, hash text, inputs json,
      "variantHash" text, "variantSize" bigint, "variantAbsent" boolean)
    WHERE EXISTS (
      SELECT FROM config_address a WHERE a.address = n.address AND a.shard = p_shard)
    ON CONFLICT (address) DO UPDATE
      SET generation = excluded.generation, version = excluded.version, hash = excluded.hash,
        inputs = excluded.inputs, variant_hash = excluded.variant_hash,
        variant_size = excluded.variant_size, variant_absent = excluded.variant_absent
      WHERE (s.generation, s.version) < (excluded.generation, excluded.version);
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> json_array_length(p_snapshots) THEN
      RAISE EXCEPTION USING ERRCODE = 'PW002', MESSAGE = format(
        'only %s of %s snapshots are of known addresses and newer than the stored', written,
        json_array_length(p_snapshots));
    END IF;
  END IF;

  IF p_forgotten IS NOT NULL THEN
    DELETE FROM config_address a
    WHERE a.address = ANY (p_forgotten) AND a.opened AND a.shard = p_shard;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(p_forgotten) THEN
      RAISE EXCEPTION USING ERRCODE = 'PW002', MESSAGE = format(
        'only %s of %s forgotten addresses are opened ones', written, cardinality(p_forgotten));
    END IF;
    DELETE FROM config_snapshot s WHERE s.address = ANY (p_forgotten);
  END IF;

  IF p_history IS NOT NULL THEN
    INSERT INTO history_entry (
      address, at, author, kind, version, release_version, action, message, reason, forced)
    SELECT h.address, h.at, h.author, h.kind, h.version, h."releaseVersion", h.action, h.message,
      h.reason, h.forced IS TRUE
    FROM json_to_recordset(p_history) AS h(
      address text, at timestamptz, author text, kind text, version bigint,
      "releaseVersion" bigint, action text, message text, reason text, forced boolean);
  END IF;

  IF p_idempotency IS NOT NULL THEN
    INSERT INTO idempotency_record (key, shard, root, request_hash, status, body, created_at)
    SELECT r.key, p_shard, p_root, r."requestHash", r.status, r.body, r."createdAt"
    FROM json_to_record(p_idempotency) AS r(
      key text, "requestHash" text, status integer, body text, "createdAt" timestamptz)
    ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'PW002', MESSAGE = 'the idempotency key is already used';
    END IF;
  END IF;`.trim();

/** Commits one changeset under the fence: one round trip, one transaction, all or nothing. */
export const COMMIT = `
CREATE FUNCTION pawl_commit(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_root text,
  p_definitions json, p_releases json, p_snapshots json, p_opened text[], p_forgotten text[],
  p_history json, p_idempotency json, p_texts text[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  item record;
  written integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);

  ${APPLY}
END $pawl$`;

/**
 * Commits several changesets under the fence, in order: one round trip, one transaction, all or
 * nothing. The shard is entered once. `p_changesets` holds the parts of each by name, and none that
 * is empty; positions count through `p_texts`, which all of them share.
 */
export const COMMIT_ALL = `
CREATE FUNCTION pawl_commit_all(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_changesets json,
  p_texts text[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  p_root text;
  p_definitions json;
  p_releases json;
  p_snapshots json;
  p_opened text[];
  p_forgotten text[];
  p_history json;
  p_idempotency json;
  item record;
  written integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);

  FOR p_root, p_definitions, p_releases, p_snapshots, p_opened, p_forgotten, p_history, p_idempotency
  IN SELECT c.root, c.definitions, c.releases, c.snapshots, c.opened, c.forgotten, c.history,
      c.idempotency
    FROM json_to_recordset(p_changesets) AS c(
      root text, definitions json, releases json, snapshots json, opened text[], forgotten text[],
      history json, idempotency json)
  LOOP
  ${APPLY}
  END LOOP;
END $pawl$`;
