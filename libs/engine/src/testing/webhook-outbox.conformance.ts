import type { AddressText } from '@pawl/contracts';
import type { HistoryEntry, StoredHistoryEntry } from '../sharding/truth-store.port.js';
import type {
  WebhookCursor,
  WebhookLease,
  WebhookOutbox,
} from '../webhooks/webhook-outbox.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';

/** An outbox of an empty history. */
export interface WebhookOutboxSubject {
  readonly outbox: WebhookOutbox;
  /** Commits a line of history; answers it as it is stored. */
  readonly append: (entry: HistoryEntry) => Promise<StoredHistoryEntry>;
  /** Lets time pass for leases and pauses. */
  readonly pass: (ms: number) => Promise<void>;
}

const ENDPOINT = 'hooks-1';

function entry(releaseVersion: number, kind: 'release' | 'definition' = 'release'): HistoryEntry {
  return {
    address: 'acme/app' as AddressText,
    at: '2026-01-02T03:04:05.678Z',
    author: 'ann',
    kind,
    ...(kind === 'release' ? { action: 'promote', releaseVersion } : { version: releaseVersion }),
  };
}

function lease(holder: string, endpoint = ENDPOINT): WebhookLease {
  return { endpoint, holder, leaseMs: 60_000 };
}

function placeOf(cursor: WebhookCursor | undefined): Partial<WebhookCursor> | undefined {
  return cursor && { after: cursor.after, failures: cursor.failures };
}

/** What every outbox of webhooks promises. */
export const webhookOutboxCases: readonly ConformanceCase<WebhookOutboxSubject>[] = [
  {
    name: 'begins with what comes after an endpoint became known, and keeps its place when it is known',
    run: async ({ outbox, append }) => {
      const before = await append(entry(1));
      await outbox.begin([ENDPOINT]);
      const after = await append(entry(2));
      await outbox.begin([ENDPOINT, 'hooks-2']);
      const known = await outbox.take(lease('a'));
      expectSame(placeOf(known), { after: before.sequence, failures: 0 }, 'the place of the first');
      const fresh = await outbox.take(lease('a', 'hooks-2'));
      expectSame(fresh?.after, after.sequence, 'the place of the second');
      expectSame(await outbox.take(lease('a', 'hooks-3')), undefined, 'one that nobody knows');
    },
  },
  {
    name: 'reads the transitions of releases in order and in pages, and passes over the rest',
    run: async ({ outbox, append }) => {
      const first = await append(entry(1, 'definition'));
      const lines = [await append(entry(1)), await append(entry(2)), await append(entry(3))];
      const last = await append(entry(2, 'definition'));
      const page = await outbox.read(first.sequence, 2);
      expectSame(page, { entries: lines.slice(0, 2), upTo: lines[1]?.sequence }, 'the first page');
      const rest = await outbox.read(page?.upTo ?? '', 2);
      expectSame(rest, { entries: lines.slice(2), upTo: last.sequence }, 'the second page');
      expectSame(await outbox.read(last.sequence, 2), { entries: [], upTo: last.sequence }, 'end');
    },
  },
  {
    name: 'lets one send at a time, until it gives back or its lease is over',
    run: async ({ outbox, append, pass }) => {
      await outbox.begin([ENDPOINT]);
      const line = await append(entry(1));
      expectSame((await outbox.take(lease('a')))?.after, '0', 'the first takes it');
      expectSame((await outbox.take(lease('a')))?.after, '0', 'the same takes it again');
      expectSame(await outbox.take(lease('b')), undefined, 'not another');
      await outbox.giveBack(lease('b'));
      expectSame(
        await outbox.take(lease('b')),
        undefined,
        'who does not hold it gives nothing back',
      );
      await pass(61_000);
      expectSame((await outbox.take(lease('b')))?.after, '0', 'another after the lease');
      expectSame(await outbox.advance(lease('a'), '0', line.sequence), false, 'the former is late');
      expectSame(await outbox.advance(lease('b'), '0', line.sequence), true, 'the holder goes on');
      expectSame(
        await outbox.advance(lease('b'), '0', line.sequence),
        false,
        'from there only once',
      );
      await outbox.giveBack(lease('b'));
      expectSame((await outbox.take(lease('a')))?.after, line.sequence, 'given back');
    },
  },
  {
    name: 'counts failures, waits after each, and forgets them when it goes on',
    run: async ({ outbox, append, pass }) => {
      await outbox.begin([ENDPOINT]);
      const line = await append(entry(1));
      await outbox.take(lease('a'));
      await outbox.retryLater(lease('b'), 30_000);
      await outbox.retryLater(lease('a'), 30_000);
      expectSame(await outbox.take(lease('a')), undefined, 'not before');
      await pass(31_000);
      expectSame(placeOf(await outbox.take(lease('b'))), { after: '0', failures: 1 }, 'by anybody');
      await outbox.advance(lease('b'), '0', line.sequence);
      await outbox.giveBack(lease('b'));
      expectSame(
        placeOf(await outbox.take(lease('a'))),
        { after: line.sequence, failures: 0 },
        'forgotten',
      );
    },
  },
];
