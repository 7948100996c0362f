import { seededRng } from '@pawl/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeConfiguration, foundedBy } from './configuration.js';
import { foundingState } from './durable-state.js';
import { MAX_TERM } from './ids.js';
import { RaftCore } from './raft-core.js';
import type { RaftConfig } from './raft-config.js';
import type { Entry, Message } from './types.js';

const CASES = 10_000;

const config: RaftConfig = {
  id: 'b',
  heartbeatTicks: 1,
  electionTicks: 3,
  maxUncommittedBytes: 1_000,
  maxApplyBytes: 200,
  maxMessageBytes: 200,
  maxInflightMessages: 2,
  maxInflightBytes: 500,
  maxReads: 4,
  catchUpEntries: 1,
  trailingBytes: 100,
  rng: seededRng(1),
};

const small = fc.nat(5);
const number = fc.oneof(
  { weight: 8, arbitrary: small },
  fc.constantFrom(MAX_TERM, 2 ** 53 - 1, -1),
);
const flag = fc.boolean();
const configuration = fc.constantFrom(foundedBy(['a', 'b', 'c']), foundedBy(['b']), foundedBy([]));
const entry: fc.Arbitrary<Entry> = fc.record({
  index: number,
  term: small,
  kind: fc.constantFrom('command', 'noop', 'configuration'),
  data: fc.oneof(fc.uint8Array({ maxLength: 2 }), configuration.map(encodeConfiguration)),
});
/** Every field that any message has, whether it fits the others or not. */
const message = fc.record({
  type: fc.constantFrom(
    ...(['pre-vote', 'vote', 'pre-vote-response', 'vote-response', 'append'] as const),
    ...(['append-response', 'heartbeat', 'heartbeat-response', 'snapshot'] as const),
    ...(['timeout-now', 'read', 'read-response'] as const),
  ),
  from: fc.constantFrom('a', 'c', 'd', 'b', ''),
  to: fc.constantFrom('b', 'b', 'b', 'a'),
  term: number,
  ...{ lastIndex: number, lastTerm: small, transfer: flag, granted: flag },
  ...{ previousIndex: small, previousTerm: small, entries: fc.array(entry, { maxLength: 3 }) },
  ...{ commit: number, index: number, round: small, id: small },
  refused: fc.option(fc.record({ index: small, term: small }), { nil: undefined }),
  snapshot: fc.record({ index: number, term: small, configuration }),
}) as fc.Arbitrary<Message>;

/** Entries that follow each other, so that an append may well be sound. */
const chained = fc
  .tuple(message, small, fc.array(small, { maxLength: 3 }))
  .map(([base, after, steps]): Message => {
    let term = after === 0 ? 0 : 1;
    const entries = steps.map((step, at): Entry => {
      term += at === 0 && after === 0 ? Math.max(1, step) : step;
      return { index: after + at + 1, term, kind: 'command', data: new Uint8Array(step) };
    });
    const previousTerm = after === 0 ? 0 : 1;
    const append = { type: 'append', previousIndex: after, previousTerm, entries } as const;
    return { ...base, ...append, from: 'a', to: 'b', term: term + 1, commit: after };
  });

type Input = (core: RaftCore) => void;

const input: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 6,
    arbitrary: message.map(
      (m): Input =>
        (core) =>
          core.step(m),
    ),
  },
  {
    weight: 3,
    arbitrary: chained.map(
      (m): Input =>
        (core) =>
          core.step(m),
    ),
  },
  fc.constant<Input>((core) => core.tick()),
  fc.constant<Input>((core) => core.campaign()),
  fc.constant<Input>((core) => void core.propose(new Uint8Array(1))),
  fc.constant<Input>((core) => void core.read(1)),
  fc.constant<Input>((core) => void core.change({ remove: ['c'] })),
  fc.constant<Input>((core) => void core.messages()),
  fc.constant<Input>((core) => core.compact(core.status.applied)),
  fc.constant<Input>((core) => {
    if (!core.hasReady) return;
    const last = core.ready().committedEntries.at(-1);
    core.advance();
    if (last !== undefined) core.applied(last.index);
  }),
  // As it is applied slowly: never.
  fc.constant<Input>((core) => {
    if (!core.hasReady) return;
    core.ready();
    core.further();
    core.advance();
  }),
  // Makes it a candidate, and then a leader.
  fc.constantFrom(0, 1).map((more): Input => (core) => {
    const type = more === 0 ? 'vote-response' : 'pre-vote-response';
    const term = core.status.term + more;
    core.step({ type, from: 'a', to: 'b', term, granted: true });
  }),
);

describe('the consensus core', () => {
  it('survives whatever a member says, and never takes back what it knows', () => {
    const roles = new Set<string>();
    const property = fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
      const core = new RaftCore(config, foundingState(['a', 'b', 'c']));
      for (const run of inputs) {
        const before = core.status;
        run(core);
        const { term, commit, applied, last, role } = core.status;
        roles.add(role);
        if (term < before.term || commit < before.commit || applied < before.applied) return false;
        if (applied > commit || commit > last || term > MAX_TERM) return false;
      }
      return true;
    });
    fc.assert(property, { numRuns: CASES });
    expect([...roles].sort()).toEqual(['candidate', 'follower', 'leader', 'pre-candidate']);
  });
});
