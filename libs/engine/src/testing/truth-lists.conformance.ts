import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import { changes, owned, text } from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

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
];
