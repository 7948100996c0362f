import { canonicalize, isAtOrBelow, LIMITS, utf8Length } from '@pawl/contracts';
import type { Address, JsonObject, ProblemError } from '@pawl/contracts';
import { mergeLayer, NOTHING_MERGED } from '@pawl/domain';
import type { Definition, Merged, SchemaRef } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import type { Portion } from '../turns.js';
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
  /** What layers below build on; see {@link mergeLayer}. */
  readonly handedDown: JsonObject | null;
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
/** Variants are validated as well, so fewer of them are worked on in one turn. */
const VARIANTS_PER_TURN: Portion = { items: 8, bytes: 64 * 1024 };

/**
 * Computes what the hypothesis makes of its address and of every known address below it, in this
 * order, and checks each result against the schemas of all its layers and the size limit. Variants
 * come one by one and are not kept: a caller holds on to what it needs of them, and may stop early.
 * Pure but for the validator; gives the event loop a turn between portions of work. Ends early at the
 * first validation that is cut off, after enough errors, and when its time is used up: the last
 * variant then has the error that says so.
 */
export async function* evaluateChange(
  context: EngineContext,
  tree: RootTree,
  hypothesis: Hypothesis,
): AsyncGenerator<Variant, void, void> {
  const { address } = hypothesis;
  const evaluation = new Evaluation(context, tree, hypothesis);
  const turns = new Turns(context.scheduler, VARIANTS_PER_TURN);
  const places = [{ address, node: tree.get(address) }];
  for (const node of tree.below(address)) places.push({ address: node.address, node });
  for (const place of places) {
    const variant = await evaluation.variant(place.address, place.node);
    yield variant;
    if (evaluation.isOver) return;
    await turns.spent(variant.size);
  }
}

/** {@link evaluateChange} for who needs every variant. */
export async function allVariants(
  context: EngineContext,
  tree: RootTree,
  hypothesis: Hypothesis,
): Promise<Variant[]> {
  const variants: Variant[] = [];
  for await (const variant of evaluateChange(context, tree, hypothesis)) variants.push(variant);
  return variants;
}

/** One pass from an address downwards. */
class Evaluation {
  /** What was merged on the way from the changed address down to the one under way. */
  readonly #merged: { readonly address: Address; readonly merged: Merged }[] = [];
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
    const { effective, handedDown } = this.#merge(address);
    const text = effective === null ? '' : canonicalize(effective);
    const hash = this.context.sha256(text);
    const size = utf8Length(text);
    const changed = node === undefined || node.head.variant.hash !== hash;
    const document = changed ? effective : node.effective;
    const tooLarge = size > LIMITS.effectiveBytes;
    const mayDiffer = changed || this.#schemaChanged || this.#isForced(address);
    const isChecked = this.hypothesis.unchecked !== true && document !== null && !tooLarge;
    const mustCheck = isChecked && mayDiffer;
    const errors = mustCheck ? await this.#check(address, { value: document, text, hash }) : [];
    return {
      address,
      node,
      document,
      // One object for both where they are the same: memory holds each document once.
      handedDown: handedDown === effective ? document : handedDown,
      hash,
      size,
      changed,
      tooLarge,
      errors,
    };
  }

  /** What a forced layer broke is checked again whatever changes. */
  #isForced(address: Address): boolean {
    return this.tree.path(address).some((node) => node.release.forced);
  }

  #merge(address: Address): Merged {
    const layer = this.#layer(address, this.tree.get(address));
    const merged = mergeLayer(this.#inherited(address), layer);
    this.#merged.push({ address, merged });
    return merged;
  }

  /**
   * What the nearest layer above hands down: worked out in this pass, or, for the changed address
   * itself, effective already. Addresses come parents first, so what does not lie above the one under
   * way is done with.
   */
  #inherited(address: Address): Merged {
    for (let last = this.#merged.at(-1); last !== undefined; last = this.#merged.at(-1)) {
      if (isAtOrBelow(address, last.address)) return last.merged;
      this.#merged.pop();
    }
    const above = this.tree.path(address).filter((node) => node.address.text !== address.text);
    return above.at(-1) ?? NOTHING_MERGED;
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
