import { setTimeout as delay } from 'node:timers/promises';
import { seededRng, type Rng } from '@pawl/kernel';
import {
  checkKvHistory,
  checkWatches,
  type HistoryRevision,
  type Violation,
  type WatchRecord,
} from '@pawl/metadata/testing/history';
import type { Cluster } from '../cluster/cluster.js';
import { ClientPool } from '../client/etcd-client.js';
import { ALL_KEYS, WatchStream, type WatchWish } from '../client/watch-stream.js';
import { noFaults, type Fault, type FaultTally } from '../faults/fault.js';
import { lastFor, type Observer } from './observer.js';
import { Recorder } from './recorder.js';
import { Traffic } from './traffic.js';

export interface HistoryWish {
  readonly cluster: Cluster;
  /** Has seen everything since the cluster began. */
  readonly observer: Observer;
  readonly seed: number;
  /** Struck in turn, while there is traffic, which lasts until all were. */
  readonly faults: readonly Fault[];
  readonly operations?: number;
  /** States are compacted away while they are read and watched. */
  readonly compacts?: boolean;
  /** Watches are asked for marks of progress, of which etcd 3.4 gives false ones (etcd#15220). */
  readonly asksProgress?: boolean;
}

export interface HistoryReport {
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly answered: number;
  readonly unknown: number;
  readonly unknownDone: number;
  readonly revisions: number;
  readonly watchEvents: number;
  readonly strikes: number;
  readonly tally: FaultTally;
}

const CLIENTS = 8;
const KEYS = 10;
const OPERATIONS = 2_000;
/** Between two calls of a client on the mean, until it has made its share, and after. */
const PAUSE_MS = 6;
const LATER_PAUSE_MS = 40;
const CALL_DEADLINE_MS = 1_000;
const TRAFFIC_DEADLINE_MS = 120_000;
const CATCH_UP_MS = 30_000;
const COMPACT_EVERY_MS = 300;
/** What a compaction leaves of the history. */
const KEPT_REVISIONS = 30;
/** Of the calls that were planned; with fewer, a history proves nothing. */
const LEAST_OPERATIONS = 0.95;

/**
 * Concurrent clients and watches on a cluster that suffers; judges all that they saw once it is
 * whole again. Throws when the run is void: too few calls, or a cluster that does not recover.
 */
export async function runHistory(wish: HistoryWish): Promise<HistoryReport> {
  return new HistoryRun(wish).run();
}

interface ClientWish {
  readonly at: number;
  readonly calls: number;
  /** On the monotonic clock. */
  readonly deadline: number;
  /** Of the store when it begins. */
  readonly revision: number;
}

function rotated<T>(list: readonly T[], by: number): T[] {
  return [...list.slice(by), ...list.slice(0, by)];
}

class HistoryRun {
  private readonly rng: Rng;
  private readonly recorder = new Recorder();
  private readonly tally = noFaults();
  private readonly prefix: string;
  private readonly keys: readonly string[];
  private readonly over = new AbortController();
  private readonly streams: WatchStream[] = [];
  private strikes = 0;

  constructor(private readonly wish: HistoryWish) {
    this.rng = seededRng(wish.seed);
    this.prefix = `h${wish.seed}/`;
    this.keys = Array.from({ length: KEYS }, (_, at) => `${this.prefix}k${at}`);
  }

  async run(): Promise<HistoryReport> {
    const { cluster, observer } = this.wish;
    const from = (await cluster.revision()) + 1;
    this.openWatches();
    const before = observer.compaction;
    if (before !== null) this.recorder.calls.push(before);
    const helpers = Promise.all([this.strike(), this.disturbWatches(), this.compact()]);
    helpers.catch(() => undefined);
    try {
      await this.traffic(from);
    } finally {
      this.over.abort();
      await helpers;
    }
    await cluster.heal();
    await cluster.ready();
    const last = await cluster.revision();
    if (!(await observer.reached(last, CATCH_UP_MS))) {
      throw new Error(`revision ${last} was never told of\n${cluster.logs()}`);
    }
    const written = observer.written();
    const records = await this.closeWatches(written, last);
    return this.judge(written, records, from, last);
  }

  private async judge(
    written: readonly HistoryRevision[],
    records: readonly WatchRecord[],
    from: number,
    last: number,
  ): Promise<HistoryReport> {
    const { calls } = this.recorder;
    const planned = this.wish.operations ?? OPERATIONS;
    const traffic = calls.filter(({ client }) => client !== 'compactor').length;
    if (traffic < planned * LEAST_OPERATIONS) {
      throw new Error(
        `the run is void: ${traffic} of ${planned} calls\n${this.wish.cluster.logs()}`,
      );
    }
    const { observer } = this.wish;
    const watches = [...records, ...observer.records];
    const report = checkKvHistory({ calls, written, from });
    const violations = [
      ...report.violations,
      ...checkWatches({ watches, written, compacted: observer.compacted }),
      ...(await this.compareNodes(last)),
    ];
    const messages = records.flatMap((record) => record.messages);
    return {
      violations,
      operations: calls.length,
      answered: report.answered,
      unknown: report.unknown,
      unknownDone: report.unknownDone,
      revisions: last - from + 1,
      watchEvents: messages.filter(({ kind }) => kind === 'events').length,
      strikes: this.strikes,
      tally: this.tally,
    };
  }

