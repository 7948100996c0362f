import { describe, expect, it } from 'vitest';
import { ABSENT_HASH, STABLE_COHORT } from '../messages/snapshot.message.js';
import type { Snapshot } from '../messages/snapshot.message.js';
import { parseMessage } from './parse-message.js';
import type { MessageKind } from './parse-message.js';

const snapshot: Snapshot = {
  format: 1,
  installation: 'main/0f3c',
  address: 'acme/prod',
  generation: 1,
  version: 3,
  fencingToken: '281474976710657',
  publishedAt: '2026-01-02T03:04:05.678Z',
  inputs: [
    { address: 'acme', definitionVersion: 1, releaseVersion: 1, loweredAt: null },
    { address: 'acme/prod', definitionVersion: null, releaseVersion: 4, loweredAt: 4 },
  ],
  releases: [],
  variants: { [STABLE_COHORT]: { hash: ABSENT_HASH, size: 7, inline: { a: 1 } } },
  hash: ABSENT_HASH,
};
const run = { address: 'acme', generation: 1, version: 0 };
const valid: Record<MessageKind, Record<string, unknown>> = {
  snapshot,
  push: { format: 1, address: 'acme', generation: 1, version: 3, hash: ABSENT_HASH },
  hello: { format: 1, incarnation: 'i', labels: { region: 'eu' }, runs: [run] },
  helloReply: {
    ...{ format: 1, installation: 'main/0f3c', fencingToken: '7', nextHelloMs: 5000, slot: null },
    newest: [{ address: 'acme', generation: 1, version: 1, hash: ABSENT_HASH }],
  },
  ack: {
    ...{ format: 1, incarnation: 'i' },
    items: [{ address: 'acme', generation: 1, version: 3, state: 'applied', ageMs: 0 }],
  },
  prepare: {
    ...{ format: 1, installation: 'main/0f3c', id: 'p1', address: 'acme', fencingToken: '7' },
    ...{ version: 4, hash: ABSENT_HASH, size: 0, deadlineMs: 2_000 },
  },
  vote: {
    ...{ format: 1, incarnation: 'i' },
    items: [{ id: 'p1', address: 'acme', hash: ABSENT_HASH, verdict: 'accept' }],
  },
};
const kinds = Object.keys(valid) as MessageKind[];

describe('parseMessage', () => {
  it.each(kinds)('takes a %s, also with keys of a later version', (kind) => {
    const message = { ...valid[kind], later: [1] };
    expect(parseMessage(kind, message)).toEqual({ ok: true, value: message });
  });

  it.each(kinds)('refuses what is not a %s', (kind) => {
    for (const value of [null, 1, 'x', [], {}, undefined, { ...valid[kind], format: 2 }]) {
      expect(parseMessage(kind, value).ok, JSON.stringify(value)).toBe(false);
    }
    for (const key of Object.keys(valid[kind])) {
      const { [key]: _, ...rest } = valid[kind];
      expect(parseMessage(kind, rest).ok, `without ${key}`).toBe(false);
    }
  });

  it.each([
    [{ version: 0 }, 'snapshot/version must be >= 1'],
    [{ version: '3' }, 'snapshot/version must be integer'],
    [{ version: 2 ** 53 }, 'snapshot/version must be <= 9007199254740991'],
    [{ fencingToken: 7 }, 'snapshot/fencingToken must be string'],
    [{ fencingToken: '-7' }, 'snapshot/fencingToken must match pattern "^[0-9]{1,20}$"'],
    [{ publishedAt: 'yesterday' }, 'snapshot/publishedAt must match format "date-time"'],
    [{ hash: 'ABC' }, 'snapshot/hash must match pattern "^[0-9a-f]{64}$"'],
    [{ inputs: [{ address: 'a' }] }, 'snapshot/inputs/0 must have required property'],
    [{ variants: { '': { hash: ABSENT_HASH, size: 1, inline: [] } } }, 'snapshot/variants//inline'],
    [{ format: 2 }, 'snapshot/format must be 1'],
  ])('says where a snapshot with %j is wrong', (change, message) => {
    const parsed = parseMessage('snapshot', { ...snapshot, ...change });
    expect(parsed.ok ? '' : parsed.message).toContain(message);
  });
});
