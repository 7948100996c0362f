import { canonicalize, FORMAT } from '@pawl/contracts';
import type { Address, AddressText, Prepare } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { Turns } from '../turns.js';
import { isLarge } from './preflight-question.js';
import type { Question, WouldBe } from './preflight-question.js';
import type { Content } from '../sharding/root-tree.js';

/** What goes to those who would read the same at an address; how long they have is said when it is sent. */
export interface Sheet {
  readonly to: Address;
  /** Those that they are in now. */
  readonly cohorts: string[];
  readonly message: Omit<Prepare, 'deadlineMs' | 'only' | 'cohorts' | 'kinds'>;
}

/** What is asked at one address, by the cohort that consumers are in now; of the others nothing is. */
export type SheetsOfCohorts = ReadonlyMap<string, Sheet>;

/**
 * What consumers are asked, by address, with large contents stored for them to fetch. Where those
 * cannot be stored consumers are asked all the same: they say that they cannot fetch them.
 */
export async function preflightSheets(
  context: EngineContext,
  root: OwnedRoot,
  of: { readonly id: string; readonly workload?: string | undefined; readonly question: Question },
): Promise<ReadonlyMap<AddressText, SheetsOfCohorts>> {
  const sheets = new Map<AddressText, SheetsOfCohorts>();
  const stored = new Set<string>();
  const turns = new Turns(context.scheduler);
  for (const place of of.question.addresses) {
    if (place.contents.size === 0) continue;
    const here = new Map<string, Sheet>();
    sheets.set(place.address.text, here);
    for (const [cohort, content] of place.contents) {
      const { hash, size } = content.variant;
      const same = [...here.values()].find(({ message }) => message.hash === hash);
      same?.cohorts.push(cohort);
      const message = same?.message ?? messageOf(context, root, { ...of, place, content });
      here.set(cohort, same ?? { to: place.address, cohorts: [cohort], message });
      if (isLarge(content) && content.effective !== null && !stored.has(hash)) {
        stored.add(hash);
        await storeContent(context, root, { hash, text: canonicalize(content.effective) });
      }
      await turns.spent(size);
    }
  }
  return sheets;
}

async function storeContent(
  context: EngineContext,
  root: OwnedRoot,
  { hash, text }: { readonly hash: string; readonly text: string },
): Promise<void> {
  try {
    await context.publisher.storeContent(root.name, hash, text);
  } catch (error) {
    if (!(error instanceof DistributionUnavailableError)) throw error;
    context.log.warn('a content could not be stored for a preflight', { error: String(error) });
  }
}

function messageOf(
  context: EngineContext,
  root: OwnedRoot,
  of: {
    readonly id: string;
    readonly workload?: string | undefined;
    readonly place: WouldBe;
    readonly content: Content;
  },
): Sheet['message'] {
  const { id, workload, place, content } = of;
  const { effective } = content;
  const { hash, size } = content.variant;
  return {
    format: FORMAT,
    installation: installationText(context.installation),
    id,
    address: place.address.text,
    fencingToken: String(root.shard.token),
    version: place.version,
    hash,
    size,
    ...(effective === null ? { absent: true as const } : {}),
    ...(effective === null || isLarge(content) ? {} : { inline: effective }),
    ...(workload === undefined ? {} : { workload }),
  };
}
