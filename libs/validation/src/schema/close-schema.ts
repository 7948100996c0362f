import { isJsonObject, joinPointer, type JsonObject, type JsonValue } from '@pawl/contracts';
import type { ProblemError } from '@pawl/contracts';

import type { Draft } from './draft.js';
import { noteContained } from './note-contained.js';
import type { ReferenceIndex, Resource, Target } from './reference-index.js';
import { addToAllOf, type ClosedSubschema, metered, namesIn, suitAjv } from './suit-ajv.js';
import { type KeywordShape, type Subschema, VOCABULARY } from './vocabulary.js';

/**
 * A schema without `$id`, anchors, dynamic references and annotations: each `$ref` reads
 * `#/$defs/<n>`, and `#/$defs/0` is the schema itself. Says the same as the schema it was made from.
 */
export interface ClosedSchema {
  readonly schema: { readonly $ref: string; readonly $defs: readonly ClosedSubschema[] };
  /** Subschemas in all definitions together, and an eighth of the names they list: the code. */
  readonly nodes: number;
  /** Every regular expression, with the pointer of its first place. */
  readonly patterns: ReadonlyMap<string, string>;
  /** Has `unevaluatedProperties` or `unevaluatedItems`. */
  readonly unevaluated: boolean;
}

export type Closing =
  | { readonly kind: 'closed'; readonly closed: ClosedSchema }
  | { readonly kind: 'outside' | 'dangling'; readonly errors: readonly ProblemError[] }
  /** More than `maxNodes` subschemas once references are followed. */
  | { readonly kind: 'too-many' };

/** The outermost dynamic anchors on the way here, by name (JSON Schema core §7.1). */
interface DynamicScope {
  readonly key: string;
  readonly anchors: ReadonlyMap<string, Target>;
}

/**
 * Resolves every reference that can be reached from the root. A schema that is reached in several
 * dynamic scopes is written once for each, which makes `$dynamicRef` and `$recursiveRef` static.
 */
export function closeSchema(
  index: ReferenceIndex,
  options: { readonly draft: Draft; readonly maxNodes: number },
): Closing {
  const first = new SchemaCloser(index, options);
  const closing = first.close();
  const noteEvaluated = closing.kind === 'closed' && closing.closed.unevaluated;
  if (!noteEvaluated) return closing;
  const { contains } = first;
  return new SchemaCloser(index, { ...options, noteEvaluated, noteContained: contains }).close();
}

interface CloserOptions {
  readonly draft: Draft;
  readonly maxNodes: number;
  /** Somewhere it matters which properties and items have been evaluated. */
  readonly noteEvaluated?: boolean;
  /** There also which items a `contains` has. */
  readonly noteContained?: boolean;
}

class SchemaCloser {
  /** Has `contains` that evaluates items. */
  contains = false;
  readonly #defs: ClosedSubschema[] = [];
  readonly #names = new Map<string, Map<JsonValue, number>>();
  readonly #waiting: { target: Target; scope: DynamicScope; name: number }[] = [];
  readonly #scopes = new Map<JsonValue, number>();
  readonly #patterns = new Map<string, string>();
  readonly #outside: ProblemError[] = [];
  readonly #dangling: ProblemError[] = [];
  readonly #shapes: ReadonlyMap<string, KeywordShape>;
  readonly #withUnevaluatedItems: Record<string, unknown>[] = [];
  #nodes = 0;
  #unevaluated = false;

  constructor(
    private readonly index: ReferenceIndex,
    private readonly options: CloserOptions,
  ) {
    this.#shapes = VOCABULARY[options.draft];
  }

