import { seededRng } from '@pawl/kernel';
import { describe, it } from 'vitest';
import { encodeTxn } from '../../libs/metadata/src/etcd/encode-txn.js';
import { KeyPrefix } from '../../libs/metadata/src/etcd/key-prefix.js';
import { assertSame } from './plain.js';
import { RandomRequests } from './random-requests.js';
import { RandomWire } from './random-wire.js';
import type { WireRequest } from './random-wire.js';
import { differentialSeeds } from './seeds.js';
import { openServers } from './servers.js';
import { WireServer } from './wire-server.js';
import type { WireAnswer } from './wire-server.js';
import { WireWatches } from './wire-watches.js';

const STEPS = 200;
const READS = 3;
const MOST_STREAMS = 3;
const TIMEOUT_MS = 300_000;

interface Pair {
  readonly ours: WireServer;
  readonly theirs: WireServer;
  close(): Promise<void>;
}

async function openBoth(): Promise<Pair> {
  const servers = await openServers();
  const [ours, theirs] = [new WireServer(servers.ours), new WireServer(servers.theirs)];
  return {
    ours,
    theirs,
    close: async () => {
      ours.close();
      theirs.close();
      await servers.close();
    },
  };
}

/** Sends both servers the same, and counts what they answered. */
class Comparison {
  readonly counts: Record<string, number> = {};
  readonly #streams: WireWatches[] = [];
  readonly #wire: RandomWire;
  #history = { revision: 1, compactRevision: 0 };

  constructor(
    private readonly servers: Pair,
    private readonly requests: RandomRequests,
  ) {
    this.#wire = new RandomWire(requests);
  }

  get calls(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  async step(): Promise<void> {
    await this.both(this.#wire.write(this.#history));
    const reads = Array.from({ length: READS }, () => this.#wire.read(this.#history));
    await Promise.all(reads.map((request) => this.both(request)));
    if (this.requests.chance(2)) await this.#compact();
    if (this.requests.chance(2)) await this.#watch();
  }

  async both(request: WireRequest): Promise<WireAnswer> {
    const { ours, theirs } = this.servers;
    const answers = await Promise.all([ours.ask(request), theirs.ask(request)]);
    const [a, b] = answers.map((answer) => comparable(request, answer));
    assertSame(a, b, request);
    const [, answer] = answers;
    this.#count(request, answer);
    const revision = revisionOf(answer);
    const { method } = request;
    if (revision !== undefined && method !== 'HashKV')
      this.#history = { ...this.#history, revision };
    return answer;
  }

  async settle(): Promise<void> {
    const write = async (txn: Parameters<typeof encodeTxn>[0]) => {
      const request = encodeTxn(txn, new KeyPrefix(new Uint8Array(0)));
      await this.both({ service: 'KV', method: 'Txn', request });
      return this.#history.revision;
    };
    await write(this.requests.everything());
    const deletion = await write(this.requests.nothing());
    const put = await write(this.requests.everything());
    for (const stream of this.#streams) {
      const { ours, theirs } = await stream.upTo({ put, deletion });
      assertSame(ours, theirs, stream.requests);
    }
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  async #compact(): Promise<void> {
    await this.settle();
    const request = this.#wire.compaction(this.#history);
    const answer = await this.both(request);
    if (!('answer' in answer)) return;
    const { revision } = request.request as { revision: string };
    this.#history = { ...this.#history, compactRevision: Number(revision) };
  }

  async #watch(): Promise<void> {
    if (this.#streams.length >= MOST_STREAMS) this.#streams.shift()?.close();
    const { ours, theirs } = this.servers;
    const stream = new WireWatches(ours, theirs, this.#history.compactRevision);
    this.#streams.push(stream);
    for (let made = 0; made < 10; made += 1) {
      await stream.create(this.#wire.watch(this.#history));
      this.counts['watch'] = (this.counts['watch'] ?? 0) + 1;
      const ids = [...stream.lasting, '77'];
      if (this.requests.chance(20)) await stream.cancel(this.requests.pick(ids));
      if (this.requests.chance(10)) await stream.progress();
    }
    await this.settle();
  }

  #count({ method }: WireRequest, answer: WireAnswer): void {
    const what = 'code' in answer ? `${method}: ${answer.code} ${answer.text}` : method;
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/** Without what no two servers have in common: a hash of how they store, an order that is none. */
function comparable({ method }: WireRequest, answer: WireAnswer): unknown {
  if (!('answer' in answer)) return answer;
  const fields = answer.answer as Record<string, unknown>;
  switch (method) {
    case 'HashKV':
      return { ...fields, hash: undefined };
    case 'LeaseLeases':
      return { ...fields, leases: sorted(fields['leases']) };
    case 'LeaseTimeToLive':
      // Seconds that pass meanwhile.
      return { ...fields, TTL: Number(fields['TTL']) > 0, keys: sorted(fields['keys']) };
    default:
      return fields;
  }
}

function sorted(items: unknown): string[] {
  const text = (item: unknown) =>
    item instanceof Uint8Array ? Buffer.from(item).toString('hex') : JSON.stringify(item);
  return (items as unknown[]).map(text).sort();
}

function revisionOf(answer: WireAnswer): number | undefined {
  if (!('answer' in answer)) return undefined;
  const { header } = answer.answer as { readonly header: { readonly revision: string } | null };
  return header === null ? undefined : Number(header.revision);
}

describe('the coordination API and etcd, asked the same', () => {
  it.concurrent.each(differentialSeeds())(
    'answer the same (seed %i)',
    async (seed) => {
      const servers = await openBoth();
      try {
        const comparison = new Comparison(servers, new RandomRequests(seededRng(seed)));
        for (let step = 0; step < STEPS; step += 1) await comparison.step();
        await comparison.settle();
        comparison.close();
        console.log(`seed ${seed}: ${comparison.calls} calls`, comparison.counts);
      } finally {
        await servers.close();
      }
    },
    TIMEOUT_MS,
  );
});
