import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { isScalar, parseDocument } from 'yaml';
import type { ParsedNode } from 'yaml';
import { CliError, EXIT } from './exit-codes.js';
import type { Terminal } from './terminal.js';

/** Aliases that one YAML file may resolve to: enough for people, too few to stall a process. */
const MAX_ALIASES = 1_000;

/** Reads `file` (`-`: standard input) and answers its JSON text; YAML unless it is JSON. */
export async function readValue(terminal: Terminal, file: string): Promise<string> {
  const text = file === '-' ? await terminal.readInput() : await readText(file);
  return isJson(file, text) ? text : yamlToJson(text, file);
}

/** Whether a file is read as JSON as it stands. */
function isJson(file: string, text: string): boolean {
  if (file.endsWith('.json')) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON text of a YAML document; throws a CliError that says where it is wrong. */
export function yamlToJson(text: string, name: string): string {
  const document = parseDocument(text, { intAsBigInt: true, uniqueKeys: areTwins });
  const [wrong] = document.errors;
  if (wrong?.code === 'MULTIPLE_DOCS') {
    throw new CliError(`${name}: several YAML documents (---) in one; split it up`, EXIT.usage);
  }
  if (wrong !== undefined) throw new CliError(`${name}: ${wrong.message}`, EXIT.usage);
  try {
    return jsonText(document.toJS({ maxAliasCount: MAX_ALIASES }));
  } catch (error) {
    throw new CliError(`${name}: ${(error as Error).message}`, EXIT.usage);
  }
}

/** Keys of JSON are text: `1` and `"1"` are one. */
function areTwins(left: ParsedNode, right: ParsedNode): boolean {
  return isScalar(left) && isScalar(right) && String(left.value) === String(right.value);
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${(error as Error).message}`, EXIT.usage);
  }
  if (!isUtf8(bytes)) throw new CliError(`${file} is not UTF-8`, EXIT.usage);
  return bytes.toString('utf8');
}

/** Writes integers digit by digit, so that the server can refuse those which no double holds. */
function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new Error(`${value} is not a number that JSON knows`);
  }
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (value instanceof Date) return JSON.stringify(value.toISOString());
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner)}`,
    );
    return `{${members.join(',')}}`;
  }
  return value === undefined ? 'null' : JSON.stringify(value);
}
