import { isAtOrBelow, LIMITS, STABLE_COHORT } from '@pawl/contracts';
import type { Address, AddressText, ProblemError, ReleasePolicy } from '@pawl/contracts';
import { mergeLayer, NOTHING_MERGED } from '@pawl/domain';
import type { Definition, DocumentRef, Merged } from '@pawl/domain';
import { assert } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import type { Portion } from '../turns.js';
import { checkPolicy } from './check-policy.js';
import { policySchemaOf } from './release-policy.js';
import { contentAbove, newContent, shared } from '../sharding/build-nodes.js';
import { cohortAmong, cohortsOf } from '../sharding/cohorts.js';
import type { Cohort } from '../sharding/cohorts.js';
import { layerFor } from '../sharding/root-tree.js';
import type {
  AddressNode,
  Content,
  PinnedLayer,
  PinnedLayers,
  RootTree,
} from '../sharding/root-tree.js';
import { pinnedOnWay } from '../sharding/way-down.js';

/** What a layer contributes; `null`: nothing, whether disabled or not released. */
export type Layer = Pick<Definition, 'document' | 'schema'> | null;

/** What an address would contribute: to everybody, and to the candidates of a release in stages. */
export interface LayerChange {
  readonly layer: Layer;
  readonly candidate: { readonly id: string; readonly layer: Layer } | null;
}

export interface Hypothesis {
  /** The highest address that changes. */
  readonly address: Address;
  /** What it and others below it, on one way down each, would contribute. */
  readonly changes: ReadonlyMap<AddressText, LayerChange>;
  /** What it would be pinned to instead; as it is when left out. */
  readonly pinned?: PinnedLayers;
  /** Set to leave the candidates of releases in stages out. */
  readonly stableOnly?: true;
  /** Set to leave the schemas out: for what is forced. */
  readonly unchecked?: true;
}

/** That an address contributes this to everybody, and no release of it in stages is under way. */
export function replacing(address: Address, layer: Layer): Hypothesis {
  return { address, changes: new Map([[address.text, { layer, candidate: null }]]) };
}

/** What one cohort would read at one address under a hypothesis. */
export interface CohortVariant extends Content {
  /** Whether the bytes differ from what is effective now. */
  readonly changed: boolean;
  readonly errors: readonly ProblemError[];
  /** Set when the effective document is over its size limit. */
  readonly tooLarge: boolean;
}

/** What one address would read under a hypothesis. */
export interface Variant {
  readonly address: Address;
  /** The known address, if it is one already. */
  readonly node: AddressNode | undefined;
  /** By cohort, the stable one first. */
  readonly cohorts: ReadonlyMap<string, CohortVariant>;
}

/** What consumers in no cohort would read; `null`: absent. */
export function stableVariant(variant: Variant): CohortVariant {
  const stable = variant.cohorts.get(STABLE_COHORT);
  assert(stable !== undefined, 'every address has a stable cohort');
  return stable;
}

/** How long the checks of one command may take together, milliseconds. */
const BUDGET_MS = 10_000;
/** Variants are validated as well, so fewer of them are worked on in one turn. */
const VARIANTS_PER_TURN: Portion = { items: 8, bytes: 64 * 1024 };

/**
 * Computes what the hypothesis makes of its address and of every known address below it that it reaches, in this
 * order, for every cohort, and checks each result that it changes against the schemas of all its layers
 * and the size limit. Variants come one by one and are not kept: a caller holds on to what it needs of
 * them, and may stop early. Pure but for the validator; gives the event loop a turn between portions of
 * work. Ends early at the first validation that is cut off, after enough errors, and when its time is
 * used up: the last variant then has the error that says so.
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
  const isOne = hypothesis.pinned === undefined && hypothesis.changes.size === 1;
  const below = isOne ? tree.reachedBelow(address) : tree.below(address);
  for (const node of below) places.push({ address: node.address, node });
  let kept: Address | undefined;
  for (const place of places) {
    if (kept !== undefined && isAtOrBelow(place.address, kept)) continue;
    const variant = await evaluation.variant(place.address, place.node);
    if (variant === undefined) {
      kept = place.address;
      await turns.spent(0);
      continue;
    }
    yield variant;
    if (evaluation.isOver) return;
    const changed = [...variant.cohorts.values()].filter((cohort) => cohort.changed);
    await turns.spent(changed.reduce((sum, { variant: { size } }) => sum + size, 0));
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

/** A layer on the way to the address under way: as it is, and as it would be. */
interface PathLayer {
  readonly node: AddressNode | undefined;
  readonly change: LayerChange | undefined;
  /** What the address under way keeps it at, as it is and as it would be. */
  readonly pinnedNow: PinnedLayer | undefined;
  readonly pinnedThen: PinnedLayer | undefined;
}

