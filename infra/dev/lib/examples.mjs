import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { REPOSITORY } from './repository.mjs';

/**
 * @typedef {object} Example what examples/ holds for one address
 * @property {string} address
 * @property {any} [document]
 * @property {any} [schema]
 */

export const EXAMPLES = join(REPOSITORY, 'examples', 'shop');

const FILE = /^([^.]+)(?:\.([^.]+))??(\.schema)?\.(?:json|yaml|yml)$/;

/**
 * Reads the example, ancestors first. How files map onto addresses stands in examples/README.md.
 *
 * @returns {Promise<Example[]>}
 */
export async function readExamples(folder = EXAMPLES) {
  // Installed by now; the launcher itself starts without any package.
  const { parse } = await import('yaml');
  /** @type {Map<string, Example>} */
  const examples = new Map();
  for (const path of await readdir(folder, { recursive: true })) {
    const found = addressOf(path);
    if (found === undefined) continue;
    const value = parse(await readFile(join(folder, path), 'utf8'));
    const example = examples.get(found.address) ?? { address: found.address };
    example[found.kind] = value;
    examples.set(found.address, example);
  }
  return [...examples.values()].sort((left, right) => rank(left) - rank(right));
}

/** @param {Example} example */
function rank({ address }) {
  return address.split('/').length;
}

/**
 * @param {string} path below the folder
 * @returns {{ address: string, kind: 'document' | 'schema' } | undefined}
 */
function addressOf(path) {
  const parts = relative('.', path).split(sep);
  const [, segment, name, schema] = FILE.exec(parts.at(-1) ?? '') ?? [];
  if (segment === undefined) return undefined;
  const scope = [...parts.slice(0, -1), segment].join('/');
  return {
    address: name === undefined || name === 'config' ? scope : `${scope}:${name}`,
    kind: schema === undefined ? 'document' : 'schema',
  };
}
