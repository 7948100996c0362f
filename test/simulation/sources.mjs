import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const packages = createRequire(import.meta.url);
/** What stacks name where no source maps are enabled; there is no such file. */
const SCRIPT = join(REPOSITORY, 'sources.js');

/**
 * Loads a module of this repository and all of ours that it imports from their TypeScript, in memory
 * and as one script, with `edits` carried out; the files stay as they are. Each call makes modules of
 * its own. Stacks tell functions, and lines of the TypeScript where source maps are enabled.
 *
 * @param {string} entry below the repository, `test/simulation/nodes/run-nodes.ts`
 * @param {readonly { file: string, text: string, replacement: string }[]} [edits] each text must
 * occur exactly once in its file
 * @returns {Promise<Record<string, unknown>>} what the entry exports
 */
export async function loadSources(entry, edits = []) {
  const edited = carryOut(edits);
  const unused = new Set(edited.keys());
  const build = await rolldown({
    input: entry,
    cwd: REPOSITORY,
    platform: 'node',
    treeshake: false,
    external: (id) => id !== entry && !/^[./]|^@pawl\//.test(id),
    resolve: { conditionNames: ['pawl-src', 'node', 'import'], extensionAlias: { '.js': ['.ts'] } },
    plugins: [
      {
        name: 'edited',
        load: (id) => {
          unused.delete(id);
          return edited.get(id);
        },
      },
    ],
  });
  const { output } = await build.generate({
    format: 'cjs',
    codeSplitting: false,
    file: SCRIPT,
    sourcemap: process.sourceMapsEnabled === true && 'inline',
  });
  await build.close();
  if (unused.size > 0) throw new Error(`not loaded: ${[...unused].join(', ')}`);
  const module = {};
  const run = new Function('exports', 'require', `${output[0].code}\n//# sourceURL=${SCRIPT}`);
  run(module, packages);
  return module;
}

/** The text of each file that edits change, by its path. */
function carryOut(edits) {
  const edited = new Map();
  for (const { file, text, replacement } of edits) {
    const path = join(REPOSITORY, file);
    const source = edited.get(path) ?? readFileSync(path, 'utf8');
    if (source.split(text).length !== 2) throw new Error(`not exactly once in ${file}: ${text}`);
    edited.set(
      path,
      source.replace(text, () => replacement),
    );
  }
  return edited;
}
