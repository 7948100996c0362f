import type { Rng } from '@pawl/kernel';
import type { CoordinationNode } from '../../coordination.port.js';
import type {
  HistoryCompare,
  HistoryOperation,
  HistoryOutcome,
  HistoryRequest,
} from '../history/index.js';
import { toAnswer, toKv, toRange, toRefusal, toTxn, txnAnswer } from './history-forms.js';
import type { World } from './world.js';

/** Few, so that calls meet. */
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
const REST_MS = 40;

/** Writes and reads at random, through whichever node, one call at a time. */
export class WorldClient {
  readonly #rng: Rng;

  constructor(
    private readonly world: World,
    readonly name: string,
  ) {
    this.#rng = world.rng;
  }

  start(): void {
    this.world.later(this.#rng.next() * REST_MS, () => this.#next());
  }

  #next(): void {
    if (this.world.isOver) return;
    const request = this.#request();
    this.world.call(this.name, request, () => this.start());
  }

  #request(): HistoryRequest {
    const rng = this.#rng;
    const head = this.world.applied.revision;
    switch (rng.below(16)) {
      case 0:
        return this.#txn();
      case 1:
        return this.#txn();
      case 2:
        return this.#txn();
      case 3:
        return { kind: 'delete', key: pick(rng), prevKv: true };
      case 4:
        return { kind: 'delete', key: 'b', rangeEnd: 'd', prevKv: rng.below(2) === 0 };
      case 5:
        return { kind: 'range', key: pick(rng) };
      case 6:
        return { kind: 'range', key: 'a', rangeEnd: 'z', limit: rng.below(4) };
      case 7:
        return { kind: 'range', key: '\0', rangeEnd: '\0', serializable: true };
      case 8: {
        const revision = Math.max(1, head - rng.below(30) + rng.below(3));
        return { kind: 'range', key: 'a', rangeEnd: 'e', revision };
      }
      case 9: {
        if (rng.below(4) > 0) return this.#put();
        const back = rng.below(2) === 0 ? 0 : rng.below(12);
        return { kind: 'compact', revision: Math.max(1, head - back) };
      }
      default:
        return this.#put();
    }
  }

  #put(): HistoryOperation & { kind: 'put' } {
    return { kind: 'put', key: pick(this.#rng), value: this.world.newValue(), prevKv: true };
  }

  #txn(): HistoryRequest {
    const rng = this.#rng;
    const key = pick(rng);
    const compare: HistoryCompare[] = [
      rng.below(2) === 0
        ? { key, target: 'version', operator: rng.below(2) === 0 ? '=' : '>', value: rng.below(3) }
        : {
            key: pick(rng),
            target: 'mod',
            operator: '<',
            value: this.world.applied.revision - rng.below(10),
          },
    ];
    const other = KEYS[(KEYS.indexOf(key) + 1 + rng.below(KEYS.length - 1)) % KEYS.length] ?? 'a';
    const value = this.world.newValue();
    return {
      kind: 'txn',
      compare,
      success: [
        { kind: 'put', key, value, prevKv: true },
        { kind: 'delete', key: other, prevKv: true },
        { kind: 'range', key: 'a', rangeEnd: 'z' },
      ],
      failure: rng.below(2) === 0 ? [] : [{ kind: 'range', key: other }],
    };
  }
}

/** Has a request done by a node. */
export async function perform(
  node: CoordinationNode,
  request: HistoryRequest,
): Promise<HistoryOutcome> {
  switch (request.kind) {
    case 'compact':
    case 'lease-revoke': {
      const done =
        request.kind === 'compact'
          ? await node.compact(request.revision)
          : await node.revokeLease(BigInt(request.lease));
      if (!done.ok) return toRefusal(done.refusal);
      return { kind: 'ok', revision: done.revision, answer: { kind: 'done' } };
    }
    case 'range': {
      const { revision = 0, limit = 0, serializable = false } = request;
      const content = await node.range({ ...toRange(request), revision, limit }, { serializable });
      if (!content.ok) return toRefusal(content.refusal);
      const { kvs, count, more } = content;
      const answer = { kind: 'range', kvs: kvs.map(toKv), count, more } as const;
      return { kind: 'ok', revision: content.revision, answer };
    }
    case 'txn': {
      const result = await node.txn(toTxn(request), { origin: 'user' });
      if (!result.ok) return toRefusal(result.refusal);
      const { revision, succeeded, results } = result;
      return { kind: 'ok', revision, answer: txnAnswer(request, succeeded, results) };
    }
    default: {
      const txn = { compare: [], success: [request], failure: [] };
      const result = await node.txn(toTxn(txn), { origin: 'user' });
      if (!result.ok) return toRefusal(result.refusal);
      const [only] = result.results;
      if (only === undefined) throw new Error('one result for one operation');
      return { kind: 'ok', revision: result.revision, answer: toAnswer(request, only) };
    }
  }
}

/** A rejection that does not say what it means is a defect. */
export function outcomeOf(error: unknown): 'failed' | 'unknown' {
  const { name, done } = error as { name?: string; done?: string };
  if (name === 'MetadataUnavailableError') return done === 'no' ? 'failed' : 'unknown';
  throw error;
}

function pick(rng: Rng): string {
  return KEYS[rng.below(KEYS.length)] ?? 'a';
}
