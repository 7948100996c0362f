import type { ConsumerMessages } from '@nats-io/jetstream';
import type { Subjects } from '@pawl/contracts';
import type { Clock } from '@pawl/kernel';
import type { ContentStore } from './content-store.js';
import type { JetStreamAccess } from './jetstream-access.js';
import type { StreamKeeper } from './stream-keeper.js';

/**
 * What is referenced was counted before the collection began. A process that was paused meanwhile
 * may have lost the shard, and what it counted is old: it stops rather than delete by it.
 */
const DEADLINE_MS = 30_000;
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

/** Deletes contents that nothing names any more. */
export class ContentCollector {
  constructor(private readonly options: ContentCollectorOptions) {}

  /** See `SnapshotPublisher.collectContents`. */
  async collect(
    root: string,
    referenced: ReadonlySet<string>,
    olderThanMs: number,
  ): Promise<number> {
    const { access, keeper, contents, clock } = this.options;
    const endMs = clock.monotonicMs() + DEADLINE_MS;
    const hasTime = (): boolean => clock.monotonicMs() < endMs;
    const candidates = await keeper.run(`scanning the contents of ${root}`, () =>
      access.call(`scanning the contents of ${root}`, async ({ client }) => {
        const bornBeforeMs = clock.wallMs() - olderThanMs;
        const consumer = await client.consumers.get(this.options.subjects.contentStream, {
          filter_subjects: this.options.subjects.content(root, '*'),
          headers_only: true,
          inactive_threshold: DEADLINE_MS,
        });
        try {
          if ((await consumer.info(true)).num_pending === 0) return [];
          const messages = await consumer.consume({ max_messages: SCAN_BATCH });
          const isWanted = (candidate: Candidate, bornMs: number): boolean =>
            bornMs <= bornBeforeMs && !referenced.has(hashOf(candidate.subject));
          return await scan(messages, isWanted, hasTime);
        } finally {
          await consumer.delete().catch(() => false);
        }
      }),
    );
    return removeAll(candidates, hasTime, ({ subject, sequence }) =>
      contents.remove(subject, sequence, olderThanMs),
    );
  }
}

/** Walks what is stored now, until its end or the deadline. */
async function scan(
  messages: ConsumerMessages,
  isWanted: (candidate: Candidate, bornMs: number) => boolean,
  hasTime: () => boolean,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  const stop = setTimeout(() => messages.stop(), DEADLINE_MS);
  try {
    for await (const message of messages) {
      const candidate = { subject: message.subject, sequence: message.seq };
      if (isWanted(candidate, Math.floor(message.info.timestampNanos / 1e6)))
        candidates.push(candidate);
      if (message.info.pending === 0 || candidates.length >= MAX_REMOVALS || !hasTime()) break;
    }
  } finally {
    clearTimeout(stop);
    messages.stop();
  }
  return candidates;
}

async function removeAll(
  candidates: readonly Candidate[],
  hasTime: () => boolean,
  remove: (candidate: Candidate) => Promise<boolean>,
): Promise<number> {
  const waiting = [...candidates];
  let removed = 0;
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined && hasTime(); next = waiting.pop()) {
      if (await remove(next)) removed += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_REMOVALS }, worker));
  return removed;
}

function hashOf(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}