  private async traffic(revision: number): Promise<void> {
    const each = Math.ceil((this.wish.operations ?? OPERATIONS) / CLIENTS);
    const deadline = performance.now() + TRAFFIC_DEADLINE_MS;
    await Promise.all(
      Array.from({ length: CLIENTS }, (_, at) =>
        this.runClient({ at, calls: each, deadline, revision }),
      ),
    );
  }

  private async runClient({ at, calls, deadline, revision }: ClientWish): Promise<void> {
    const name = `${this.prefix}c${at}`;
    const rng = seededRng(this.rng.below(2 ** 31));
    const traffic = new Traffic({
      client: name,
      rng,
      keys: this.keys,
      prefix: this.prefix,
      revision,
    });
    const clients = new ClientPool(CALL_DEADLINE_MS);
    let home = at;
    const goesOn = (made: number) => made < calls || this.strikes < this.wish.faults.length;
    for (let made = 0; goesOn(made) && performance.now() < deadline; made += 1) {
      const { endpoints } = this.wish.cluster;
      const client = clients.get(endpoints[home % endpoints.length] ?? '');
      const outcome = await this.recorder.record(name, traffic.next(), (request) =>
        client.perform(request),
      );
      traffic.learn(outcome);
      if (outcome.kind === 'failed' || outcome.kind === 'unknown') home += 1;
      await delay(rng.below(2 * (made < calls ? PAUSE_MS : LATER_PAUSE_MS)));
    }
    clients.close();
  }

  private async strike(): Promise<void> {
    const { cluster, faults } = this.wish;
    const { signal } = this.over;
    const wait = (ms: number) => delay(ms, undefined, { signal }).catch(() => undefined);
    const context = { cluster, rng: this.rng, tally: this.tally, signal, wait };
    for (const fault of faults) {
      await wait(cluster.electionMs / 2);
      if (signal.aborted) return;
      await fault.strike(context);
      this.strikes += 1;
    }
  }

  private async compact(): Promise<void> {
    const { cluster, observer, compacts = false } = this.wish;
    const { signal } = this.over;
    for (let at = 0; compacts && !signal.aborted; at += 1) {
      await delay(COMPACT_EVERY_MS, undefined, { signal }).catch(() => undefined);
      const node = cluster.nodes[at % cluster.nodes.length];
      const revision = observer.last - KEPT_REVISIONS;
      if (signal.aborted || node === undefined || revision <= observer.compacted) continue;
      await this.recorder.record('compactor', { kind: 'compact', revision }, (request) =>
        cluster.asks(node, (client) => client.perform(request)),
      );
      observer.noteCompaction(this.recorder.calls);
    }
  }

  /** One stream per node, each with watches of every kind. */
  private openWatches(): void {
    const { cluster } = this.wish;
    const range = { key: this.prefix, rangeEnd: `${this.prefix}~` };
    cluster.nodes.forEach((_, at) => {
      const name = (kind: string) => `${this.prefix}${kind} at ${at}`;
      const wishes: WatchWish[] = [
        { name: name('all'), range: ALL_KEYS },
        { name: name('prefix'), range, prevKv: true },
        { name: name('puts'), range, without: ['delete'] },
        { name: name('deletes'), range, without: ['put'], prevKv: true },
        { name: name('fragments'), range, fragment: true },
        { name: name('one'), range: { key: this.keys[at] ?? '' } },
      ];
      this.streams.push(new WatchStream(() => rotated(cluster.endpoints, at), wishes));
    });
  }

  /** Breaks streams, lets them wait, asks them for progress. */
  private async disturbWatches(): Promise<void> {
    const { signal } = this.over;
    const rng = seededRng(this.rng.below(2 ** 31));
    while (!signal.aborted) {
      await delay(50 + rng.below(150), undefined, { signal }).catch(() => undefined);
      const stream = this.streams[rng.below(this.streams.length)];
      const chance = rng.below(10);
      if (chance === 0) stream?.hangUp();
      else if (chance < 3) await stream?.nap(rng.below(300));
      else if (this.wish.asksProgress === true) stream?.askProgress();
    }
  }

  private async closeWatches(
    written: readonly HistoryRevision[],
    last: number,
  ): Promise<WatchRecord[]> {
    for (const stream of this.streams) {
      const isThere = await stream.reached((wish) => lastFor(wish, written), CATCH_UP_MS);
      if (isThere) stream.endAt(last);
      await stream.stop();
      if (!isThere) throw new Error(`watches did not catch up\n${this.wish.cluster.logs()}`);
    }
    return this.streams.flatMap(({ records }) => records);
  }

  /** All nodes have the same at the same revision. */
  private async compareNodes(revision: number): Promise<Violation[]> {
    const { cluster } = this.wish;
    const hashes = await Promise.all(
      cluster.running.map((node) =>
        cluster.asks(node, async (client) => {
          const reply = await client.hashKv(revision);
          return reply.ok
            ? `${reply.message.hash} of ${reply.message.compact_revision}`
            : `${node.plan.name}: ${reply.details}`;
        }),
      ),
    );
    if (new Set(hashes).size === 1) return [];
    return [{ rule: 'A6', text: `hashes at revision ${revision}: ${hashes.join(', ')}` }];
  }
}
