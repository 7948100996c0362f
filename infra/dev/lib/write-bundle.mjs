import { readFile, mkdir } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { keyOf, recordBundle } from './bundle.mjs';
import { readJson, replaceFile } from './files.mjs';
import { CONTROL_PLANE, CONTROL_PLANE_ENTRY, REPOSITORY } from './repository.mjs';

const isForeign = (/** @type {string} */ id) => id.includes(`${sep}node_modules${sep}`);

/**
 * Puts the control plane with all that it imports in one file: Node takes two to three seconds of a
 * processor to find and read the 2,600 files it is made of, and one for the bundle.
 *
 * Stack traces name our sources. What a dependency asks for only where somebody uses it, and nobody
 * does here, is not installed, and asked for at run time as before.
 */
export async function writeBundle() {
  const build = await rolldown({
    input: { main: CONTROL_PLANE_ENTRY },
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
    file: CONTROL_PLANE,
  });
  await build.close();
  const [{ code, map, moduleIds }] = output;
  const modules = moduleIds
    .filter((id) => id.startsWith(REPOSITORY + sep) && !isForeign(id))
    .map((id) => relative(REPOSITORY, id));
  const key = await keyOf(modules);
  await mkdir(dirname(CONTROL_PLANE), { recursive: true });
  await replaceFile(`${CONTROL_PLANE}.map`, JSON.stringify(map));
  await replaceFile(CONTROL_PLANE, code);
  await recordBundle(modules, key);
}

/** Our modules with the maps to their sources. */
async function load(/** @type {string} */ id) {
  if (isForeign(id)) return null;
  const map = await readJson(`${id}.map`);
  return map === undefined ? null : { code: await readFile(id, 'utf8'), map };
}
