import fc from 'fast-check';
import type { Command, CommandBody, Compare, Operation, Txn } from './types.js';

const latin1 = (name: string): Uint8Array =>
  Uint8Array.from(name, (character) => character.charCodeAt(0));
const rarely = <T, U>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<U>, weight = 40) =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: rare });
const flag = (name: string): fc.Arbitrary<object> =>
  fc.constantFrom<object>({}, {}, {}, { [name]: true });

const key = rarely(fc.constantFrom('a', 'ab', 'b', 'c', '\u00ff'), fc.constant(''), 150).map(
  latin1,
);
const rangeEnd = fc.constantFrom('\0', 'b', 'c', '\u00ff').map(latin1);
const lease = fc.integer({ min: 0, max: 4 }).map(BigInt);
const revision = fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17);
const value = fc.constantFrom('', '', 'x', 'yy').map(latin1);
const operator = fc.constantFrom('=', '!=', '<', '>' as const);

export const arbitraryRange = fc.oneof(
  fc.record({ key: key.filter(({ length }) => length > 0) }),
  fc.record({ key: key.filter(({ length }) => length > 0), rangeEnd }),
);
const range = fc.oneof(fc.record({ key }), fc.record({ key, rangeEnd }));

const compare: fc.Arbitrary<Compare> = fc
  .tuple(
    range,
    operator,
    fc.oneof(
      fc.record({
        target: fc.constantFrom('version', 'create', 'mod' as const),
        value: fc.integer({ min: -1, max: 4 }),
      }),
      fc.record({ target: fc.constant('lease' as const), value: lease }),
      fc.record({ target: fc.constant('value' as const), value }),
    ),
  )
  .map(([keys, sign, rest]) => ({ ...keys, operator: sign, ...rest }));

const put: fc.Arbitrary<Operation> = fc
  .tuple(
    fc.record({
      kind: fc.constant('put' as const),
      key,
      value,
      lease: rarely(fc.constant(0n), lease, 2),
    }),
    flag('prevKv'),
    rarely(fc.constant({}), fc.constantFrom({ ignoreValue: true }, { ignoreLease: true }), 8),
  )
  .map(([operation, ...flags]) => Object.assign({}, operation, ...flags) as Operation);
const erase: fc.Arbitrary<Operation> = fc
  .tuple(range, flag('prevKv'))
  .map(([keys, flags]) => ({ kind: 'delete' as const, ...keys, ...flags }));
const read: fc.Arbitrary<Operation> = fc
  .record({
    range,
    revision,
    limit: fc.integer({ min: 0, max: 2 }),
    sortOrder: fc.constantFrom('none', 'none', 'ascend', 'descend' as const),
    sortTarget: fc.constantFrom('key', 'key', 'version', 'create', 'mod', 'value' as const),
    flags: rarely(fc.constant({}), fc.constantFrom({ keysOnly: true }, { countOnly: true }), 3),
    minModRevision: fc.constantFrom(0, 0, 0, 3),
    maxModRevision: fc.constantFrom(0, 0, 0, 6),
    minCreateRevision: fc.constantFrom(0, 0, 0, 3),
    maxCreateRevision: fc.constantFrom(0, 0, 0, 6),
  })
  .map(({ range: keys, flags, ...rest }) => ({
    kind: 'range' as const,
    ...keys,
    ...rest,
    ...flags,
  }));

const leaf = fc.oneof({ weight: 5, arbitrary: put }, { weight: 1, arbitrary: erase }, read);

function txnOf(depth: number): fc.Arbitrary<Txn> {
  const inner = depth === 0 ? leaf : rarely(leaf, txnOf(depth - 1).map(asOperation), 6);
  return fc.record({
    compare: fc.array(compare, { maxLength: 1 }),
    success: fc.array(inner, { maxLength: 3 }),
    failure: fc.array(inner, { maxLength: 2 }),
  });
}

export const arbitraryTxn = txnOf(2);

function asOperation(txn: Txn): Operation {
  return { kind: 'txn', ...txn };
}

const origin = fc.constantFrom<object>({}, { origin: 'user' });
const term = fc.constantFrom(1, 1, 2);
const alarm = fc.record({
  kind: fc.constant('alarm' as const),
  action: fc.constantFrom('raise', 'clear', 'clear' as const),
  member: fc.constantFrom(0n, 0n, 7n),
  alarm: fc.constantFrom('nospace', 'nospace', 'nospace', 'corrupt' as const),
});

const memberId = fc.constantFrom('m1', 'm1', 'm2');
const memberPut = fc.record(
  {
    kind: fc.constant('member-put' as const),
    id: rarely(memberId, fc.constant(''), 30),
    expect: fc.constantFrom('new', 'known' as const),
    name: fc.constantFrom('', 'n\u00e4me \ud83d\ude00'),
    peerAddress: fc.constantFrom('', 'h:1', 'h:2'),
    clientAddresses: fc.constantFrom<string[][]>([], ['h:4'], ['h:5', 'h:6']),
    folderId: fc.constantFrom('', 'f1', 'f2'),
    wanted: fc.constantFrom('voter', 'voter', 'learner', 'removed' as const),
  },
  { requiredKeys: ['kind', 'id', 'expect'] },
);

const body: fc.Arbitrary<CommandBody> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc
      .tuple(arbitraryTxn, origin)
      .map(([txn, from]) => ({ kind: 'txn' as const, ...txn, ...from })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(lease, origin)
      .map(([id, from]) => ({ kind: 'lease-grant' as const, id, ttlMs: 5000, ...from })),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lease-revoke' as const), id: lease }) },
  fc.record({
    kind: fc.constant('lease-expire' as const),
    ids: fc.uniqueArray(lease, { maxLength: 2 }),
    term,
  }),
  fc.record({
    kind: fc.constant('lease-checkpoint' as const),
    leases: fc.array(fc.record({ id: lease, remainingMs: fc.constantFrom(0, 700, 9000) }), {
      maxLength: 2,
    }),
    term,
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      revision: fc.constantFrom(0, 1, 2, 2, 3, 4, 5, 8, 13),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('session-open' as const),
      opener: fc.bigInt(-9n, 9n),
    }),
  },
  { weight: 10, arbitrary: memberPut },
  fc.record({ kind: fc.constant('member-remove' as const), id: memberId }),
  fc.constant({ kind: 'member-reset' as const }),
  fc.record({
    kind: fc.constant('session-close' as const),
    id: fc.constantFrom(1n, 2n, 3n),
  }),
  { weight: 2, arbitrary: alarm },
  fc.constant({ kind: 'upgrade' as const, format: 4 }),
);

const session = fc.record({
  id: fc.constantFrom(1n, 1n, 1n, 1n, 2n, 3n),
  sequence: fc.integer({ min: 0, max: 3 }),
  answered: fc.integer({ min: 0, max: 2 }),
});

/** Commands over few keys, leases, revisions and sessions, so that they meet. */
export const arbitraryCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: body },
  fc.tuple(body, session).map(([command, call]): Command => ({ ...command, session: call })),
);
