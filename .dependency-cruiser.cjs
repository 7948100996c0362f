/** The import gate: who may import whom, downward only. */
const room = (...names) => `^libs/(${names.join('|')})/`;
const only = (from, ...allowed) => ({
  name: `${from}-imports`,
  comment: `${from} may import ${allowed.join(', ') || 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^libs/${from}/src`, pathNot: '\\.(spec|fixture)\\.ts$' },
  to: { path: '^(libs|apps)/', pathNot: room(from, ...allowed) },
});
const BUILTIN_OR_IO =
  '^(node_modules/(@nestjs|typeorm|pg|bullmq|@nats-io|ajv|re2js|pino|prom-client)/)';

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-deep-imports',
      comment: 'a room is entered by its index or a declared subpath',
      severity: 'error',
      from: { path: '^(libs|apps)/([^/]+)/' },
      to: {
        path: '^libs/[^/]+/',
        pathNot: ['^libs/$2/', '^libs/[^/]+/src/(index|[^/]+/index)\\.ts$'],
      },
    },
    only('kernel'),
    only('contracts', 'kernel'),
    only('domain', 'kernel', 'contracts'),
    only('engine', 'kernel', 'contracts', 'domain'),
    only('raft', 'kernel', 'contracts'),
    only('metadata', 'kernel', 'contracts', 'domain', 'engine', 'raft'),
    only('persistence', 'kernel', 'contracts', 'domain', 'engine'),
    only('distribution', 'kernel', 'contracts', 'domain', 'engine'),
    only('validation', 'kernel', 'contracts', 'domain', 'engine'),
    only('jobs', 'kernel', 'contracts', 'domain', 'engine'),
    only('platform', 'kernel', 'contracts'),
    only('sdk', 'kernel', 'contracts'),
    only('admin-client', 'contracts'),
    {
      name: 'raft-only-through-metadata',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/(raft|metadata)/' },
      to: { path: '^libs/raft/' },
    },
    {
      name: 'cli-imports',
      severity: 'error',
      from: { path: '^apps/cli/src/', pathNot: '^apps/cli/src/local/' },
      to: { path: '^libs/', pathNot: room('admin-client', 'contracts') },
    },
    {
      name: 'apps-apart',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'pure-rooms-no-builtins',
      severity: 'error',
      from: {
        path: '^libs/(kernel|domain|engine|contracts|raft/src/core|metadata/src/state)(/|$)',
        pathNot: ['\\.(spec|fixture)\\.ts$', '^libs/contracts/src/(node|validate)/'],
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-rooms-no-io-packages',
      severity: 'error',
      from: {
        path: '^libs/(kernel|domain|engine|contracts|raft/src/core|metadata/src/state)(/|$)',
        pathNot: ['\\.(spec|fixture)\\.ts$', '^libs/contracts/src/validate/'],
      },
      to: { path: BUILTIN_OR_IO },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['pawl-src', 'import', 'node', 'default'],
    },
  },
};
