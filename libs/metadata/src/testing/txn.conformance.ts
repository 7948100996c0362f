import { describe, expect, it } from 'vitest';
import type { Compare, CompareOperator, KeyRange, Operation } from '../state/index.js';
import { NO_LEASE } from '../state/index.js';
import { textToBytes } from '../text.js';
import { bytes } from './conformance-scene.js';
import type { OpenScene, Scene } from './conformance-scene.js';

const OPERATORS: readonly CompareOperator[] = ['=', '!=', '<', '>'];
/** Which operators hold when what is there is less than, equal to, or more than what is compared. */
const HOLDING = { less: ['!=', '<'], equal: ['='], more: ['!=', '>'] } as const;

/** Operators with which a comparison holds. */
async function holding(s: Scene, compare: Omit<Compare, 'operator'>): Promise<CompareOperator[]> {
  const held: CompareOperator[] = [];
  for (const operator of OPERATORS) {
    const item = { ...compare, operator } as Compare;
    const { succeeded } = await s.taken({ compare: [item], success: [], failure: [] });
    if (succeeded) held.push(operator);
  }
  return held;
}

/** A comparison that holds, or one that does not. */
const decided = (s: Scene, holds: boolean): Compare => ({
  key: s.key('surely-not-there'),
  target: 'version',
  operator: holds ? '=' : '>',
  value: 0,
});

