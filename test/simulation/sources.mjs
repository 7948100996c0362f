import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const REPOSITORY = new URL('../../', import.meta.url);
const packages = createRequire(import.meta.url);
/** An import would have Node read its 9 MB twice more, for what it exports. */
const ts = packages('typescript');
/** Compiled text by file, of what no edit changes. */
const compiled = new Map();

/**
 * Loads a module of this repository and all of ours that it imports from their TypeScript, in memory,
 * with `edits` carried out; the files stay as they are. Each call makes modules of its own.
 *
 * @param {string} entry below the repository, `test/simulation/nodes/run-nodes.ts`
 * @param {readonly { file: string, text: string, replacement: string }[]} [edits] each text must
 * occur exactly once in its file
 * @returns {Record<string, unknown>} what the entry exports
 */
export function loadSources(entry, edits = []) {
  const unused = new Set(edits.map(({ file }) => file));
  const modules = new Map();
  const load = (file) => {
    const known = modules.get(file);
    if (known !== undefined) return known;
    const module = {};
    modules.set(file, module);
    unused.delete(file);
    const body = bodyOf(file, edits);
    const run = new Function('exports', 'require', `${body}\n//# sourceURL=${file}`);
    run(module, (wanted) => {
      const ours = resolve(file, wanted);
      return ours === null ? packages(wanted) : load(ours);
    });
    return module;
  };
  const loaded = load(entry);
  if (unused.size > 0) throw new Error(`not loaded: ${[...unused].join(', ')}`);
  return loaded;
}

/** The file of an import, null for what is not ours. */
function resolve(from, wanted) {
  if (wanted.startsWith('.')) {
    const url = new URL(wanted.replace(/\.js$/, '.ts'), new URL(from, REPOSITORY));
    return url.href.slice(REPOSITORY.href.length);
  }
  const [, name, subpath = ''] = /^@pawl\/([^/]+)\/?(.*)$/.exec(wanted) ?? [];
  if (name === undefined) return null;
  const text = readFileSync(new URL(`libs/${name}/package.json`, REPOSITORY), 'utf8');
  const target = JSON.parse(text).exports[subpath === '' ? '.' : `./${subpath}`];
  return `libs/${name}/${target['pawl-src'].slice(2)}`;
}

function bodyOf(file, edits) {
  const own = edits.filter((edit) => edit.file === file);
  const known = compiled.get(file);
  if (own.length === 0 && known !== undefined) return known;
  let source = readFileSync(new URL(file, REPOSITORY), 'utf8');
  for (const { text, replacement } of own) {
    if (source.split(text).length !== 2) throw new Error(`not exactly once in ${file}: ${text}`);
    source = source.replace(text, () => replacement);
  }
  const { CommonJS } = ts.ModuleKind;
  const compilerOptions = { module: CommonJS, target: ts.ScriptTarget.ES2022 };
  const body = ts.transpileModule(source, { compilerOptions }).outputText;
  if (own.length === 0) compiled.set(file, body);
  return body;
}
