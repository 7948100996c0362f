import { LineCounter, isAlias, isScalar, parseDocument, visit } from 'yaml';
import type { Alias, Document, Node, Pair, ParsedNode, Scalar } from 'yaml';
import { CliError, EXIT } from './exit-codes.js';

/** Aliases that one YAML file may resolve to: enough for people, too few to stall a process. */
const MAX_ALIASES = 1_000;
const JSON_TAG = /^(!|tag:yaml\.org,2002:(str|int|float|bool|null|map|seq))$/;

/**
 * JSON text of a YAML document. Throws a CliError that says where it is wrong, also where YAML means
 * what JSON cannot say: other types, keys that are no text, merge keys.
 */
export function yamlToJson(text: string, name: string): string {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    intAsBigInt: true,
    uniqueKeys: areTwins,
    lineCounter: lines,
  });
  const [wrong] = document.errors;
  if (wrong?.code === 'MULTIPLE_DOCS') {
    throw new CliError(`${name}: several YAML documents (---) in one; split it up`, EXIT.usage);
  }
  if (wrong !== undefined) throw new CliError(`${name}: ${wrong.message}`, EXIT.usage);
  refuseBeyondJson(document, (node, why) => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0);
    throw new CliError(`${name}: ${why} at line ${line}, column ${col}`, EXIT.usage);
  });
  const [unclear] = document.warnings;
  if (unclear !== undefined) throw new CliError(`${name}: ${unclear.message}`, EXIT.usage);
  try {
    return jsonText(document.toJS({ maxAliasCount: MAX_ALIASES }));
  } catch (error) {
    throw new CliError(`${name}: ${(error as Error).message}`, EXIT.usage);
  }
}

type Refuse = (node: Node, why: string) => never;

function refuseBeyondJson(document: Document, refuse: Refuse): void {
  visit(document, {
    Pair: (_key, pair) => checkKey(document, pair, refuse),
    Node: (_key, node) => {
      checkTag(node, refuse);
      if (isScalar(node)) checkScalar(node, refuse);
    },
  });
}

/** Tags as YAML sees them, `!!binary`, `!mine`, against the types that JSON has. */
function checkTag(node: Node | Alias, refuse: Refuse): void {
  const { tag } = node as { tag?: string };
  if (tag === undefined || JSON_TAG.test(tag)) return;
  const shown = tag.replace('tag:yaml.org,2002:', '!!');
  refuse(node, `the tag ${shown} names no type of JSON`);
}

function checkScalar(node: Scalar, refuse: Refuse): void {
  const { value } = node;
  if (value instanceof Date) refuse(node, 'a date is no type of JSON; put it in quotes');
  if (typeof value === 'number' && !Number.isFinite(value)) {
    refuse(node, `${node.source ?? value} is not a number that JSON knows`);
  }
}

/** Keys of JSON are text: what YAML would rewrite on the way there is refused. */
function checkKey(document: Document, pair: Pair, refuse: Refuse): void {
  const written = pair.key as Node;
  const key = isAlias(written) ? written.resolve(document) : written;
  if (!isScalar(key)) return refuse(written, 'a key is text in JSON, not a list or a mapping');
  const { value, source, type } = key;
  if (value === '<<' ? type === 'PLAIN' : typeof value === 'symbol') {
    refuse(written, 'the merge key << is not read; write the keys out');
  }
  if (typeof value !== 'string' && source !== String(value)) {
    refuse(written, `a key is text in JSON; put ${source === '' ? 'it' : source} in quotes`);
  }
}

/** `1` and `"1"` are one key. */
function areTwins(left: ParsedNode, right: ParsedNode): boolean {
  return isScalar(left) && isScalar(right) && String(left.value) === String(right.value);
}

/** Writes integers digit by digit, so that the server can refuse those which no double holds. */
function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner)}`,
    );
    return `{${members.join(',')}}`;
  }
  return value === undefined ? 'null' : JSON.stringify(value);
}
