import type { ReleaseEnd } from '@pawl/contracts';
import type { Fence } from '../sharding/fence.js';
import type { AuditQuery, HistoryEntry } from '../sharding/truth-store.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import { AT, changes, expectCommitted, owned, text } from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

/** After {@link AT}. */
const LATER = '2026-01-02T03:04:05.679Z';

/** What every truth store promises of what it tells people over all shards. */
export const truthListsCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'tells what changed since a time over all shards, in the order in which it was written',
    run: async (subject) => {
      const { truth } = subject;
      const at = (ms: number): string => `2026-01-02T03:04:05.${ms}Z`;
      // Clocks of owners differ.
      const written = [
        ['acme', 100],
        ['other', 300],
        ['acme', 200],
        ['other', 199],
        ['acme', 400],
      ] as const;
      for (const [version, [root, ms]] of written.entries()) {
        const entry = {
          address: text(root),
          at: at(ms),
          author: 'ada',
          kind: 'definition',
        } as const;
        const history = [{ ...entry, version: version + 1 }];
        const fence = await owned(subject, root);
        await truth.commit(fence, changes(root, { history }));
      }
      const since = at(200);
      const all = await truth.readAudit({ limit: 10, since });
      expectSame(
        all.map(({ version }) => version),
        [5, 3, 2],
        'since',
      );
      const before = all[0]?.sequence ?? '';
      const page = await truth.readAudit({ limit: 1, since, before });
      expectSame(page, all.slice(1, 2), 'a page');
      expectSame(await truth.readAudit({ limit: 10, since: at(401) }), [], 'nothing since');
    },
  },
  {
    name: 'keeps which release in stages a line is about, and finds those of one and those that ended',
    run: async (subject) => {
      const { truth } = subject;
      const fences = new Map<string, Fence>();
      const write = async (root: string, ...lines: readonly Partial<HistoryEntry>[]) => {
        const fence = fences.get(root) ?? (await owned(subject, root));
        fences.set(root, fence);
        const about = { address: text(root), at: AT, author: 'ada', kind: 'release' } as const;
        const history = lines.map((line) => ({ ...about, ...line }));
        expectCommitted(await truth.commit(fence, changes(root, { history })), 'a line');
      };
      const policyVersion = { address: text('acme:release-policy'), version: 4 };
      const begun = { policyVersion, begunAt: AT, begunBy: 'ada "😀' };
      const of = { strategy: 'careful', candidate: 2, stages: 3 };
      const aborted: ReleaseEnd = {
        outcome: 'aborted',
        ...of,
        ...begun,
        stableVersion: 1,
        stage: 0,
      };
      const completed: ReleaseEnd = { outcome: 'completed', ...of, stableVersion: null };
      await write('acme', { action: 'promote', releaseId: 'r1', policyVersion });
      await write('acme', { action: 'block' });
      await write('zoo', { action: 'promote', releaseId: 'r2' });
      // Several changesets of one transaction are written another way.
      const last = { action: 'advance', releaseId: 'r2', ended: completed, at: LATER } as const;
      const line = { address: text('zoo'), author: 'ada', kind: 'release', ...last } as const;
      const group = [changes('zoo', { history: [line] })];
      const zoo = fences.get('zoo');
      if (zoo !== undefined) expectCommitted(await truth.commitAll(zoo, group), 'a group');
      await write('acme', {
        action: 'abort',
        releaseId: 'r1',
        ended: aborted,
        reason: '1 rejects',
      });

      const all = (await truth.readAudit({ limit: 10 })).map(({ sequence: _, ...told }) => told);
      const about = { address: text('acme'), at: AT, author: 'ada', kind: 'release' } as const;
      const expected = [
        { ...about, action: 'abort', releaseId: 'r1', ended: aborted, reason: '1 rejects' },
        line,
        { ...about, address: text('zoo'), action: 'promote', releaseId: 'r2' },
        { ...about, action: 'block' },
        { ...about, action: 'promote', releaseId: 'r1', policyVersion },
      ];
      expectSame(all, expected, 'all lines');
      const actions = async (query: Partial<AuditQuery>): Promise<unknown> =>
        (await truth.readAudit({ limit: 10, ...query })).map(
          ({ action = '', releaseId = '' }) => `${action} ${releaseId}`,
        );
      const [abort, advance] = ['abort r1', 'advance r2'];
      expectSame(await actions({ about: 'ends' }), [abort, advance], 'ends');
      expectSame(await actions({ about: 'ends', since: LATER }), [advance], 'ends since');
      expectSame(await actions({ about: 'ends', limit: 1 }), [abort], 'the last end');
      const [newest] = await truth.readAudit({ limit: 1, about: 'ends' });
      const before = newest?.sequence ?? '';
      expectSame(await actions({ about: 'ends', before }), [advance], 'ends before');
      const one = { about: { releaseId: 'r1' } };
      expectSame(await actions(one), [abort, 'promote r1'], 'one release');
      expectSame(await actions({ ...one, limit: 1 }), [abort], 'the last of one release');
      expectSame(await actions({ ...one, before }), ['promote r1'], 'one release before');
      const r2 = { about: { releaseId: 'r2' } };
      expectSame(await actions({ ...r2, since: LATER }), [advance], 'one release since');
      expectSame(await actions({ about: { releaseId: 'r3' } }), [], 'no such release');
      const acme = fences.get('acme');
      const [told] = acme ? await truth.readHistory(acme, text('acme'), { limit: 1 }) : [];
      expectSame(told?.ended, aborted, 'history of the address');
    },
  },
];
