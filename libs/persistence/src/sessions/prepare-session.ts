import type { ClientBase } from 'pg';

/** The server answers reads only: it follows another one, or recovers. It may become a primary. */
export class StandbyError extends Error {
  override readonly name = 'StandbyError';
  constructor() {
    super(
      'the PostgreSQL server is a standby (in recovery), whose copy may be behind the truth: ' +
        'name the primary in PAWL_POSTGRES_URL, or promote this one',
    );
  }
}

/**
 * Makes a new session fit for the truth, in one round trip, before anybody uses it. Refuses a standby
 * with {@link StandbyError}: what it says of fences may be old. (A session never comes to be on one
 * later: a primary becomes a standby by a restart only.) And waits at each commit until PostgreSQL has
 * it on its disk: `synchronous_commit` is raised where it is `off`, and left alone otherwise, since how
 * much standbys count is the operator's to say. `client.processID` is the server's process afterwards,
 * also where a pooler has given a number of its own: it is what is ended when an answer is lost.
 */
export async function prepareSession(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ standby: boolean; process: number }>(PREPARE);
  const [row] = rows;
  if (row?.standby !== false) throw new StandbyError();
  (client as ClientBase & { processID: number | null }).processID = row.process;
}

const PREPARE = `
  SELECT pg_is_in_recovery() AS standby, pg_backend_pid() AS process,
    CASE current_setting('synchronous_commit') WHEN 'off'
      THEN set_config('synchronous_commit', 'on', false) END AS raised`;
