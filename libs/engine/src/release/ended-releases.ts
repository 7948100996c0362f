import { done, MAX_TRANSITIONS } from '@pawl/contracts';
import type {
  AuditItem,
  EndedRelease,
  EndedReleaseSummary,
  Outcome,
  Page,
  ReleaseSummary,
} from '@pawl/contracts';
import { PROBLEMS } from '@pawl/contracts';
import type { AuditPageQuery, ConfigEngine } from '../config-engine.js';
import type { ReadDefinitions } from '../config/read-definitions.js';
import { noSuchRelease } from './list-releases.js';

/** The releases in stages that have ended, the last first, whoever owned them: from the history in the truth. */
export async function listEndedReleases(
  reads: ReadDefinitions,
  query: AuditPageQuery,
): Promise<Outcome<Page<EndedRelease>>> {
  const page = await reads.audit(query, 'ends');
  if (!page.ok) return page;
  const { items, ...rest } = page.value;
  return done({ ...rest, items: items.flatMap((line) => endedItem(line) ?? []) });
}

/** What became of one of them, with the last of its lines of history; the same way. */
export async function endedRelease(
  reads: ReadDefinitions,
  id: string,
): Promise<Outcome<EndedReleaseSummary>> {
  const page = await reads.audit({ limit: MAX_TRANSITIONS }, { releaseId: id });
  if (!page.ok) return page;
  const { items, next } = page.value;
  const [item] = items.flatMap((line) => endedItem(line) ?? []);
  if (item === undefined) return noSuchRelease(id);
  const transitions = items.map(({ address: _, ...line }) => line).reverse();
  return done({ ...item, transitions, ...(next === undefined ? {} : { more: true as const }) });
}

/**
 * A release in stages: what it has reached while it is under way, and what became of it once it has ended,
 * also between two looks.
 */
export async function tellRelease(
  engine: Pick<ConfigEngine, 'findRelease' | 'sumUpRelease' | 'endedRelease'>,
  id: string,
): Promise<Outcome<ReleaseSummary | EndedReleaseSummary>> {
  const found = await engine.findRelease(id);
  const told = found.ok ? await engine.sumUpRelease(found.value, id) : found;
  const isThere = told.ok || PROBLEMS[told.problem.code].status !== 404;
  return isThere ? told : engine.endedRelease(id);
}

/** What a line of history tells of the release that ended with it; `undefined` of another line. */
function endedItem(line: AuditItem): EndedRelease | undefined {
  const { address, at, author, releaseId: id, ended, releaseVersion = 0, reason } = line;
  if (id === undefined || ended === undefined) return undefined;
  return {
    ...{ id, address, state: 'ended', ...ended, endedAt: at, endedBy: author, releaseVersion },
    ...(reason === undefined ? {} : { reason }),
  };
}
