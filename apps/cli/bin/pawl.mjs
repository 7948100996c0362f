#!/usr/bin/env node
try {
  await import('../dist/pawl.js');
} catch (error) {
  if (!isMissingBuild(error)) throw error;
  process.stderr.write(
    'pawl: Pawl is not built yet: wait for npm start, or build it with npm run build\n',
  );
  process.exitCode = 1;
}

/** A file that the build makes, of the CLI or of a room it uses, is not there. */
function isMissingBuild(error) {
  const { code, url } = error ?? {};
  const root = new URL('../../../', import.meta.url).href;
  if (code !== 'ERR_MODULE_NOT_FOUND' || !url?.startsWith(root)) return false;
  return /^(apps|libs)\/[^/]+\/dist\//.test(url.slice(root.length));
}
