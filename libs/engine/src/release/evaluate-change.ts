import { canonicalize, isAtOrBelow, LIMITS, mergeDocument, utf8Length } from '@pawl/contracts';
import type { Address, JsonObject, ProblemError } from '@pawl/contracts';
import type { Definition, SchemaRef } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { activeDefinition } from '../sharding/root-tree.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';

/** What an address would contribute; `null`: nothing, whether disabled or not released. */
export interface Hypothesis {
  readonly address: Address;
  readonly layer: Pick<Definition, 'document' | 'schema'> | null;
  /** Set to leave the schemas out: for what is forced. */
  readonly unchecked?: true;
}

/** What one address would read under a hypothesis. */
export interface Variant {
  readonly address: Address;
  /** The known address, if it is one already. */
  readonly node: AddressNode | undefined;
  readonly document: JsonObject | null;
  readonly hash: string;
  readonly size: number;
  /** Whether the bytes differ from what is effective now. */
  readonly changed: boolean;
  readonly errors: readonly ProblemError[];
  /** Set when the effective document is over its size limit. */
  readonly tooLarge: boolean;
}

/** How long the checks of one command may take together, milliseconds. */
const BUDGET_MS = 10_000;
/** How many variants are worked on before the event loop gets a turn. */
const VARIANTS_PER_TURN = 8;
/** How many bytes are worked on before the event loop gets a turn. */
const BYTES_PER_TURN = 64 * 1024;

/**
 * Computes what the hypothesis makes of its address and of every known address below it, in this
 * order, and checks each result against the schemas of all its layers and the size limit.
 * Pure but for the validator; gives the event loop a turn between portions of work. Ends early at the
 * first validation that is cut off, after enough errors, and when its time is used up: the last
 * variant then has the error that says so.
 */
export async function evaluateChange(
  context: EngineContext,
  tree: RootTree,
  hypothesis: Hypothesis,
): Promise<Variant[]> {
  const evaluation = new Evaluation(context, tree, hypothesis);
  const own = await evaluation.variant(hypothesis.address, tree.get(hypothesis.address));
  const variants = [own];
  let bytes = own.size;
  for (const [index, node] of tree.below(hypothesis.address).entries()) {
    const variant = await evaluation.variant(node.address, node);
    variants.push(variant);
    if (evaluation.isOver) break;
    bytes += variant.size;
    if ((index + 1) % VARIANTS_PER_TURN === 0 || bytes >= BYTES_PER_TURN) {
      bytes = 0;
      await context.scheduler.yield();
    }
  }
  return variants;
}

/** One pass from an address downwards; remembers what it merged for the addresses below. */
class Evaluation {
  readonly #merged = new Map<string, JsonObject | null>();
  readonly #schemaChanged: boolean;
  readonly #deadlineMs: number;
  #errors = 0;
  /** Nothing more is to be looked at: the outcome is a refusal. */
  isOver = false;

  constructor(
    private readonly context: EngineContext,
    private readonly tree: RootTree,
    private readonly hypothesis: Hypothesis,
  ) {
    this.#deadlineMs = context.clock.monotonicMs() + BUDGET_MS;
    const node = tree.get(hypothesis.address);
    const before = node === undefined ? null : activeDefinition(node);
    this.#schemaChanged = before?.schema?.hash !== hypothesis.layer?.schema?.hash;
  }

  async variant(address: Address, node: AddressNode | undefined): Promise<Variant> {
    const document = this.#merge(address);
    const text = document === null ? '' : canonicalize(document);
    const hash = this.context.sha256(text);
    const size = utf8Length(text);
    const changed = node === undefined || node.head.variant.hash !== hash;
    const tooLarge = size > LIMITS.effectiveBytes;
    const mayDiffer = changed || this.#schemaChanged || this.#isForced(address);
    const isChecked = this.hypothesis.unchecked !== true && document !== null && !tooLarge;
    const mustCheck = isChecked && mayDiffer;
    const errors = mustCheck ? await this.#check(address, { value: document, text, hash }) : [];
    return { address, node, document, hash, size, changed, tooLarge, errors };
  }

  /** What a forced layer broke is checked again whatever changes. */
  #isForced(address: Address): boolean {
    return this.tree.path(address).some((node) => node.release.forced);
  }

  #merge(address: Address): JsonObject | null {
    const inherited = this.#inherited(address);
    const own = this.#layer(address, this.tree.get(address))?.document ?? null;
    const merged = own === null ? inherited : mergeDocument(inherited ?? {}, own.value);
    this.#merged.set(address.text, merged);
    return merged;
  }

  /** What the nearest layer above hands down: worked out in this pass, or effective already. */
  #inherited(address: Address): JsonObject | null {
    const { address: changed } = this.hypothesis;
    const above = this.tree.path(address).filter((node) => node.address.text !== address.text);
    const nearest = above.at(-1);
    const nearestDepth = nearest?.address.segments.length ?? 0;
    const isBelowChange = address.text !== changed.text && isAtOrBelow(address, changed);
    if (isBelowChange && changed.segments.length > nearestDepth) {
      return this.#merged.get(changed.text) ?? null;
    }
    if (nearest === undefined) return null;
    const merged = this.#merged.get(nearest.address.text);
    return merged === undefined ? nearest.effective : merged;
  }

  #layer(address: Address, node: AddressNode | undefined): Hypothesis['layer'] {
    if (address.text === this.hypothesis.address.text) return this.hypothesis.layer;
    return node === undefined ? null : activeDefinition(node);
  }

  async #check(
    address: Address,
    document: { value: JsonObject; text: string; hash: string },
  ): Promise<ProblemError[]> {
    const errors: ProblemError[] = [];
    for (const schema of this.#schemas(address)) {
      if (this.context.clock.monotonicMs() > this.#deadlineMs) {
        this.isOver = true;
        return [...errors, cutOff(address, BUDGET_MS)];
      }
      const outcome = await this.context.validator.validate(schema, document);
      if (outcome.kind === 'invalid') {
        for (const violation of outcome.violations) {
          errors.push({ address: address.text, ...violation });
        }
      } else if (outcome.kind === 'timeout') {
        this.isOver = true;
        return [...errors, cutOff(address, outcome.afterMs)];
      }
    }
    this.#errors += errors.length;
    if (this.#errors >= LIMITS.errors) this.isOver = true;
    return errors.slice(0, LIMITS.errors);
  }

  #schemas(address: Address): SchemaRef[] {
    const schemas: SchemaRef[] = [];
    let seen = false;
    for (const node of this.tree.path(address)) {
      if (node.address.text === this.hypothesis.address.text) seen = true;
      const schema = this.#layer(node.address, node)?.schema;
      if (schema !== null && schema !== undefined) schemas.push(schema);
    }
    const own = this.hypothesis.layer?.schema;
    if (!seen && own !== null && own !== undefined) schemas.push(own);
    return schemas;
  }
}

function cutOff(address: Address, afterMs: number): ProblemError {
  return {
    address: address.text,
    pointer: '',
    keyword: VALIDATION_TIMEOUT,
    message: `validation was cut off after ${afterMs} ms; make the schema's patterns or the document simpler`,
  };
}

/** Keyword that marks an error as a validation that was cut off. */
export const VALIDATION_TIMEOUT = 'validation-timeout';
