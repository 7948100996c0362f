import { done, refused } from '@pawl/contracts';
import type {
  Address,
  AddressText,
  Outcome,
  PreflightRequest,
  PreflightView,
  Vote,
} from '@pawl/contracts';
import type { ConsumerRef } from '../config-engine.js';
import { ValidationOverloadedError } from '../config/schema-validator.port.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot, OwnedShard } from '../sharding/owned-shard.js';
import { noOwner, truthUnavailable } from '../sharding/refusals.js';
import { tooMuchValidation } from '../sharding/run-command.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import { FencedError, TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { Reading } from './accepted-kinds.js';
import { areSameLayers, layersAround, preflightQuestion } from './preflight-question.js';
import type { Question } from './preflight-question.js';
import { consumersAsked, PreflightRound } from './preflight-round.js';
import { preflightSheets } from './preflight-sheets.js';
import { unknownAddress } from './read-effective.js';

/** Preflights of one shard at the same time: each costs as much as a promotion, and a vote of everybody. */
const AT_ONCE = 4;
/** Answers kept for who was not reached by the first one and asks again, and for how long. */
const KEPT = 16;
const KEPT_MS = 15_000;

/** What is asked; `id` is unlike that of every other preflight. */
export interface PreflightOrder {
  readonly id: string;
  readonly address: Address;
  readonly request: PreflightRequest;
}

type Answer = Promise<Outcome<PreflightView>>;

/** What a preflight has found, for who goes on with it. */
export interface Polled {
  readonly view: PreflightView;
  /** For another round about the same. */
  readonly round: PreflightRound;
  /** Whether what was asked about is what would be read now. */
  readonly stillHolds: () => boolean;
}

/** Of those whom a release would reach, whom a round is for. */
export interface Among {
  /** Where they are. */
  readonly addresses: ReadonlySet<AddressText>;
  readonly isMeant: (reading: Reading) => boolean;
}

/** A round of the preflight of a release in stages. */
export interface StagedOrder extends PreflightOrder {
  readonly earlier: PreflightRound | null;
  /** `null`: everybody. */
  readonly among: Among | null;
  /** Told of the round once consumers are asked. */
  readonly begun: (round: PreflightRound) => void;
}

/**
 * Asks the live consumers that a promotion would reach what they would make of what they would read,
 * and answers with their votes. Nothing is written, published as a snapshot, or released.
 */
export class Preflights {
  /** Those under way, by id. */
  readonly #running = new Map<string, { readonly shard: OwnedShard; readonly answer: Answer }>();
  /** Those that have ended, the newest last. */
  readonly #ended = new Map<string, PreflightView>();
  /** Those of releases in stages that are under way. */
  readonly #staged = new Map<string, OwnedShard>();
  /** Those that wait for votes. */
  readonly #rounds = new Map<string, PreflightRound>();
  #stopped = false;

  constructor(
    private readonly context: EngineContext,
    private readonly shards: ShardRegistry,
  ) {}

  /** One that is under way under this id, or has just ended, is joined. */
  async run(order: PreflightOrder): Answer {
    const { id, address } = order;
    const running = this.#running.get(id);
    if (running !== undefined) return running.answer;
    const ended = this.#ended.get(id);
    if (ended !== undefined) return done(ended);
    const place = this.shards.find(address);
    if (place === undefined) return unknownAddress(this.shards, address);
    const { root } = place;
    const { shard } = root;
    const others = [...this.#running.values()].filter((one) => one.shard === shard);
    if (others.length >= AT_ONCE) return tooMany();
    const answer = this.#run(order, root).then((polled) =>
      polled.ok ? done(polled.value.view) : polled,
    );
    this.#running.set(id, { shard, answer });
    try {
      const outcome = await answer;
      if (outcome.ok) this.#keep(id, outcome.value);
      return outcome;
    } finally {
      this.#running.delete(id);
    }
  }

