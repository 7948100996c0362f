import type { HistoryEntry, IdempotencyRecord } from '../sharding/truth-store.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import {
  AT,
  HASH,
  changes,
  definition,
  fenceOf,
  owned,
  snapshot,
  text,
  expectCommitted,
} from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

/** Roots of one shard, whatever the number of shards is, up to 64. */
function rootsOfOneShard(subject: TruthSubject, count: number): string[] {
  const { shard } = fenceOf(subject, 'acme', 1n);
  const roots: string[] = [];
  for (let index = 0; roots.length < count; index += 1) {
    const root = index === 0 ? 'acme' : `root${index}`;
    if (fenceOf(subject, root, 1n).shard === shard) roots.push(root);
  }
  return roots;
}

function entry(address: string, version: number): HistoryEntry {
  return { address: text(address), at: AT, author: 'ada', kind: 'definition', version };
}

function record(key: string, root: string): IdempotencyRecord {
  return { key, root, requestHash: HASH, status: 201, body: '{"b":"\\u0000"}' };
}

/** What every truth store promises of `commitAll`. */
export const truthGroupCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'writes all changesets of a group, each under its own root, their history in order',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const roots = rootsOfOneShard(subject, 3);
      const schema = { hash: 'b'.repeat(64), text: '{"type":"object"}' };
      const group = roots.map((root, index) =>
        changes(root, {
          definitions: [
            { ...definition(`${root}/app`, 1, JSON.stringify({ 'a"\u0000': index })), schema },
          ],
          snapshots: [snapshot(`${root}/app`, index + 1)],
          history: [entry(`${root}/app`, 1), entry(`${root}/other`, index + 1)],
          idempotency: record(`key of ${root}`, root),
        }),
      );
      expectCommitted(await truth.commitAll(fence, group), 'outcome');
      for (const [index, root] of roots.entries()) {
        const [image, ...others] = await truth.loadRoot(fence, root);
        expectSame(others.length, 0, 'other addresses of the root');
        expectSame(image?.newest?.document?.value, { 'a"\u0000': index }, 'document');
        expectSame(image?.newest?.schema?.schema, { type: 'object' }, 'schema');
        expectSame(image?.snapshot?.version, index + 1, 'snapshot');
        const key = `key of ${root}`;
        expectSame(await truth.findIdempotent(fence, key), record(key, root), 'idempotency');
      }
      const audit = await truth.readAudit({ limit: 10 });
      const inOrder = roots.flatMap((root) => [`${root}/app`, `${root}/other`]);
      expectSame(
        audit.map(({ address }) => address),
        inOrder.toReversed().map(text),
        'history',
      );
    },
  },
  {
    name: 'writes nothing of a group that has a conflict in it, wherever it is',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const [acme = '', second = '', third = ''] = rootsOfOneShard(subject, 3);
      const known = changes(acme, {
        definitions: [definition(acme, 1, '{}')],
        opened: [text(`${acme}/opened`)],
        snapshots: [snapshot(acme, 4)],
        idempotency: record('used', acme),
      });
      expectCommitted(await truth.commit(fence, known), 'what is there');
      const stored = async (): Promise<unknown> =>
        (await truth.loadShard(fence)).toSorted((one, other) =>
          one.address < other.address ? -1 : 1,
        );
      const before = await stored();
      const good = (root: string) =>
        changes(root, {
          definitions: [definition(`${root}/new`, 1, '{}')],
          history: [entry(`${root}/new`, 1)],
          idempotency: record(`key of ${root}`, root),
        });
      const overwriting = changes(acme, {
        definitions: [definition(acme, 2, '{"b":1}')],
        forgotten: [text(`${acme}/opened`)],
        snapshots: [snapshot(acme, 5)],
      });
      const bad = [
        changes(third, { definitions: [definition(third, 2, '{}')] }),
        changes(acme, { snapshots: [snapshot(acme, 4)] }),
        changes(third, { idempotency: record('used', third) }),
      ];
      for (const one of bad) {
        const groups = [
          [overwriting, good(second), one],
          [one, good(second)],
          [good(second), one, good(third)],
        ];
        for (const group of groups) {
          expectSame((await truth.commitAll(fence, group)).kind, 'conflict', 'outcome');
          expectSame(await stored(), before, 'afterwards');
          expectSame((await truth.readAudit({ limit: 10 })).length, 0, 'history');
          const key = await truth.findIdempotent(fence, `key of ${second}`);
          expectSame(key, undefined, 'idempotency');
        }
      }
      const repeated = await truth.commitAll(fence, [overwriting, good(second), good(third)]);
      expectCommitted(repeated, 'without the conflict');
    },
  },
  {
    name: 'lets a changeset find what an earlier one of its group has written',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const versions = [1, 2, 3].map((version) =>
        changes('acme', {
          definitions: [definition('acme/app', version, `{"v":${version}}`)],
          snapshots: [snapshot('acme/app', version)],
        }),
      );
      expectCommitted(await truth.commitAll(fence, versions), 'in order');
      const [image] = await truth.loadRoot(fence, 'acme');
      expectSame([image?.newest?.version, image?.snapshot?.version], [3, 3], 'newest');
      const twice = [4, 4].map((version) =>
        changes('acme', { definitions: [definition('acme/app', version, '{}')] }),
      );
      expectSame((await truth.commitAll(fence, twice)).kind, 'conflict', 'one version twice');
    },
  },
  {
    name: 'refuses a group under another token than the fence holds, and writes nothing of it',
    run: async (subject) => {
      const { truth } = subject;
      const old = await owned(subject, 'acme', 10n);
      const fresh = await owned(subject, 'acme', 11n);
      const [acme = '', second = ''] = rootsOfOneShard(subject, 2);
      const group = [acme, second].map((root) =>
        changes(root, { definitions: [definition(root, 1, '{}')] }),
      );
      expectSame(await truth.commitAll(old, group), { kind: 'fenced', token: 11n }, 'the former');
      expectSame((await truth.loadShard(fresh)).length, 0, 'addresses afterwards');
      expectCommitted(await truth.commitAll(fresh, group), 'the owner');
    },
  },
  {
    name: 'takes groups of many sizes, with and without long texts',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      let written = 0;
      for (const size of [1, 2, 5, 9, 33, 64, 70]) {
        const group = Array.from({ length: size }, (_, index) =>
          changes('acme', {
            definitions: [
              definition(`acme/a${written + index}`, 1, index % 3 === 0 ? null : `{"i":${index}}`),
            ],
          }),
        );
        expectCommitted(await truth.commitAll(fence, group), `${size} at once`);
        written += size;
        expectSame((await truth.loadRoot(fence, 'acme')).length, written, 'addresses');
        const last = `acme/a${written - 1}`;
        const document = (size - 1) % 3 === 0 ? undefined : `{"i":${size - 1}}`;
        const read = await truth.readDefinition(fence, text(last), 1);
        expectSame(read?.document?.text, document, 'the last document');
      }
      const opened = [1, 2].map((each) => changes('acme', { opened: [text(`acme/o${each}`)] }));
      expectCommitted(await truth.commitAll(fence, opened), 'no text at all');
    },
  },
];
