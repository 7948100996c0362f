import { readFile, mkdir } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { isBundled, keyOf, recordBundle } from './bundle.mjs';
import { readJson, replaceFile } from './files.mjs';
import { BUNDLES, REPOSITORY } from './repository.mjs';

const isForeign = (/** @type {string} */ id) => id.includes(`${sep}node_modules${sep}`);

/**
 * Puts the control plane, and the `pawl` command, each with all that it imports in one file: Node
 * takes two to three seconds of a processor to find and read the 2,600 files that the control plane
 * is made of, and one for the bundle; a member of the quorum starts in half of the time.
 *
 * The map beside it tells tools our sources. A node is not run with `--enable-source-maps`: where a
 * program first looks at the stack of an error, Node reads the whole map, and stands still for a second.
 * What a dependency asks for only where somebody uses it, and nobody does here, is not installed, and
 * asked for at run time as before.
 */
export async function writeBundles() {
  for (const bundle of BUNDLES) {
    if (!(await isBundled(bundle.file))) await writeBundle(bundle);
  }
}

async function writeBundle(/** @type {{ entry: string, file: string }} */ { entry, file }) {
  const build = await rolldown({
    input: { main: entry },
    cwd: REPOSITORY,
    platform: 'node',
    plugins: [{ name: 'maps-of-the-compiler', load }],
    onLog: (level, { code, id, message }) => {
      if (level !== 'warn') return;
      if (code === 'UNRESOLVED_IMPORT' && id !== undefined && isForeign(id)) return;
      throw new Error(message);
    },
  });
  const { output } = await build.generate({
    format: 'esm',
    codeSplitting: false,
    keepNames: true,
    comments: false,
    // Of one byte for each character, which halves its memory.
    charset: 'ascii',
    sourcemap: true,
    sourcemapExcludeSources: true,
    file,
  });
  await build.close();
  const [{ code, map, moduleIds }] = output;
  const modules = moduleIds
    .filter((id) => id.startsWith(REPOSITORY + sep) && !isForeign(id))
    .map((id) => relative(REPOSITORY, id));
  const key = await keyOf(modules);
  await mkdir(dirname(file), { recursive: true });
  await replaceFile(`${file}.map`, JSON.stringify(map));
  await replaceFile(file, code);
  await recordBundle(file, modules, key);
}

/** Our modules with the maps to their sources. */
async function load(/** @type {string} */ id) {
  if (isForeign(id)) return null;
  const map = await readJson(`${id}.map`);
  return map === undefined ? null : { code: await readFile(id, 'utf8'), map };
}
