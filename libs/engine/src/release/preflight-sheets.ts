import { canonicalize, FORMAT } from '@pawl/contracts';
import type { Address, Prepare } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { Turns } from '../turns.js';
import { isLarge } from './preflight-question.js';
import type { Question, WouldBe } from './preflight-question.js';
import type { Content } from '../sharding/root-tree.js';

/** What goes to those who have an address open; how long they have is said when it is sent. */
export interface Sheet {
  readonly to: Address;
  readonly message: Omit<Prepare, 'deadlineMs' | 'only'>;
}

/**
 * What consumers are asked, by address, with large contents stored for them to fetch. Where those
 * cannot be stored consumers are asked all the same: they say that they cannot fetch them.
 */
export async function preflightSheets(
  context: EngineContext,
  root: OwnedRoot,
  of: { readonly id: string; readonly workload?: string | undefined; readonly question: Question },
): Promise<Sheet[]> {
  const sheets: Sheet[] = [];
  const stored = new Set<string>();
  const turns = new Turns(context.scheduler);
  for (const place of of.question.addresses) {
    const { content } = place;
    if (content === null) continue;
    const { hash, size } = content.variant;
    if (isLarge(content) && content.effective !== null && !stored.has(hash)) {
      stored.add(hash);
      await storeContent(context, root, { hash, text: canonicalize(content.effective) });
    }
    sheets.push({
      to: place.address,
      message: messageOf(context, root, { ...of, place, content }),
    });
    await turns.spent(size);
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
