/** The import gate: who may import whom, downward only. */
const room = (...names) => `^libs/(${names.join('|')})/`;
const only = (from, ...allowed) => ({
  name: `${from}-imports`,
  comment: `${from} may import ${allowed.join(', ') || 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^libs/${from}/src`, pathNot: '\\.(spec|fixture)\\.ts$' },
  to: { path: '^(libs|apps)/', pathNot: room(from, ...allowed) },
});
const PURE = '^libs/(kernel|domain|engine|contracts|raft/src/core|metadata/src/state)(/|$)';
const TESTS = '\\.(spec|fixture|conformance)\\.ts$|/src/testing/';
/** A core inside a room: of ours it may import the kernel and itself, none of its siblings. */
const core = (path) => ({
  name: `${path.split('/')[0]}-core-imports`,
  comment: `libs/${path} may import only the kernel and itself`,
  severity: 'error',
  from: { path: `^libs/${path}/`, pathNot: TESTS },
  to: { path: '^(libs|apps)/', pathNot: `^libs/(kernel|${path})/` },
});

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
    only('probes', 'kernel', 'contracts', 'domain', 'engine'),
    only('platform', 'kernel', 'contracts'),
    only('sdk', 'kernel', 'contracts'),
    only('admin-client', 'contracts'),
    core('raft/src/core'),
    core('metadata/src/state'),
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
        path: PURE,
        pathNot: ['\\.(spec|fixture)\\.ts$', '^libs/contracts/src/(node|validate)/'],
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-rooms-no-packages',
      comment: 'what is pure needs nothing but the language; contracts/validate is where ajv lives',
      severity: 'error',
      from: { path: PURE, pathNot: [TESTS, '^libs/contracts/src/validate/'] },
      to: { path: '(^|/)node_modules/' },
    },
    {
      name: 'no-tests-in-sources',
      severity: 'error',
      from: { path: '^(libs|apps)/[^/]+/src/', pathNot: TESTS },
      to: { path: TESTS },
    },
    {
      name: 'validate-packages',
      severity: 'error',
      from: { path: '^libs/contracts/src/validate/', pathNot: TESTS },
      to: { path: '(^|/)node_modules/', pathNot: '(^|/)node_modules/(ajv|ajv-formats)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Ours only: what an import of a package resolves to often lies in its dist.
    exclude: { path: '^(libs|apps)/[^/]+/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['pawl-src', 'import', 'node', 'default'],
    },
  },
};
