import { defineConfig } from 'vitest/config';

const conditions = ['pawl-src', 'node'];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/**
 * Most e2e tests wait for processes half of the time, and share nothing: three at a time. The others
 * judge times, memory or what the machine does: one at a time.
 */
const pairs = [
  ...[
    'adopt-streams',
    'bad-input',
    'bad-messages',
    'change-arrives',
    'cli',
    'closed-checkout',
    'compose',
    'crash-loop',
    'crashes',
    'environments',
    'etcd-clients',
    'etcd-locks',
    'etcd3',
    'etcdctl',
    'external-gates',
    'incident',
    'jobs',
    'launcher',
    'launcher-failures',
    'launcher-lock',
    'launcher-nodes',
    'listening',
    'log-reader',
    'nats-cluster',
    'nodes-basics',
    'nodes-cut-off',
    'nodes-five',
    'nodes-launched',
    'nodes-routing',
    'pins',
    'preflight',
    'quorum-cluster',
    'quorum-tls',
    'readiness',
    'real-schemas',
    'restore',
    'scheduled-release',
    'sleepers-and-twins',
    'staged-release',
    'usage',
    'webhooks',
  ].map((name) => `test/e2e/${name}.spec.ts`),
  ...['crash-images', 'etcd', 'full-disks', 'histories', 'main'].map(
    (name) => `test/chaos/${name}.spec.ts`,
  ),
  'test/chaos/network/*.spec.ts',
  'test/chaos/nodes/**/*.spec.ts',
  'test/differential/*.spec.ts',
  'test/packaging/*.spec.ts',
];
/**
 * Unit tests of rooms without sockets or files of their own share their modules: loading them again
 * for each file costs more than these tests do. What one changes for its process it puts back.
 */
const sharing = [
  'apps/*/src/**/*.spec.ts',
  'libs/{admin-client,contracts,domain,engine,kernel}/src/**/*.spec.ts',
];
/** The same of other rooms. */
const sharingParts = [
  'libs/metadata/src/state/!(metadata-state).spec.ts',
  'libs/metadata/src/{etcd,etcd-api,inspect,member,ownership,quorum,watch}/**/*.spec.ts',
  'libs/platform/src/**/*.spec.ts',
  'libs/probes/src/**/*.spec.ts',
  'libs/raft/src/core/**/*.spec.ts',
  'libs/sdk/src/{applier,preflight,scope,session}/**/*.spec.ts',
];
/** Of these rooms, those that replace timers or judge memory: each in a process of its own. */
const alone = [
  'apps/control-plane/src/health/readiness-checks.spec.ts',
  'apps/control-plane/src/http/single-file.spec.ts',
  'apps/control-plane/src/rollout/rollout-feed.spec.ts',
  'apps/control-plane/src/runtime/close-stack.spec.ts',
  'libs/engine/src/config/preview.spec.ts',
  'libs/engine/src/routing/routed-engine.spec.ts',
];
const unit = {
  /* Long enough for a machine with much else to do: what hangs is told, and nothing judged by it. */
  testTimeout: 120_000,
  hookTimeout: 120_000,
  /* All of the machine; it leaves a core free otherwise. The e2e tests come after. */
  maxWorkers: '100%',
};
const e2e = {
  globalSetup: ['./test/support/global-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  test: {
    reporters: ['default', './test/support/plain-line.reporter.ts'],
    projects: [
      {
        ...shared,
        test: {
          ...unit,
          name: 'unit',
          include: [
            'libs/!(admin-client|contracts|domain|engine|kernel)/src/**/*.spec.ts',
            'test/simulation/**/*.spec.ts',
            ...alone,
          ],
          exclude: sharingParts,
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...shared,
        test: {
          ...unit,
          name: 'unit-sharing',
          include: [...sharing, ...sharingParts],
          exclude: alone,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...shared,
        test: {
          ...e2e,
          name: 'e2e-pairs',
          include: pairs,
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...shared,
        test: {
          ...e2e,
          name: 'e2e',
          include: ['test/e2e/*.spec.ts', 'test/chaos/**/*.spec.ts'],
          exclude: pairs,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
