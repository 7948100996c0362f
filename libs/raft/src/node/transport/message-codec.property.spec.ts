import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foundedBy } from '../../core/index.js';
import type { Configuration, Entry, EntryKind, Message } from '../../core/index.js';
import { ByteWriter } from '../bytes.js';
import { isId, messageBytes, readMessage, writeMessage } from './message-codec.js';
import { ProtocolError } from './protocol-error.js';

const seed = Number(process.env['PAWL_TEST_SEED'] ?? randomInt(2 ** 31));

const safe = fc.oneof(fc.nat(300), fc.maxSafeNat());
const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(isId);
const ids = fc.array(id, { maxLength: 4 }).map((list) => [...new Set(list)].sort());
const configuration: fc.Arbitrary<Configuration> = fc.record({
  voters: ids,
  outgoing: ids,
  learners: ids,
  learnersNext: ids,
});
const envelope = { from: id, to: id, term: safe };

const append: fc.Arbitrary<Message> = fc
  .record({
    ...envelope,
    previousIndex: fc.maxSafeNat().map((index) => Math.floor(index / 2)),
    previousTerm: safe,
    commit: safe,
    bodies: fc.array(
      fc.record({
        term: safe,
        kind: fc.constantFrom<EntryKind>('command', 'noop', 'configuration'),
        data: fc.uint8Array({ maxLength: 60 }),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ bodies, ...rest }) => {
    const entries = bodies.map((body, at): Entry => {
      return { index: rest.previousIndex + 1 + at, ...body };
    });
    return { type: 'append', ...rest, entries };
  });

const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  fc.record({
    type: fc.constantFrom('pre-vote' as const, 'vote' as const),
    ...envelope,
    lastIndex: safe,
    lastTerm: safe,
    transfer: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom('pre-vote-response' as const, 'vote-response' as const),
    ...envelope,
    granted: fc.boolean(),
  }),
  fc.record(
    {
      type: fc.constant('append-response' as const),
      ...envelope,
      index: safe,
      refused: fc.record({ index: safe, term: safe }),
    },
    { requiredKeys: ['type', 'from', 'to', 'term', 'index'] },
  ) as fc.Arbitrary<Message>,
  fc.record({ type: fc.constant('heartbeat' as const), ...envelope, commit: safe, round: safe }),
  fc.record({ type: fc.constant('heartbeat-response' as const), ...envelope, round: safe }),
  fc.record({ type: fc.constant('timeout-now' as const), ...envelope }),
  fc.record({ type: fc.constant('read' as const), ...envelope, id: safe }),
  fc.record({ type: fc.constant('read-response' as const), ...envelope, id: safe, index: safe }),
  fc.record({
    type: fc.constant('snapshot' as const),
    ...envelope,
    snapshot: fc.record({ index: safe, term: safe, configuration }),
  }),
);

function encode(one: Message): Buffer {
  const writer = new ByteWriter();
  writeMessage(writer, one);
  return writer.done();
}

/** `null` for what is refused as it should be; anything else that is thrown fails the test. */
function decoded(bytes: Uint8Array): Message | null {
  try {
    return readMessage(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

describe(`the message codec, with seed ${seed} (PAWL_TEST_SEED)`, () => {
  it('gives back every message, of exactly the length announced', () => {
    fc.assert(
      fc.property(message, (one) => {
        const bytes = encode(one);
        expect(bytes.length).toBe(messageBytes(one));
        expect(readMessage(bytes)).toEqual(plain(one));
      }),
      { seed, numRuns: 3000 },
    );
  });

  it('refuses a message that is cut off anywhere or has something behind it', () => {
    fc.assert(
      fc.property(message, fc.nat(), (one, cut) => {
        const bytes = encode(one);
        expect(decoded(bytes.subarray(0, cut % bytes.length))).toBeNull();
        expect(decoded(Buffer.concat([bytes, Buffer.alloc(1 + (cut % 3))]))).toBeNull();
      }),
      { seed, numRuns: 2000 },
    );
  });

  it('reads only what it would write itself, out of random bytes and damaged messages', () => {
    const damaged = fc.tuple(message, fc.nat(), fc.nat(255)).map(([one, at, value]) => {
      const bytes = Buffer.from(encode(one));
      bytes[at % bytes.length] = value;
      return bytes;
    });
    const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const typed = fc.tuple(fc.integer({ min: 1, max: 12 }), anything).map(([type, rest]) => {
      const ends = new ByteWriter().u8(type).text('a').text('b').u64(1).done();
      return Buffer.concat([ends, rest]);
    });
    fc.assert(
      fc.property(fc.oneof(anything, typed, damaged), (bytes) => {
        const one = decoded(bytes);
        if (one !== null) expect(encode(one).equals(bytes)).toBe(true);
      }),
      { seed, numRuns: 10_000 },
    );
  });

  it('takes no memory for entries and lengths that are only announced', () => {
    const head = new ByteWriter().u8(5).text('a').text('b').u64(1).u64(1).u64(1).u64(1);
    const counted = Buffer.from(head.u32(0xffffffff).done());
    const sized = Buffer.from(
      new ByteWriter().u8(5).text('a').text('b').u64(1).u64(1).u64(1).u64(1).u32(1).done(),
    );
    const entry = new ByteWriter().u8(1).u64(1).u32(0xfffffff0).raw(Buffer.alloc(50)).done();
    const before = process.memoryUsage();
    for (let round = 0; round < 100; round += 1) {
      expect(decoded(counted)).toBeNull();
      expect(decoded(Buffer.concat([sized, entry]))).toBeNull();
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 1024 * 1024);
  });

  it('refuses numbers that no message can hold', () => {
    const wide = encode({ type: 'read', from: 'a', to: 'b', term: 1, id: 1 });
    wide.writeBigUInt64LE(2n ** 53n, wide.length - 8);
    expect(decoded(wide)).toBeNull();
    const flag = encode({ type: 'vote-response', from: 'a', to: 'b', term: 1, granted: true });
    flag[flag.length - 1] = 2;
    expect(decoded(flag)).toBeNull();
    const last = Number.MAX_SAFE_INTEGER;
    const ends = { previousIndex: last, previousTerm: 1, commit: 1 } as const;
    const head = { type: 'append', from: 'a', to: 'b', term: 1 } as const;
    const beyond = encode({
      ...head,
      ...ends,
      previousIndex: last - 1,
      entries: [{ index: last, term: 1, kind: 'noop', data: new Uint8Array() }],
    });
    expect(decoded(beyond)).not.toBeNull();
    beyond.writeBigUInt64LE(BigInt(last), beyond.length - 13 - 28);
    expect(decoded(beyond)).toBeNull();
    const snapshot = { index: 1, term: 1, configuration: foundedBy(['b', 'a']) };
    const canonical = encode({ type: 'snapshot', from: 'a', to: 'b', term: 1, snapshot });
    const at = canonical.indexOf('"a","b"');
    canonical.write('"b","a"', at);
    expect(decoded(canonical)).toBeNull();
  });
});

/** fast-check makes objects without a prototype. */
function plain(one: Message): unknown {
  return structuredClone(one);
}
