import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeAnswer, decodeRequest, encodeAnswer, encodeRequest } from './peer-codec.js';
import type { PeerAnswer, PeerRequest } from './peer-codec.js';

const time = fc.option(fc.nat({ max: 2 ** 40 }));
const record = fc.record({
  id: fc.string(),
  name: fc.string(),
  peerAddress: fc.string(),
  clientAddresses: fc.array(fc.string(), { maxLength: 3 }),
  folderId: fc.string(),
  wanted: fc.constantFrom('voter', 'learner', 'removed' as const),
});
const ids = fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 5 });
const told = { index: fc.nat(), inside: fc.array(fc.string()), members: fc.array(record) };
const outcome = fc.oneof(
  fc.record({ ok: fc.constant(true as const), index: fc.nat(), term: fc.nat() }),
  fc.record({
    ok: fc.constant(false as const),
    reason: fc.constantFrom('not-leader', 'transferring', 'overloaded', 'stopped' as const),
  }),
);

const request: fc.Arbitrary<PeerRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('propose' as const),
    commands: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('renew' as const), ids }),
  ids.map((list) => ({ kind: 'lease-time' as const, id: list[0] ?? 7n })),
  fc.record({
    kind: fc.constant('may-change' as const),
    question: fc.constantFrom('add', 'remove', 'promote' as const),
    id: fc.string(),
  }),
  fc.record({ kind: fc.constant('members' as const), ...told }),
);
const answer: fc.Arbitrary<PeerAnswer> = fc.oneof(
  fc.constant({ kind: 'not-leader' as const }),
  fc.record({ kind: fc.constant('propose' as const), outcomes: fc.array(outcome) }),
  fc.record({ kind: fc.constant('renew' as const), ttls: fc.array(time) }),
  fc.record({ kind: fc.constant('lease-time' as const), remainingMs: time }),
  fc.record({
    kind: fc.constant('may-change' as const),
    refusal: fc.constantFrom(null, 'member-not-found', 'unhealthy' as const),
  }),
  fc.record({
    kind: fc.constant('members' as const),
    ...told,
  }),
);
const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.constantFrom(0, 0, 1, 5) });

it('gives requests and answers back as they were', () => {
  fc.assert(
    fc.property(request, (it) => {
      expect(decodeRequest(encodeRequest(it))).toEqual(it);
    }),
  );
  fc.assert(
    fc.property(answer, (it) => {
      expect(decodeAnswer(encodeAnswer(it))).toEqual(it);
    }),
  );
});

it('refuses by a RangeError what is not one, and never accepts two for one', () => {
  let refused = 0;
  const check = <T>(whole: Uint8Array, decode: (bytes: Uint8Array) => T, encode: Encode<T>) => {
    return ({ at, byte, cut }: { at: number; byte: number; cut: number }): void => {
      const bytes = whole.slice(0, whole.length - cut);
      bytes[at % bytes.length] = byte;
      try {
        expect(Buffer.compare(encode(decode(bytes)), bytes)).toBe(0);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        refused += 1;
      }
    };
  };
  type Encode<T> = (it: T) => Uint8Array;
  fc.assert(
    fc.property(request, damage, (it, how) =>
      check(encodeRequest(it), decodeRequest, encodeRequest)(how),
    ),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(answer, damage, (it, how) =>
      check(encodeAnswer(it), decodeAnswer, encodeAnswer)(how),
    ),
    { numRuns: 1000 },
  );
  expect(refused).toBeGreaterThan(200);
});

it('refuses another format', () => {
  const bytes = encodeRequest({ kind: 'members', index: 1, inside: ['a'], members: [] });
  expect(() => decodeRequest(Uint8Array.of(9, ...bytes.subarray(1)))).toThrow(/format 9/);
});