  close(): Closing {
    const root = this.index.root;
    this.#name({ ...root.place, resource: root }, { key: '', anchors: new Map() });
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#defs[next.name] = this.#subschema(next.target, next.target.resource, next.scope);
      if (this.#nodes > this.options.maxNodes) return { kind: 'too-many' };
    }
    if (this.#outside.length > 0) return { kind: 'outside', errors: this.#outside };
    if (this.#dangling.length > 0) return { kind: 'dangling', errors: this.#dangling };
    if (this.options.noteContained === true && !this.#noteContained()) return { kind: 'too-many' };
    const schema = { $ref: '#/$defs/0', $defs: this.#defs };
    return {
      kind: 'closed',
      closed: {
        schema,
        nodes: this.#nodes,
        patterns: this.#patterns,
        unevaluated: this.#unevaluated,
      },
    };
  }

  #name(target: Target, scope: DynamicScope): number {
    const inScope = this.#enter(target.resource, scope);
    let names = this.#names.get(inScope.key);
    if (names === undefined) this.#names.set(inScope.key, (names = new Map<JsonValue, number>()));
    let name = names.get(target.schema);
    if (name === undefined) {
      name = this.#defs.push(true) - 1;
      names.set(target.schema, name);
      this.#waiting.push({ target, scope: inScope, name });
    }
    return name;
  }

  /** The scope once `resource` has been entered: what is outer already stays outermost. */
  #enter(resource: Resource, scope: DynamicScope): DynamicScope {
    let anchors: Map<string, Target> | undefined;
    for (const [name, place] of resource.dynamicAnchors) {
      if (scope.anchors.has(name)) continue;
      anchors ??= new Map(scope.anchors);
      anchors.set(name, { ...place, resource });
    }
    if (anchors === undefined) return scope;
    const key = [...anchors].map(([name, at]) => `${name} ${this.#number(at.schema)}`).sort();
    return { key: key.join('\n'), anchors };
  }

  #number(schema: JsonValue): number {
    let number = this.#scopes.get(schema);
    if (number === undefined) this.#scopes.set(schema, (number = this.#scopes.size));
    return number;
  }

  #subschema(place: Subschema, resource: Resource, outer: DynamicScope): ClosedSubschema {
    this.#nodes += 1;
    const schema = place.schema;
    if (typeof schema === 'boolean') return schema;
    if (!isJsonObject(schema) || this.#nodes > this.options.maxNodes) return true;
    const owner = this.index.ownerOf(schema) ?? resource;
    const scope = owner === resource ? outer : this.#enter(owner, outer);
    const out: Record<string, unknown> = {};
    const references: number[] = [];
    for (const keyword of Object.keys(schema)) {
      const shape = this.#shapes.get(keyword);
      if (shape === undefined) continue;
      const value = schema[keyword] as JsonValue;
      const at = { schema: value, pointer: joinPointer(place.pointer, keyword) };
      if (shape === 'reference') {
        const name = this.#reference(keyword, at, owner, scope);
        if (name !== undefined) references.push(name);
      } else {
        out[keyword] = keywordOf(shape, at, (child) => this.#subschema(child, owner, scope));
        this.#unevaluated ||= keyword.startsWith('unevaluated');
        this.contains ||= keyword === 'contains' && this.options.draft === '2020-12';
      }
    }
    this.#collectPatterns(schema, place.pointer);
    addReferences(out, references);
    suitAjv(out, {
      define: (subschema) => this.#define(subschema),
      noteEvaluated: this.options.noteEvaluated === true,
      noteContained: this.options.noteContained === true,
    });
    if (out['unevaluatedItems'] !== undefined) this.#withUnevaluatedItems.push(out);
    if (Object.keys(out).length === 0) return true;
    this.#nodes += namesIn(out) >> 3;
    return metered(out);
  }

  #noteContained(): boolean {
    const left = this.options.maxNodes - this.#nodes;
    const added = noteContained(this.#withUnevaluatedItems, this.#defs, left);
    this.#nodes += added ?? 0;
    return added !== undefined;
  }

  /** Puts a subschema of our own making in a definition. */
  #define(subschema: Record<string, unknown>): ClosedSubschema {
    this.#nodes += 1;
    return { $ref: `#/$defs/${this.#defs.push(metered(subschema)) - 1}` };
  }

  #reference(
    keyword: string,
    at: Subschema,
    owner: Resource,
    scope: DynamicScope,
  ): number | undefined {
    if (typeof at.schema !== 'string') return undefined;
    const found = this.index.resolve(owner, at.schema);
    if (found === 'outside' || found === 'dangling') {
      const list = found === 'outside' ? this.#outside : this.#dangling;
      list.push(referenceError(at.pointer, keyword, at.schema, found));
      return undefined;
    }
    return this.#name(keyword === '$ref' ? found : dynamicTarget(found, at.schema, scope), scope);
  }

  #collectPatterns(schema: JsonObject, pointer: string): void {
    const { pattern, patternProperties } = schema;
    if (typeof pattern === 'string' && !this.#patterns.has(pattern)) {
      this.#patterns.set(pattern, joinPointer(pointer, 'pattern'));
    }
    if (!isJsonObject(patternProperties)) return;
    const at = joinPointer(pointer, 'patternProperties');
    for (const key of Object.keys(patternProperties)) {
      if (!this.#patterns.has(key)) this.#patterns.set(key, joinPointer(at, key));
    }
  }
}

/** A keyword's value with every schema inside it closed by `close`. */
function keywordOf(
  shape: KeywordShape,
  at: Subschema,
  close: (child: Subschema) => ClosedSubschema,
): unknown {
  const { schema: value, pointer } = at;
  const child = (schema: JsonValue, key: string | number): ClosedSubschema =>
    close({ schema, pointer: joinPointer(pointer, key) });
  if (shape === 'value') return value;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(child);
  if (shape === 'schema' || shape === 'schema-or-schemas') return close(at);
  if (!isJsonObject(value)) return value;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const inside = value[key] as JsonValue;
    const isNames = shape === 'dependencies' && Array.isArray(inside);
    out[key] = isNames ? inside : child(inside, key);
  }
  return out;
}

/**
 * A dynamic reference that leads to a dynamic anchor leads to the outermost one of that name
 * instead; `$recursiveRef` is one to the anchor with the empty name.
 */
function dynamicTarget(found: Target, reference: string, scope: DynamicScope): Target {
  const name = reference.slice(reference.indexOf('#') + 1);
  const anchored = found.resource.dynamicAnchors.get(name)?.schema === found.schema;
  return (anchored ? scope.anchors.get(name) : undefined) ?? found;
}

/** Says which reference leads nowhere, or out of the schema. */
export function referenceError(
  pointer: string,
  keyword: string,
  reference: string,
  kind: 'outside' | 'dangling',
): ProblemError {
  const shown = JSON.stringify(reference.slice(0, 200));
  const message =
    kind === 'outside'
      ? `${shown} leads out of the schema; copy what it names into $defs`
      : `${shown} leads to nothing in this schema`;
  return { address: '', pointer, keyword, message };
}

function addReferences(out: Record<string, unknown>, names: readonly number[]): void {
  const [first, ...more] = names.map((name) => ({ $ref: `#/$defs/${name}` }));
  if (first === undefined) return;
  out['$ref'] = first.$ref;
  addToAllOf(out, more);
}
