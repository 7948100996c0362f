import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as kernel from '@pawl/kernel';
import * as core from '@pawl/raft/core';
import type typescript from 'typescript';
import type { SimulatedQuorum } from '../simulated-quorum.js';
import type { PlantedEdit } from './planted-bugs.js';
import type { MakeQuorum } from './quorum-world.js';

const SOURCES = new URL('../../', import.meta.url);
const builtin = createRequire(import.meta.url);
/** An import would have Node read its 9 MB twice more, for what it exports. */
const ts = builtin('typescript') as typeof typescript;

/**
 * The quorum's host and all that it stands on from their sources with `edits` carried out, in
 * memory; the sources stay as they are. Throws when an edit's text does not occur exactly once.
 */
export function plantedQuorum(edits: readonly PlantedEdit[]): MakeQuorum {
  const modules = new Map<string, object>([
    ['@pawl/kernel', kernel],
    ['@pawl/raft/core', core],
  ]);
  const load = (name: string): object => {
    const known = modules.get(name);
    if (known !== undefined) return known;
    if (name.startsWith('node:')) return builtin(name) as object;
    const module = {};
    modules.set(name, module);
    const body = compile(edited(name.replace(/\.js$/, '.ts'), edits));
    // The sources are this repository's own; there is no other way to run an edited copy in memory.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const run = new Function('exports', 'require', body) as (
      exports: object,
      require: (name: string) => object,
    ) => void;
    run(module, (wanted) => load(wanted.startsWith('.') ? resolve(name, wanted) : wanted));
    return module;
  };
  const { SimulatedQuorum: Quorum } = load('testing/simulated-quorum.js') as {
    SimulatedQuorum: typeof SimulatedQuorum;
  };
  return (options) => new Quorum(options);
}

/** A path below the sources, from one there and what it imports. */
function resolve(from: string, wanted: string): string {
  return new URL(wanted, new URL(from, SOURCES)).href.slice(SOURCES.href.length);
}

function edited(file: string, edits: readonly PlantedEdit[]): string {
  let source = readFileSync(new URL(file, SOURCES), 'utf8');
  for (const { text, replacement } of edits.filter((edit) => edit.file === file)) {
    if (source.split(text).length !== 2) throw new Error(`not exactly once in ${file}: ${text}`);
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