/** An address that was worked out in this pass. */
interface Place {
  readonly address: Address;
  /** The releases in stages that would be under way there. */
  readonly releases: readonly string[];
  readonly cohorts: ReadonlyMap<string, Content>;
}

/** One pass from an address downwards. */
class Evaluation {
  /** What was worked out on the way from the changed address down to the one under way. */
  readonly #places: Place[] = [];
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
  }

  /** `undefined`: nothing that the hypothesis changes reaches the address, nor those below it. */
  async variant(address: Address, node: AddressNode | undefined): Promise<Variant | undefined> {
    const path = this.#path(address);
    if (address.text !== this.hypothesis.address.text && !isReached(path)) return undefined;
    const releases = this.hypothesis.stableOnly === true ? [] : releasesOf(path);
    const above = this.#above(address);
    const cohorts = new Map<string, CohortVariant>();
    for (const cohort of cohortsOf(releases)) {
      const inherited =
        above === undefined
          ? contentAbove(this.#knownAbove(address), cohort)
          : above.cohorts.get(cohortAmong(cohort, above.releases).key);
      const place = { address, node, path, cohort };
      cohorts.set(cohort.key, await this.#cohort(place, inherited, cohorts));
    }
    this.#places.push({ address, releases, cohorts });
    return { address, node, cohorts };
  }

  async #cohort(
    place: CohortPlace,
    inherited: Content | undefined,
    others: ReadonlyMap<string, CohortVariant>,
  ): Promise<CohortVariant> {
    const { node, path, cohort } = place;
    const before = node && cohortAmong(cohort, idsOf(node));
    const known = before && node?.contents.get(before.key);
    if (known !== undefined && !path.some((layer) => isOther(layer, cohort))) {
      return { ...known, changed: false, errors: [], tooLarge: false };
    }
    const { content: fresh, text } = newContent(this.context, this.#merged(place, inherited));
    const content = shared(fresh, [...(known ? [known] : []), ...others.values()]);
    const changed = known?.variant.hash !== content.variant.hash;
    const tooLarge = content.variant.size > LIMITS.effectiveBytes;
    const mayDiffer =
      changed ||
      path.some((one) => one.node?.release.forced === true || hasOtherSchema(one, cohort));
    const isChecked = this.hypothesis.unchecked !== true && mayDiffer && !tooLarge;
    const value = isChecked ? content.effective : null;
    const { hash } = content.variant;
    const now = known ?? inherited;
    const errors = value === null ? [] : await this.#check(place, { value, text, hash }, now);
    return { ...content, changed, errors, tooLarge };
  }

  /** What is inherited does not count where another version of a layer is kept than above: all layers do. */
  #merged({ node, path, cohort }: CohortPlace, inherited: Content | undefined): Merged {
    const keeps = node !== undefined && this.#pinnedAt(node).size > 0;
    return (keeps ? path : path.slice(-1)).reduce(
      (merged, layer) => mergeLayer(merged, wanted(layer, cohort.releases)),
      (keeps ? undefined : inherited) ?? NOTHING_MERGED,
    );
  }

  /** What an address would be pinned to. */
  #pinnedAt({ address, pinned }: AddressNode): PinnedLayers {
    const { address: changed, pinned: instead } = this.hypothesis;
    return address.text === changed.text ? (instead ?? pinned) : pinned;
  }

  /** The known addresses on the way down, and the changed one whether it is known or not. */
  #path(address: Address): PathLayer[] {
    const { changes, address: changedAddress } = this.hypothesis;
    const nodes = this.tree.path(address);
    const now = pinnedOnWay(nodes.map(({ pinned }) => pinned));
    const isOther = this.hypothesis.pinned !== undefined;
    const then = isOther ? pinnedOnWay(nodes.map((node) => this.#pinnedAt(node))) : now;
    const path: PathLayer[] = nodes.map((node) => {
      const { text } = node.address;
      const change = changes.get(text);
      return { node, change, pinnedNow: now.get(text), pinnedThen: then.get(text) };
    });
    if (this.tree.get(changedAddress) !== undefined) return path;
    const change = changes.get(changedAddress.text);
    const at = path.findIndex(({ node }) => node && isAtOrBelow(node.address, changedAddress));
    const unknown = { node: undefined, change, pinnedNow: undefined, pinnedThen: undefined };
    path.splice(at < 0 ? path.length : at, 0, unknown);
    return path;
  }

  /**
   * The nearest address above that was worked out in this pass. Addresses come parents first, so what
   * does not lie above the one under way is done with.
   */
  #above(address: Address): Place | undefined {
    for (let last = this.#places.at(-1); last !== undefined; last = this.#places.at(-1)) {
      if (isAtOrBelow(address, last.address)) return last;
      this.#places.pop();
    }
    return undefined;
  }

  #knownAbove(address: Address): AddressNode | undefined {
    return this.tree.path(address).findLast((node) => node.address.text !== address.text);
  }

  async #check(
    { address, path, cohort }: CohortPlace,
    document: DocumentRef,
    now: Content | undefined,
  ): Promise<readonly ProblemError[]> {
    const errors: ProblemError[] = [];
    const policy = policySchemaOf(this.context, address);
    const layers = path.flatMap((layer) => wanted(layer, cohort.releases) ?? []);
    const own = layers.flatMap(({ schema }) => schema ?? []);
    const schemas = policy === null ? own : [policy, ...own];
    for (const schema of schemas) {
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
    if (policy !== null && errors.length === 0) {
      const before = now?.effective ?? null;
      const of = { address: address.text, policy: document.value as ReleasePolicy, before };
      const said = layers.map((layer) => layer.document?.value ?? {});
      const { parseTime } = this.context;
      errors.push(...checkPolicy({ ...of, parseTime, layers: said }));
    }
    this.#errors += errors.length;
    if (this.#errors >= LIMITS.errors) this.isOver = true;
    return errors.slice(0, LIMITS.errors);
  }
}

/** One cohort at one address. */
interface CohortPlace {
  readonly address: Address;
  readonly node: AddressNode | undefined;
  /** Down to and including the address. */
  readonly path: readonly PathLayer[];
  readonly cohort: Cohort;
}

function releasesOf(path: readonly PathLayer[]): string[] {
  return path.flatMap(({ node, change, pinnedThen }) => {
    if (pinnedThen !== undefined) return [];
    const id = change === undefined ? node?.release.staged?.id : change.candidate?.id;
    return id ?? [];
  });
}

function idsOf(node: AddressNode): string[] {
  return node.head.releases.map(({ id }) => id);
}

/** What a layer contributes to a cohort under the hypothesis. */
function wanted({ node, change, pinnedThen }: PathLayer, releases: ReadonlySet<string>): Layer {
  if (pinnedThen !== undefined) return pinnedThen.definition;
  if (change === undefined) return node === undefined ? null : layerFor(node, releases);
  const { candidate, layer } = change;
  return candidate !== null && releases.has(candidate.id) ? candidate.layer : layer;
}

/** What it contributes to the same consumers now. */
function present({ node, pinnedNow }: PathLayer, { releases }: Cohort): Layer {
  if (pinnedNow !== undefined) return pinnedNow.definition;
  if (node === undefined) return null;
  return layerFor(node, releases);
}

/** Whether the hypothesis makes anything of a layer there. */
function mayChange({ change, pinnedNow, pinnedThen }: PathLayer): boolean {
  return pinnedNow !== pinnedThen || (change !== undefined && pinnedThen === undefined);
}

function isReached(path: readonly PathLayer[]): boolean {
  return path.some(mayChange);
}

function isOther(layer: PathLayer, cohort: Cohort): boolean {
  return mayChange(layer) && wanted(layer, cohort.releases) !== present(layer, cohort);
}

function hasOtherSchema(layer: PathLayer, cohort: Cohort): boolean {
  if (!mayChange(layer)) return false;
  const { schema: now } = wanted(layer, cohort.releases) ?? {};
  return now?.hash !== present(layer, cohort)?.schema?.hash;
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
