import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Snapshot, Subjects } from '@pawl/contracts';
import type { ContentCollection } from '@pawl/engine';
import type { Clock } from '@pawl/kernel';
import type { ContentStore } from './content-store.js';
import type { JetStreamAccess } from './jetstream-access.js';
import type { StreamKeeper } from './stream-keeper.js';

/**
 * What is referenced was counted before the collection began. A process that was paused meanwhile
 * may have lost the shard, and what it counted is old: it stops rather than delete by it.
 */
const DEADLINE_MS = 30_000;
/** How long it is believed that the shard is still owned, once somebody has looked. */
const OWNED_MS = 1_000;
/** Contents deleted by one call at most; the next call goes on. */
const MAX_REMOVALS = 10_000;
const CONCURRENT_REMOVALS = 8;
const SCAN_BATCH = 500;

interface ContentCollectorOptions {
  readonly access: JetStreamAccess;
  readonly keeper: StreamKeeper;
  readonly contents: ContentStore;
  readonly subjects: Subjects;
  readonly clock: Clock;
}

interface Candidate {
  readonly subject: string;
  readonly sequence: number;
}

/** What is walked in a stream. */
interface Walk {
  readonly stream: string;
  readonly filter: string;
  readonly headersOnly: boolean;
}

/** Deletes contents that nothing names any more. */
export class ContentCollector {
  constructor(private readonly options: ContentCollectorOptions) {}

  /** See `SnapshotPublisher.collectContents`. */
  async collect(
    root: string,
    { referenced, olderThanMs, isOwner }: ContentCollection,
  ): Promise<number> {
    const { keeper, contents, clock } = this.options;
    const endMs = clock.monotonicMs() + DEADLINE_MS;
    const hasTime = (): boolean => clock.monotonicMs() < endMs;
    const unnamed = await keeper.run(`scanning the contents of ${root}`, async () => {
      const bornBeforeMs = clock.wallMs() - olderThanMs;
      const candidates = await this.#candidates(root, hasTime, (candidate, bornMs) => {
        return bornMs <= bornBeforeMs && !referenced.has(hashOf(candidate.subject));
      });
      return candidates.length === 0 ? [] : this.#notStored(root, hasTime, candidates);
    });
    let ownedMs = -Infinity;
    const mayRemove = async (): Promise<boolean> => {
      const nowMs = clock.monotonicMs();
      if (nowMs - ownedMs < OWNED_MS) return hasTime();
      if (!(await isOwner())) return false;
      ownedMs = nowMs;
      return hasTime();
    };
    return removeAll(unnamed, mayRemove, ({ subject, sequence }) =>
      contents.remove(subject, sequence, olderThanMs),
    );
  }

  async #candidates(
    root: string,
    hasTime: () => boolean,
    isWanted: (candidate: Candidate, bornMs: number) => boolean,
  ): Promise<readonly Candidate[]> {
    const { subjects } = this.options;
    const walk = {
      stream: subjects.contentStream,
      filter: subjects.content(root, '*'),
      headersOnly: true,
    };
    const candidates: Candidate[] = [];
    await this.#walk(walk, (message) => {
      const candidate = { subject: message.subject, sequence: message.seq };
      if (isWanted(candidate, Math.floor(message.info.timestampNanos / 1e6)))
        candidates.push(candidate);
      return candidates.length < MAX_REMOVALS && hasTime();
    });
    return candidates;
  }

  /**
   * Those that no stored snapshot names: one of an address that nobody knows any more, since PostgreSQL
   * was restored from an older copy, is still what its consumers start with. None when time runs out.
   */
  async #notStored(
    root: string,
    hasTime: () => boolean,
    candidates: readonly Candidate[],
  ): Promise<readonly Candidate[]> {
    const { subjects } = this.options;
    const unnamed = new Map(candidates.map((each) => [hashOf(each.subject), each]));
    const walk = {
      stream: subjects.snapshotStream,
      filter: subjects.rootSnapshots(root),
      headersOnly: false,
    };
    const sawAll = await this.#walk(walk, (message) => {
      for (const hash of namedBy(message)) unnamed.delete(hash);
      return hasTime();
    });
    return sawAll ? [...unnamed.values()] : [];
  }

  /** Visits what is stored now until `visit` says no; answers whether all of it was visited. */
  #walk(
    { stream, filter, headersOnly }: Walk,
    visit: (message: JsMsg) => boolean,
  ): Promise<boolean> {
    return this.options.access.call(`scanning ${filter}`, async ({ client }) => {
      const consumer = await client.consumers.get(stream, {
        filter_subjects: filter,
        headers_only: headersOnly,
        inactive_threshold: DEADLINE_MS,
      });
      try {
        if ((await consumer.info(true)).num_pending === 0) return true;
        return await visitAll(await consumer.consume({ max_messages: SCAN_BATCH }), visit);
      } finally {
        await consumer.delete().catch(() => false);
      }
    });
  }
}

async function visitAll(
  messages: ConsumerMessages,
  visit: (message: JsMsg) => boolean,
): Promise<boolean> {
  const stop = setTimeout(() => messages.stop(), DEADLINE_MS);
  try {
    for await (const message of messages) {
      const goOn = visit(message);
      if (message.info.pending === 0) return true;
      if (!goOn) break;
    }
    return false;
  } finally {
    clearTimeout(stop);
    messages.stop();
  }
}

/** Hashes of what a stored snapshot is made of; nothing of what is no snapshot. */
function namedBy(message: JsMsg): string[] {
  try {
    const { variants } = message.json<Pick<Snapshot, 'variants'>>();
    return Object.values(variants).map(({ hash }) => hash);
  } catch {
    return [];
  }
}

async function removeAll(
  candidates: readonly Candidate[],
  mayRemove: () => Promise<boolean>,
  remove: (candidate: Candidate) => Promise<boolean>,
): Promise<number> {
  const waiting = [...candidates];
  let removed = 0;
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!(await mayRemove())) return;
      if (await remove(next)) removed += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_REMOVALS }, worker));
  return removed;
}

function hashOf(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}
