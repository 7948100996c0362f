import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as kernel from '@pawl/kernel';
import type typescript from 'typescript';
import type { Edit } from './planted-bugs.js';
import type { RaftCore } from '../core/index.js';
import type { MakeCore } from './simulation/index.js';

const SOURCES = new URL('../core/', import.meta.url);
/** An import would have Node read its 9 MB twice more, for what it exports. */
const ts = createRequire(import.meta.url)('typescript') as typeof typescript;

/**
 * The consensus core from its sources with `edits` carried out, in memory; the sources stay as they
 * are. Throws when an edit's text does not occur exactly once.
 */
export function plantedCore(edits: readonly Edit[]): MakeCore {
  const modules = new Map<string, object>([['@pawl/kernel', kernel]]);
  const load = (name: string): object => {
    const known = modules.get(name);
    if (known !== undefined) return known;
    const module = {};
    modules.set(name, module);
    const file = name.replace(/^\.\//, '').replace(/\.js$/, '.ts');
    const body = compile(edited(file, edits));
    // The sources are this repository's own; there is no other way to run an edited copy in memory.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const run = new Function('exports', 'require', body) as (
      exports: object,
      require: (name: string) => object,
    ) => void;
    run(module, load);
    return module;
  };
  const { RaftCore: Core } = load('./raft-core.js') as { RaftCore: typeof RaftCore };
  return (config, state) => new Core(config, state);
}

function edited(file: string, edits: readonly Edit[]): string {
  let source = readFileSync(new URL(file, SOURCES), 'utf8');
  for (const { text, replacement } of edits.filter((edit) => edit.file === file)) {
    if (source.split(text).length !== 2) {
      throw new Error(`not exactly once in ${file}: ${text}`);
    }
    source = source.replace(text, () => replacement);
  }
  return source;
}

/** Of each source once: all but the edited ones are the same for every bug. */
const compiled = new Map<string, string>();

function compile(source: string): string {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const { CommonJS } = ts.ModuleKind;
  const compilerOptions = { module: CommonJS, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  compiled.set(source, outputText);
  return outputText;
}
