import type { TruthSessions } from './sessions/truth-sessions.js';

/** As configured for the session's role, database and server, before it was prepared. */
interface Durability {
  readonly synchronous_commit: string;
  readonly fsync: string;
  readonly full_page_writes: string;
}

const DURABILITY = `
  SELECT max(s.reset_val) FILTER (WHERE s.name = 'synchronous_commit') AS synchronous_commit,
    max(s.setting) FILTER (WHERE s.name = 'fsync') AS fsync,
    max(s.setting) FILTER (WHERE s.name = 'full_page_writes') AS full_page_writes
  FROM pg_settings s WHERE s.name IN ('synchronous_commit', 'fsync', 'full_page_writes')`;

/** What keeps PostgreSQL from keeping what it commits: sentences for the log that say what to do. */
export async function notesOnDurability(sessions: TruthSessions): Promise<string[]> {
  const answer = await sessions.read<Durability & Record<string, string>>({
    text: DURABILITY,
    values: [],
  });
  const [found] = answer.kind === 'rows' ? answer.rows : [];
  return found === undefined ? [] : notesOf(found);
}

function notesOf(found: Durability): string[] {
  const notes: string[] = [];
  if (found.fsync === 'off') {
    notes.push(
      'PostgreSQL runs with fsync=off: a crash of its machine loses acknowledged writes and may ' +
        'leave the database unusable; set fsync=on and reload PostgreSQL',
    );
  }
  if (found.full_page_writes === 'off') {
    notes.push(
      'PostgreSQL runs with full_page_writes=off: a crash of its machine may leave torn pages, ' +
        'acknowledged writes among them; set full_page_writes=on and reload PostgreSQL, unless its ' +
        'file system writes pages whole',
    );
  }
  if (found.synchronous_commit === 'off') {
    notes.push(
      'synchronous_commit=off is set for this role, database or server: Pawl sets it to on in its ' +
        'own sessions, so its commits are durable all the same; remove the setting',
    );
  }
  return notes;
}
