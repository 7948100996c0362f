import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import { AT, changes, definition, expectCommitted, owned, text } from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

/** What every truth store promises of where definitions came from. */
export const truthOriginCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'keeps where a version was merged from, and finds the newest of each source',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await owned(subject, 'acme');
      const here = text('acme/prod');
      const [staging, other] = [text('acme/staging'), text('other/staging:limits')];
      const origins = [
        { address: staging, version: 3, baseVersion: 0 },
        undefined,
        { address: staging, version: 7, baseVersion: 3 },
        { address: other, version: 2 ** 40, baseVersion: 2 ** 40 - 1 },
        undefined,
      ];
      for (const [index, origin] of origins.entries()) {
        const version = index + 1;
        const made = definition(here, version, `{"n":${version}}`);
        const told = { address: here, at: AT, author: 'ada', kind: 'definition', version } as const;
        const parts = {
          definitions: [{ ...made, ...(origin === undefined ? {} : { origin }) }],
          history: [told],
        };
        // Alone and in a group: they are written by functions of their own.
        const one = changes('acme', parts);
        const two = changes('acme', {
          definitions: [definition(`acme/v${version}`, 1, '{}')],
        });
        const outcome = index === 2 ? truth.commitAll(fence, [two, one]) : truth.commit(fence, one);
        expectCommitted(await outcome, `version ${version}`);
      }
      for (const [index, origin] of origins.entries()) {
        const found = await truth.readDefinition(fence, here, index + 1);
        expectSame(found?.origin, origin, `origin of version ${index + 1}`);
      }
      expectSame(await truth.readOrigin(fence, here, staging), origins[2], 'from staging');
      expectSame(await truth.readOrigin(fence, here, other), origins[3], 'from the other');
      expectSame(await truth.readOrigin(fence, here, here), undefined, 'from itself');
      expectSame(await truth.readOrigin(fence, staging, here), undefined, 'the other way');
      const newestFirst = origins.toReversed();
      const history = await truth.readHistory(fence, here, { limit: 10 });
      expectSame(
        history.map(({ origin }) => origin),
        newestFirst,
        'history',
      );
      const audit = await truth.readAudit({ limit: 10, since: AT });
      expectSame(
        audit.map(({ origin }) => origin),
        newestFirst,
        'audit',
      );
    },
  },
  {
    name: 'loads the origin of the newest, and tells none of a release',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await owned(subject, 'acme');
      const origin = { address: text('acme/staging'), version: 2, baseVersion: 1 };
      const at = { address: text('acme'), at: AT, author: 'ada', version: 1 };
      const history = [
        { ...at, kind: 'definition' },
        { ...at, kind: 'release', releaseVersion: 1, action: 'promote' },
      ] as const;
      const definitions = [{ ...definition('acme', 1, '{}'), origin }];
      await truth.commit(fence, changes('acme', { definitions, history }));
      const [image] = await truth.loadShard(fence);
      expectSame(image?.newest?.origin, origin, 'newest');
      const told = await truth.readAudit({ limit: 10 });
      expectSame(
        told.map((entry) => [entry.kind, entry.origin]),
        [
          ['release', undefined],
          ['definition', origin],
        ],
        'audit',
      );
    },
  },
];