export function txnConformance(scene: OpenScene): void {
  describe('transactions', () => {
    it('take one revision each if they write, and none otherwise', async () => {
      const s = await scene();
      const revisions: number[] = [];
      for (const operations of [
        [s.put('a', '1'), s.put('b', '1')],
        [s.get('a')],
        [s.remove('nothing')],
        [s.put('a', '2'), s.remove('b')],
        [],
        [s.put('a', '2')],
      ] satisfies Operation[][]) {
        const { revision } = await s.done(...operations);
        revisions.push(s.since(revision));
      }
      expect(revisions).toEqual([1, 1, 1, 2, 2, 3]);
      expect(await s.revision()).toBe(3);
    });

    it('give keys their revisions and versions', async () => {
      const s = await scene();
      await s.done(s.put('k', '1'));
      await s.done(s.put('other'));
      await s.done(s.put('k', '2'));
      const numbers = async () => {
        const [kv] = (await s.read(s.get('k'))).kvs;
        return kv && [s.since(kv.createRevision), s.since(kv.modRevision), kv.version, kv.lease];
      };
      expect(await numbers()).toEqual([1, 3, 2, NO_LEASE]);
      await s.done(s.remove('k'));
      expect(await numbers()).toBeUndefined();
      await s.done(s.put('k', '3'));
      expect(await numbers()).toEqual([5, 5, 1, NO_LEASE]);
    });

    it('compare and swap: of many at once exactly one creates a key', async () => {
      const s = await scene();
      const attempts = Array.from({ length: 20 }, (_, at) =>
        s.taken({
          compare: [{ key: s.key('k'), target: 'create', operator: '=', value: 0 }],
          success: [s.put('k', `${at}`)],
          failure: [s.get('k')],
        }),
      );
      const results = await Promise.all(attempts);
      const losers = results.filter(({ succeeded }) => !succeeded);
      expect(losers).toHaveLength(19);
      const { kvs } = await s.read(s.get('k'));
      for (const { results: reads } of losers) expect(reads).toMatchObject([{ kvs, count: 1 }]);
    });

    it('compare every target, smaller, equal and greater', async () => {
      const s = await scene();
      const [low, lease] = [await s.lease(), await s.lease()].sort((a, b) => (a < b ? -1 : 1));
      await s.done(s.put('k', 'm', { lease: lease! }));
      await s.done(s.put('k', 'm', { lease: lease! }));
      const key = s.key('k');
      const numbers = { version: 2, create: s.start + 1, mod: s.start + 2 } as const;
      for (const target of ['version', 'create', 'mod'] as const) {
        const at = (value: number) => holding(s, { key, target, value });
        expect(await at(numbers[target] + 1)).toEqual(HOLDING.less);
        expect(await at(numbers[target])).toEqual(HOLDING.equal);
        expect(await at(numbers[target] - 1)).toEqual(HOLDING.more);
      }
      const value = (text: string) =>
        holding(s, { key, target: 'value', value: textToBytes(text) });
      expect(await value('ma')).toEqual(HOLDING.less);
      expect(await value('m')).toEqual(HOLDING.equal);
      expect(await value('')).toEqual(HOLDING.more);
      const leased = (id: bigint) => holding(s, { key, target: 'lease', value: id });
      expect(await leased(lease! + 1n)).toEqual(HOLDING.less);
      expect(await leased(lease!)).toEqual(HOLDING.equal);
      expect(await leased(low!)).toEqual(HOLDING.more);
    });

    it('compare a key that is not there as zeros, and its value with nothing', async () => {
      const s = await scene();
      const key = s.key('nothing');
      for (const target of ['version', 'create', 'mod'] as const) {
        expect(await holding(s, { key, target, value: 0 })).toEqual(HOLDING.equal);
        expect(await holding(s, { key, target, value: 1 })).toEqual(HOLDING.less);
      }
      expect(await holding(s, { key, target: 'lease', value: 0n })).toEqual(HOLDING.equal);
      expect(await holding(s, { key, target: 'value', value: textToBytes('') })).toEqual([]);
    });

    it('compare all keys of a range', async () => {
      const s = await scene();
      await s.done(s.put('a', 'x'), s.put('b', 'x'), s.put('c', 'y'));
      const value = (range: KeyRange, text: string) =>
        holding(s, { ...range, target: 'value', value: textToBytes(text) });
      expect(await value(s.between('a', 'c'), 'x')).toEqual(['=']);
      expect(await value(s.keys(), 'x')).toEqual([]);
      expect(await value(s.keys(), 'w')).toEqual(['!=', '>']);
      expect(await value(s.between('x', 'z'), 'x')).toEqual([]);
      const version = (range: KeyRange) => holding(s, { ...range, target: 'version', value: 0 });
      expect(await version(s.keys())).toEqual(['!=', '>']);
      expect(await version(s.between('x', 'z'))).toEqual(['=']);
    });

    it('take one branch, which reads what it wrote before', async () => {
      const s = await scene();
      await s.done(s.put('a', '0'));
      const txn = (holds: boolean) =>
        s.taken({
          compare: [decided(s, true), decided(s, holds)],
          success: [s.get('a'), s.put('a', '1', { prevKv: true }), s.get('a')],
          failure: [s.remove('a'), s.get('a')],
        });
      const taken = await txn(true);
      expect(taken).toMatchObject({ succeeded: true, revision: s.start + 2 });
      expect(taken.results).toMatchObject([
        { kind: 'range', revision: s.start + 1, kvs: [{ value: bytes('0') }] },
        { kind: 'put', revision: s.start + 2, previous: { value: bytes('0') } },
        { kind: 'range', revision: s.start + 2, kvs: [{ value: bytes('1') }] },
      ]);
      const other = await txn(false);
      expect(other).toMatchObject({ succeeded: false, revision: s.start + 3 });
      expect(other.results).toMatchObject([
        { kind: 'delete', revision: s.start + 3, deleted: 1, previous: [] },
        { kind: 'range', revision: s.start + 3, kvs: [], count: 0 },
      ]);
    });

    it('nest: comparisons see the state before, writes share one revision', async () => {
      const s = await scene();
      const inner: Operation = {
        kind: 'txn',
        // Not there before, though the transaction around it puts it first.
        compare: [{ key: s.key('a'), target: 'version', operator: '=', value: 0 }],
        success: [s.put('b', 'inner'), { kind: 'txn', ...failing(s) }],
        failure: [s.put('c', 'wrong')],
      };
      const { results, revision } = await s.done(s.put('a', 'outer'), inner, s.get('b'));
      expect(s.since(revision)).toBe(1);
      expect(results).toMatchObject([
        { kind: 'put', revision },
        {
          kind: 'txn',
          succeeded: true,
          results: [
            { kind: 'put', revision },
            { kind: 'txn', succeeded: false, results: [{ kind: 'range', count: 1 }] },
          ],
        },
        { kind: 'range', revision, kvs: [{ value: bytes('inner') }] },
      ]);
      expect(await s.texts(s.keys())).toEqual(['a=outer', 'b=inner']);
    });

    it('delete a key, a range, and from a key on, and tell what was there', async () => {
      const s = await scene();
      await s.done(...['a', 'b', 'c', 'd', 'e'].map((name) => s.put(name, name)));
      const { results } = await s.done(
        { ...s.remove('a'), prevKv: true },
        { kind: 'delete', ...s.between('b', 'd'), prevKv: true },
        { kind: 'delete', ...s.between('b', 'd'), prevKv: true },
        { kind: 'delete', ...s.keys('e') },
      );
      const told = results.map((result) =>
        result.kind === 'delete'
          ? [result.deleted, ...result.previous.map((kv) => s.text(kv))]
          : result.kind,
      );
      expect(told).toEqual([[1, 'a=a'], [2, 'b=b', 'c=c'], [0], [1]]);
      expect(await s.texts(s.keys())).toEqual(['d=d']);
      await s.done(s.put('z'));
      const { key } = s.keys();
      const rest = await s.done({ kind: 'delete', key, rangeEnd: Uint8Array.of(0) });
      expect(rest.results).toMatchObject([{ deleted: 2 }]);
    });

    it('put and keep the value or the lease that is there', async () => {
      const s = await scene();
      const lease = await s.lease();
      await s.done(s.put('k', 'v', { lease }));
      await s.done(s.put('k', '', { ignoreValue: true }));
      expect((await s.read(s.get('k'))).kvs).toMatchObject([
        { value: bytes('v'), lease: NO_LEASE, version: 2 },
      ]);
      await s.done(s.put('k', 'v', { lease }));
      await s.done(s.put('k', 'w', { ignoreLease: true }));
      expect((await s.read(s.get('k'))).kvs).toMatchObject([{ value: bytes('w'), lease }]);
      await s.done(s.put('k', '', { ignoreLease: true, ignoreValue: true }));
      expect((await s.read(s.get('k'))).kvs).toMatchObject([
        { value: bytes('w'), lease, version: 5 },
      ]);
    });

    it('are refused without changing anything', async () => {
      const s = await scene();
      await s.done(s.put('there', 'v'));
      const nested = (...success: Operation[]): Operation => ({
        kind: 'txn',
        compare: [],
        success,
        failure: [],
      });
      const nothing = new Uint8Array(0);
      const refused: [string, Operation[]][] = [
        ['empty-key', [{ ...s.put('x'), key: nothing }]],
        ['empty-key', [{ kind: 'delete', key: nothing }]],
        ['empty-key', [nested({ kind: 'range', key: nothing })]],
        ['duplicate-key', [s.put('a'), s.put('a')]],
        ['duplicate-key', [s.put('a'), nested(s.put('a'))]],
        ['duplicate-key', [nested(s.put('a')), nested(s.put('a'))]],
        ['duplicate-key', [s.put('a'), { kind: 'delete', ...s.between('a', 'b') }]],
        ['duplicate-key', [s.remove('a'), s.put('a')]],
        ['lease-not-found', [s.put('a', '', { lease: 4_711_000n })]],
        ['key-not-found', [s.put('a', '', { ignoreValue: true })]],
        ['key-not-found', [s.put('a', '', { ignoreLease: true })]],
        ['value-provided', [s.put('there', 'v', { ignoreValue: true })]],
        ['lease-provided', [s.put('there', '', { ignoreLease: true, lease: 1n })]],
        ['too-many-operations', Array.from({ length: 129 }, (_, at) => s.put(`${at}`))],
        ['too-large', [s.put('a', 'v'.repeat(2 * 1024 * 1024))]],
        ['future-revision', [{ ...s.get('there'), revision: s.start + 3 }]],
      ];
      for (const [refusal, operations] of refused) {
        const { revision } = await s.store.status();
        const result = await s.write(s.put('before'), ...operations);
        expect(result).toEqual({ ok: false, refusal, revision });
        expect(await s.texts(s.keys())).toEqual(['there=v']);
        expect(await s.revision()).toBe(1);
      }
    });

    it('may put one key in both branches, and as many as fit', async () => {
      const s = await scene();
      await s.taken({ compare: [decided(s, true)], success: [s.put('a')], failure: [s.put('a')] });
      await s.done(...Array.from({ length: 128 }, (_, at) => s.put(`many/${at}`)));
      expect(await s.read(s.keys('many/'))).toMatchObject({ count: 128 });
    });
  });
}

function failing(s: Scene) {
  return { compare: [decided(s, false)], success: [], failure: [s.get('a')] };
}
