import { CONTAINED } from './own-keywords.js';
import { type ClosedSubschema, metered } from './suit-ajv.js';

/** Some `contains` that applies to the same array; of 2020-12, whose `contains` evaluates items. */
interface Containing {
  /** The alternatives on the way there: it counts where all of them hold. */
  readonly when: readonly ClosedSubschema[];
  readonly contains: ClosedSubschema;
}

/** Found several ways, many times over: told apart by the references they are made of. */
type ContainingByKey = ReadonlyMap<string, Containing>;

/**
 * Writes down beside each `unevaluatedItems` of `subschemas` what may have evaluated items one by
 * one, see {@link CONTAINED}: ajv itself knows only how many items from the first on have been.
 * Alternatives and `contains` are references or booleans. Answers how many subschemas it added;
 * `undefined` for more than `maxNodes`.
 */
export function noteContained(
  subschemas: readonly Record<string, unknown>[],
  defs: readonly ClosedSubschema[],
  maxNodes: number,
): number | undefined {
  const finder = new ContainingFinder(defs, maxNodes);
  let added = 0;
  for (const subschema of subschemas) {
    const found = finder.inPlace(subschema);
    added += [...found.values()].reduce((sum, { when }) => sum + 2 + when.length, 0);
    if (finder.tooMany || added > maxNodes) return undefined;
    if (found.size === 0) continue;
    subschema[CONTAINED] = [...found.values()].flatMap(({ when, contains }) => [
      when.length === 0 ? true : metered({ allOf: when }),
      contains,
    ]);
  }
  return added;
}

/** Longer chains of references are too deep to be compiled. */
const MAX_DEPTH = 2_000;

class ContainingFinder {
  tooMany = false;
  readonly #known = new Map<string, ContainingByKey>();
  #found = 0;
  #depth = 0;

  constructor(
    private readonly defs: readonly ClosedSubschema[],
    private readonly maxFound: number,
  ) {}

  inPlace(schema: ClosedSubschema): ContainingByKey {
    const found = new Map<string, Containing>();
    if (typeof schema === 'boolean') return found;
    const { $ref, contains, allOf, anyOf, oneOf } = schema;
    if (contains !== undefined) {
      this.#add(found, [], { when: [], contains: contains as ClosedSubschema });
    }
    if (typeof $ref === 'string') this.#addAll(found, [], this.#referred($ref));
    for (const each of listOf(allOf)) this.#addAll(found, [], this.inPlace(each));
    for (const each of [...listOf(anyOf), ...listOf(oneOf)]) {
      this.#addAll(found, [each], this.inPlace(each));
    }
    return found;
  }

  #referred($ref: string): ContainingByKey {
    let known = this.#known.get($ref);
    if (known === undefined) {
      this.#known.set($ref, new Map());
      const at = Number($ref.slice($ref.lastIndexOf('/') + 1));
      this.#depth += 1;
      this.tooMany ||= this.#depth > MAX_DEPTH;
      known = this.tooMany ? new Map() : this.inPlace(this.defs[at] as ClosedSubschema);
      this.#depth -= 1;
      this.#known.set($ref, known);
    }
    return known;
  }

  #addAll(
    to: Map<string, Containing>,
    when: readonly ClosedSubschema[],
    from: ContainingByKey,
  ): void {
    for (const each of from.values()) this.#add(to, when, each);
  }

  #add(
    to: Map<string, Containing>,
    when: readonly ClosedSubschema[],
    { when: inner, contains }: Containing,
  ): void {
    this.#found += 1;
    this.tooMany ||= this.#found > this.maxFound;
    if (this.tooMany) return;
    const containing = { when: [...when, ...inner], contains };
    to.set([...containing.when, contains].map(keyOf).join(), containing);
  }
}

function listOf(list: unknown): readonly ClosedSubschema[] {
  return Array.isArray(list) ? (list as ClosedSubschema[]) : [];
}

function keyOf(schema: ClosedSubschema): string {
  return typeof schema === 'boolean' ? String(schema) : String(schema['$ref']);
}
