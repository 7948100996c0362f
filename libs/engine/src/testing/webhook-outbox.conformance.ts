import type { AddressText } from '@pawl/contracts';
import type { HistoryEntry, StoredHistoryEntry } from '../sharding/truth-store.port.js';
import type { OutboxEntry, WebhookLease, WebhookOutbox } from '../webhooks/webhook-outbox.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';

/** An outbox of an empty history. */
export interface WebhookOutboxSubject {
  readonly outbox: WebhookOutbox;
  /** Commits a line of history; answers it as it is stored. */
  readonly append: (entry: HistoryEntry) => Promise<StoredHistoryEntry>;
  /** Lets time pass for leases, pauses and lines. */
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

function isWithin(ms: number | undefined, most: number, least = 1): boolean {
  return ms !== undefined && ms >= least && ms <= most;
}

const sequences = (entries: readonly OutboxEntry[]): unknown =>
  entries.map(({ entry: { sequence } }) => sequence);

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
      expectSame(known, { after: before.sequence, failures: 0 }, 'the place of the first');
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
      expectSame(
        page?.entries.map(({ entry: line }) => line),
        lines.slice(0, 2),
        'the first page',
      );
      expectSame(page?.upTo, lines[1]?.sequence, 'its end');
      const rest = await outbox.read(page?.upTo ?? '', 2);
      expectSame(
        rest?.entries.map(({ entry: line }) => line),
        lines.slice(2),
        'the second page',
      );
      expectSame(rest?.upTo, last.sequence, 'its end');
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
    name: 'counts failures, waits after each, and forgets them once something is taken',
    run: async ({ outbox, append, pass }) => {
      await outbox.begin([ENDPOINT]);
      const line = await append(entry(1));
      await outbox.take(lease('a'));
      await outbox.retryLater(lease('b'), 'not its own', 30_000);
      await outbox.retryLater(lease('a'), 'it answers 500', 30_000);
      expectSame(await outbox.take(lease('a')), undefined, 'not before');
      const [state] = await outbox.readStates([ENDPOINT, 'hooks-9']);
      expectSame([state?.failures, state?.reason], [1, 'it answers 500'], 'said of it');
      expectSame(isWithin(state?.retryInMs, 30_000), true, 'when it is tried again');
      expectSame(typeof state?.failingForMs, 'number', 'since when');
      await pass(31_000);
      expectSame(await outbox.take(lease('b')), { after: '0', failures: 1 }, 'by anybody');
      await outbox.advance(lease('b'), '0', line.sequence);
      await outbox.giveBack(lease('b'));
      const kept = { after: line.sequence, failures: 1 };
      expectSame(await outbox.take(lease('a')), kept, 'what is passed over is not taken');
      expectSame(await outbox.taken(lease('b')), false, 'not by whoever does not send');
      expectSame(await outbox.taken(lease('a')), true, 'something is taken');
      expectSame(await outbox.take(lease('a')), { ...kept, failures: 0 }, 'forgotten');
      const states = await outbox.readStates([ENDPOINT]);
      expectSame(states, [{ endpoint: ENDPOINT, failures: 0, setAside: 0 }], 'nothing is said');
    },
  },
  {
    name: 'sets addresses aside, the first that is due first, and takes them back',
    run: async ({ outbox, append, pass }) => {
      await outbox.begin([ENDPOINT, 'hooks-2']);
      await outbox.take(lease('a'));
      const one = { address: entry(1).address, from: '1', failures: 1, reason: 'it answers 400' };
      const other = { ...one, address: 'acme/other' as AddressText, from: '2' };
      const aside = async (): Promise<unknown> =>
        (await outbox.readSetAside(ENDPOINT)).map(({ dueInMs, ...rest }) => [rest, dueInMs > 0]);
      expectSame(await outbox.setAside(lease('b'), { ...one, dueInMs: 0 }), false, 'no lease');
      expectSame(await aside(), [], 'nothing was changed');
      expectSame(await outbox.setAside(lease('a'), { ...one, dueInMs: 90_000 }), true, 'one');
      expectSame(await outbox.setAside(lease('a'), { ...other, dueInMs: 30_000 }), true, 'two');
      expectSame(
        await aside(),
        [
          [other, true],
          [one, true],
        ],
        'in their order',
      );
      expectSame(await outbox.readSetAside('hooks-2'), [], 'elsewhere nothing');
      await pass(31_000);
      expectSame(
        await aside(),
        [
          [other, false],
          [one, true],
        ],
        'one is due',
      );
      const again = { ...one, from: '3', failures: 2 };
      expectSame(await outbox.setAside(lease('a'), { ...again, dueInMs: 0 }), true, 'said anew');
      expectSame(await outbox.takeBack(lease('b'), other.address), false, 'no lease either');
      expectSame(await outbox.takeBack(lease('a'), other.address), true, 'taken back');
      expectSame(await aside(), [[again, false]], 'what is left');
      const [state] = await outbox.readStates([ENDPOINT]);
      expectSame([state?.setAside, state?.reason], [1, 'it answers 400'], 'said of it');
      expectSame(state?.setAsideRetryInMs, 0, 'that it is due');
      await append(entry(1, 'definition'));
      const lines = [await append(entry(1)), await append(entry(2)), await append(entry(3))];
      const [first, second] = lines.map(({ sequence }) => sequence);
      await append({ ...entry(1), address: other.address });
      const next = async (from: string, upTo: string): Promise<unknown> => {
        const found = await outbox.readNext(one.address, from, upTo);
        return found && sequences([found]);
      };
      expectSame(await next('0', second ?? ''), [first], 'the first of its address');
      expectSame(await next(second ?? '', second ?? ''), [second], 'both ends count');
      expectSame(await next('0', '0'), undefined, 'nothing beyond');
    },
  },
  {
    name: 'lets nobody send to an endpoint that is gone, until it is begun with again',
    run: async ({ outbox, append }) => {
      await outbox.begin([ENDPOINT]);
      const line = await append(entry(1));
      await outbox.take(lease('a'));
      await outbox.gone(lease('b'), 'not its own');
      await outbox.giveBack(lease('a'));
      expectSame((await outbox.take(lease('a')))?.after, '0', 'it is there');
      await outbox.gone(lease('a'), 'it answers 410');
      expectSame(await outbox.take(lease('a')), undefined, 'it is gone');
      const [state] = await outbox.readStates([ENDPOINT]);
      expectSame(
        [typeof state?.goneForMs, state?.reason],
        ['number', 'it answers 410'],
        'said of it',
      );
      await outbox.begin([ENDPOINT]);
      expectSame(await outbox.take(lease('b')), { after: '0', failures: 0 }, 'where it was');
      expectSame(
        sequences((await outbox.read('0', 5))?.entries ?? []),
        [line.sequence],
        'the rest',
      );
    },
  },
  {
    name: 'counts what an endpoint was not sent yet, also of what was set aside, up to a limit',
    run: async ({ outbox, append, pass }) => {
      await append(entry(1));
      await outbox.begin([ENDPOINT]);
      const waiting = async (limit: number): Promise<unknown> =>
        (await outbox.readBacklogs([ENDPOINT, 'hooks-9'], limit)).map((one) => one.waiting);
      const none = [{ endpoint: ENDPOINT, waiting: 0 }];
      expectSame(await outbox.readBacklogs([ENDPOINT, 'hooks-9'], 10), none, 'nothing yet');
      const [first, second] = [await append(entry(2)), await append(entry(3))];
      await append(entry(2, 'definition'));
      expectSame([await waiting(10), await waiting(1)], [[2], [1]], 'after its place');
      await outbox.take(lease('a'));
      const { address } = first;
      const one = { address, from: second.sequence, failures: 1, reason: 'it answers 400' };
      await outbox.setAside(lease('a'), { ...one, dueInMs: 0 });
      await outbox.advance(lease('a'), '1', second.sequence);
      expectSame(await waiting(10), [1], 'what was set aside');
      await append({ ...entry(1), address: 'acme/other' as AddressText });
      await pass(90_000);
      await append(entry(4));
      expectSame([await waiting(10), await waiting(2)], [[3], [2]], 'both');
      const [backlog] = await outbox.readBacklogs([ENDPOINT], 1);
      expectSame(isWithin(backlog?.oldestMs, 150_000, 90_000), true, 'how old the oldest is');
    },
  },
  {
    name: 'tries what waits now, and what was set aside, and what is gone, when it is asked to',
    run: async ({ outbox, append }) => {
      expectSame(await outbox.retryNow(ENDPOINT), false, 'not what is not known');
      await outbox.begin([ENDPOINT]);
      await append(entry(1));
      await outbox.take(lease('a'));
      const one = { address: entry(1).address, from: '1', failures: 1, reason: 'it answers 400' };
      await outbox.setAside(lease('a'), { ...one, dueInMs: 90_000 });
      await outbox.retryLater(lease('a'), 'it answers 500', 30_000);
      expectSame(await outbox.take(lease('b')), undefined, 'not before');
      expectSame(await outbox.retryNow(ENDPOINT), true, 'asked to');
      expectSame(await outbox.take(lease('b')), { after: '0', failures: 1 }, 'now');
      const [aside] = await outbox.readSetAside(ENDPOINT);
      expectSame(aside, { ...one, dueInMs: 0 }, 'this too');
      const [failing] = await outbox.readStates([ENDPOINT]);
      expectSame(failing?.reason, 'it answers 500', 'still said of it');
      await outbox.gone(lease('b'), 'it answers 410');
      await outbox.retryNow(ENDPOINT);
      expectSame(await outbox.take(lease('b')), { after: '0', failures: 1 }, 'not gone');
      const [state] = await outbox.readStates([ENDPOINT]);
      expectSame([state?.goneForMs, state?.reason], [undefined, one.reason], 'said of it');
    },
  },
  {
    name: 'says how old a line is by its own clock, whatever time the line says',
    run: async ({ outbox, append, pass }) => {
      const line = await append({ ...entry(1), at: '2001-01-01T00:00:00.000Z' });
      const age = async (): Promise<number> =>
        (await outbox.readNext(line.address, '0', line.sequence))?.ageMs ?? NaN;
      const young = await age();
      expectSame(young >= 0 && young < 60_000, true, 'just written');
      await pass(90_000);
      const old = (await outbox.read('0', 5))?.entries[0]?.ageMs ?? NaN;
      expectSame(old >= 90_000 && old < 150_000, true, 'later');
    },
  },
];
