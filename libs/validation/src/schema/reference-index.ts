import { isJsonObject, joinPointer, type JsonObject, type JsonValue } from '@pawl/contracts';

import type { Draft } from './draft.js';
import { metaSchemasOf } from './meta-schemas.js';
import { subschemasOf, type Subschema } from './vocabulary.js';

/** Base of a schema that has no `$id` of its own. */
const NO_BASE = 'schema://root/';

/** A schema with a URI of its own (the root, or whatever has an `$id`), JSON Schema core §4.3.5. */
export interface Resource {
  readonly uri: string;
  readonly place: Subschema;
  readonly anchors: Map<string, Subschema>;
  /** `$dynamicAnchor`s by name; `$recursiveAnchor: true` is the anchor with the empty name. */
  readonly dynamicAnchors: Map<string, Subschema>;
}

/** What a reference leads to. */
export interface Target extends Subschema {
  readonly resource: Resource;
}

export type Resolution = Target | 'outside' | 'dangling';

/** A reference keyword found in a schema position. */
export interface Reference {
  readonly pointer: string;
  readonly value: string;
  readonly resource: Resource;
}

const REFERENCE_KEYWORDS = ['$ref', '$dynamicRef', '$recursiveRef'];

/**
 * Everything in one schema document that references can name. Lives as long as one analysis, so no
 * schema ever sees another's `$id`s. Of two resources or anchors with one name the first counts.
 */
export class ReferenceIndex {
  readonly root: Resource;
  /** Every `$ref`, `$dynamicRef` and `$recursiveRef` in a schema position of the document. */
  readonly references: Reference[] = [];
  readonly #resources = new Map<string, Resource>();
  readonly #owners = new Map<JsonValue, Resource>();
  #metaSchemasAdded = false;

  constructor(
    schema: JsonObject,
    private readonly draft: Draft,
  ) {
    this.root = this.#add(schema, NO_BASE);
  }

  /** The resource that `schema` belongs to; `undefined` where no schema is known to stand. */
  ownerOf(schema: JsonValue): Resource | undefined {
    return this.#owners.get(schema);
  }

  /** Resolves a URI reference that stands in `from`; the standard meta-schemas count as inside. */
  resolve(from: Resource, reference: string): Resolution {
    const hash = reference.indexOf('#');
    const document = hash < 0 ? reference : reference.slice(0, hash);
    const fragment = hash < 0 ? '' : decode(reference.slice(hash + 1));
    const uri = document === '' ? from.uri : resolveUri(from.uri, document);
    const resource = this.#resources.get(uri) ?? this.#metaSchema(uri);
    if (resource === undefined) return 'outside';
    if (fragment === '') return { ...resource.place, resource };
    if (fragment.startsWith('/')) return this.#follow(resource, fragment);
    const anchor = resource.anchors.get(fragment);
    return anchor === undefined ? 'dangling' : { ...anchor, resource };
  }

  #follow(from: Resource, pointer: string): Resolution {
    let at = from.place;
    let resource = from;
    for (const token of pointer.slice(1).split('/')) {
      const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
      const child = childOf(at.schema, key);
      if (child === undefined) return 'dangling';
      at = { schema: child, pointer: joinPointer(at.pointer, key) };
      resource = this.#owners.get(child) ?? resource;
    }
    return { ...at, resource };
  }

  #metaSchema(uri: string): Resource | undefined {
    if (this.#metaSchemasAdded || !/^https?:\/\/json-schema\.org\//.test(uri)) return undefined;
    this.#metaSchemasAdded = true;
    const collected = this.references.length;
    for (const schema of metaSchemasOf(this.draft)) this.#add(schema, NO_BASE);
    this.references.length = collected;
    return this.#resources.get(uri);
  }

  #add(document: JsonObject, base: string): Resource {
    const root = this.#resource({ schema: document, pointer: '' }, base);
    const waiting: [Subschema, Resource][] = [[root.place, root]];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [place, parent] = next;
      if (!isJsonObject(place.schema)) continue;
      const owner = place === root.place ? root : this.#ownerAt(place, place.schema, parent);
      this.#owners.set(place.schema, owner);
      this.#collect(place, place.schema, owner);
      const inside = [...subschemasOf(place.schema, place.pointer, this.draft)].reverse();
      for (const child of inside) waiting.push([child, owner]);
    }
    return root;
  }

  #ownerAt(place: Subschema, schema: JsonObject, parent: Resource): Resource {
    const id = ownId(schema, this.draft);
    return id === undefined || id.startsWith('#') ? parent : this.#resource(place, parent.uri);
  }

  #resource(place: Subschema, base: string): Resource {
    const id = isJsonObject(place.schema) ? place.schema['$id'] : undefined;
    const document = typeof id === 'string' ? (id.split('#', 1)[0] as string) : '';
    const uri = document === '' ? base : resolveUri(base, document);
    const resource: Resource = { uri, place, anchors: new Map(), dynamicAnchors: new Map() };
    if (!this.#resources.has(uri)) this.#resources.set(uri, resource);
    return resource;
  }

  #collect(place: Subschema, schema: JsonObject, owner: Resource): void {
    for (const keyword of REFERENCE_KEYWORDS) {
      const value = schema[keyword];
      if (typeof value !== 'string') continue;
      const pointer = joinPointer(place.pointer, keyword);
      this.references.push({ pointer, value, resource: owner });
    }
    const fragment = ownId(schema, this.draft)?.split('#')[1];
    if (fragment !== undefined) addFirst(owner.anchors, fragment, place);
    addFirst(owner.anchors, schema['$anchor'], place);
    addFirst(owner.anchors, schema['$dynamicAnchor'], place);
    addFirst(owner.dynamicAnchors, schema['$dynamicAnchor'], place);
    if (schema['$recursiveAnchor'] === true) addFirst(owner.dynamicAnchors, '', place);
  }
}

/** In draft-07 an `$id` beside a `$ref` does not count (core §8.3); the root's does, as widely used. */
function ownId(schema: JsonObject, draft: Draft): string | undefined {
  const id = schema['$id'];
  if (typeof id !== 'string') return undefined;
  return draft === 'draft-07' && schema['$ref'] !== undefined ? undefined : id;
}

function addFirst(map: Map<string, Subschema>, name: JsonValue | undefined, at: Subschema): void {
  if (typeof name === 'string' && !map.has(name)) map.set(name, at);
}

function childOf(parent: JsonValue, key: string): JsonValue | undefined {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, key))
    return undefined;
  if (Array.isArray(parent) && !/^(0|[1-9]\d*)$/.test(key)) return undefined;
  return (parent as JsonObject)[key];
}

function resolveUri(base: string, reference: string): string {
  return URL.canParse(reference, base) ? new URL(reference, base).href : reference;
}

function decode(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
