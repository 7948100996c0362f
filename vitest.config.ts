import { defineConfig } from 'vitest/config';

const conditions = ['pawl-src', 'node'];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/**
 * Most e2e tests wait for processes half of the time, and share nothing: two at a time. The others
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
    'crashes',
    'etcd-clients',
    'etcd3',
    'etcdctl',
    'jobs',
    'launcher',
    'launcher-failures',
    'launcher-lock',
    'launcher-nodes',
    'listening',
    'log-reader',
    'nodes-basics',
    'nodes-launched',
    'quorum-cluster',
    'quorum-tls',
    'real-schemas',
    'sleepers-and-twins',
  ].map((name) => `test/e2e/${name}.spec.ts`),
  'test/differential/*.spec.ts',
  'test/packaging/*.spec.ts',
];
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
          name: 'unit',
          include: [
            'libs/*/src/**/*.spec.ts',
            'apps/*/src/**/*.spec.ts',
            'test/simulation/**/*.spec.ts',
          ],
          testTimeout: 30_000,
          /* All of the machine; it leaves a core free otherwise. The e2e tests come after. */
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...shared,
        test: {
          ...e2e,
          name: 'e2e-pairs',
          include: pairs,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
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
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
