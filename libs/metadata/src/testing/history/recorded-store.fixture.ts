import type { Rng } from '@pawl/kernel';
import { execute, HistoryModel } from './history-model.js';
import type {
  HistoryCall,
  HistoryCompare,
  HistoryOperation,
  HistoryOutcome,
  HistoryRequest,
  HistoryRevision,
} from './history.js';

const KEYS = ['a', 'b', 'c', 'd'];

/**
 * A correct store with concurrent clients: each call takes effect at a moment between its call and
 * its return, some are never answered, of which some take effect late.
 */
export function recordHistory(rng: Rng, count: number) {
  const written: HistoryRevision[] = [];
  const calls: HistoryCall[] = [];
  const pending: { due: number; apply: () => void }[] = [];
  const clients = ['p', 'q', 'r', 's'].map((name) => ({ name, freeAt: 0 }));
  let now = 0;
  const runUntil = (moment: number) => {
    pending.sort((a, b) => a.due - b.due);
    while (pending.length > 0 && (pending[0]?.due ?? 0) <= moment) pending.shift()?.apply();
  };
  for (let id = 0; id < count; id += 1) {
    const client = clients[rng.below(clients.length)];
    if (client === undefined) continue;
    const calledAt = Math.max(now, client.freeAt) + 1;
    now = calledAt;
    runUntil(calledAt);
    const effectAt = calledAt + 1 + rng.below(8);
    const returnedAt = effectAt + 1 + rng.below(8);
    client.freeAt = returnedAt;
    const fate = rng.below(10);
    const request = randomRequest(rng, id);
    const record = (outcome: HistoryOutcome) =>
      calls.push({ id, client: client.name, request, calledAt, returnedAt, outcome });
    if (fate === 0) record({ kind: 'failed' });
    else if (fate === 1) {
      record({ kind: 'unknown' });
      const late = effectAt + rng.below(60);
      if (rng.below(2) === 0) pending.push({ due: late, apply: () => perform(written, request) });
    } else {
      pending.push({ due: effectAt, apply: () => record(perform(written, request)) });
    }
  }
  runUntil(Infinity);
  return { calls, written };
}

function perform(written: HistoryRevision[], request: HistoryRequest): HistoryOutcome {
  const { last } = new HistoryModel(written);
  if (request.kind === 'compact' || request.kind === 'lease-revoke') {
    return { kind: 'ok', revision: last, answer: { kind: 'done' } };
  }
  const asked = request.kind === 'range' ? (request.revision ?? 0) : 0;
  if (asked > last) return { kind: 'refused', refusal: 'future-revision' };
  const model = new HistoryModel(written);
  const { answer, events } = execute(request, model.stateAt(asked || last), last + 1);
  if (events.length > 0) written.push({ revision: last + 1, events });
  return { kind: 'ok', revision: events.length > 0 ? last + 1 : last, answer };
}

function randomRequest(rng: Rng, id: number): HistoryRequest {
  if (rng.below(12) === 0)
    return { kind: 'range', key: 'a', rangeEnd: 'e', revision: 1 + rng.below(20) };
  if (rng.below(5) > 0) return randomOperation(rng, `${id}`);
  const compare: HistoryCompare[] = [
    { key: pick(rng), target: 'version', operator: '=', value: rng.below(3) },
  ];
  const [first, second] = [rng.below(2), 2 + rng.below(2)];
  return {
    kind: 'txn',
    compare,
    success: [
      put(first, `${id}.1`),
      put(second, `${id}.2`),
      { kind: 'range', key: 'a', rangeEnd: '\0' },
    ],
    failure: rng.below(2) === 0 ? [] : [put(first, `${id}.3`)],
  };
}

function randomOperation(rng: Rng, value: string): HistoryOperation {
  const key = pick(rng);
  switch (rng.below(5)) {
    case 0:
      return { kind: 'delete', key, prevKv: true };
    case 1:
      return { kind: 'delete', key: 'a', rangeEnd: 'c' };
    case 2:
      return { kind: 'range', key: 'a', rangeEnd: 'e', limit: rng.below(3) };
    default:
      return { kind: 'put', key, value, prevKv: true };
  }
}

function put(at: number, value: string): HistoryOperation {
  return { kind: 'put', key: KEYS[at] ?? 'a', value };
}

function pick(rng: Rng): string {
  return KEYS[rng.below(KEYS.length)] ?? 'a';
}