  /** For a release in stages; as many at a time as others. */
  async runStaged(order: StagedOrder, root: OwnedRoot): Promise<Outcome<Polled>> {
    const { shard } = root;
    if ([...this.#staged.values()].filter((one) => one === shard).length >= AT_ONCE) {
      return tooMany();
    }
    this.#staged.set(order.id, shard);
    try {
      return await this.#run(order, root);
    } finally {
      this.#staged.delete(order.id);
    }
  }

  vote(from: ConsumerRef, { incarnation, items }: Vote): void {
    for (const item of items) this.#rounds.get(item.id)?.vote(from, incarnation, item);
  }

  /** Those under way answer with what they have. */
  stop(): void {
    this.#stopped = true;
    for (const round of this.#rounds.values()) round.end();
  }

  #keep(id: string, view: PreflightView): void {
    if (this.#stopped) return;
    this.#ended.set(id, view);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > KEPT && oldest !== undefined) this.#ended.delete(oldest);
    this.context.timer.after(KEPT_MS, () => void this.#ended.delete(id));
  }

  async #run(
    order: PreflightOrder & Partial<StagedOrder>,
    root: OwnedRoot,
  ): Promise<Outcome<Polled>> {
    const { consumers } = root.shard;
    const { address, request } = order;
    try {
      const question = await preflightQuestion(this.context, {
        ...{ root, address, request },
        isRead: (text) =>
          order.among?.addresses.has(text) ?? consumersAsked(consumers, text, request).length > 0,
      });
      return question.ok ? await this.#collect(order, root, question.value) : question;
    } catch (error) {
      if (error instanceof ValidationOverloadedError) return tooMuchValidation();
      if (error instanceof TruthUnavailableError) return truthUnavailable();
      if (!(error instanceof FencedError)) throw error;
      this.shards.refusedByFence(root.shard);
      return noOwner();
    }
  }

  async #collect(
    order: PreflightOrder & Partial<StagedOrder>,
    root: OwnedRoot,
    question: Question,
  ): Promise<Outcome<Polled>> {
    const { id, address, request } = order;
    const { consumers } = root.shard;
    const { workload } = request;
    const sheets = await preflightSheets(this.context, root, { id, workload, question });
    const isMeant = order.among?.isMeant;
    const of = { consumers, tree: root.tree, request, sheets, isMeant };
    const round = new PreflightRound(this.context, of, order.earlier ?? undefined);
    this.#rounds.set(id, round);
    order.begun?.(round);
    if (!this.#stopped) await round.collect();
    this.#rounds.delete(id);
    const isOwned = (): boolean => this.shards.find(address)?.root.shard === root.shard;
    if (!isOwned()) return noOwner();
    const isSame = (): boolean => areSameLayers(question.layers, layersAround(root.tree, address));
    const view = viewOf(order, { question, round, isVoid: !isSame() });
    return done({ view, round, stillHolds: () => isOwned() && isSame() });
  }
}

function viewOf(
  { id, address }: PreflightOrder,
  of: {
    readonly question: Question;
    readonly round: PreflightRound;
    readonly isVoid: boolean;
  },
): PreflightView {
  const { question, round, isVoid } = of;
  const result = round.poll.result();
  const { asked, accepted } = result.consumers;
  const isChange = question.addresses.some(({ changed }) => changed);
  return {
    ...{ id, address: address.text, version: question.version },
    addresses: question.addresses.map((place) => ({
      address: place.address.text,
      changed: place.changed,
      consumers: round.poll.askedAt(place.address.text),
    })),
    ...result,
    // Where nobody was there to be asked, nobody has said yes; where nothing changes nobody need.
    valid: (!isChange || asked > 0) && accepted === asked && !isVoid,
    ...(isVoid ? { void: true as const } : {}),
  };
}

function tooMany(): Outcome<never> {
  return refused(
    'too-many-requests',
    `${AT_ONCE} preflights are under way in this part of the configuration; wait for one to end`,
  );
}
