import { parseAddress } from '@pawl/contracts';
import type {
  Address,
  AddressText,
  DefinitionView,
  EffectiveView,
  JsonObject,
  Outcome,
  Problem,
  ReleaseRequest,
  ReleaseView,
} from '@pawl/contracts';
import type { CommandContext, ConfigEngine, Precondition, Written } from '@pawl/engine';
import type { Rng } from '@pawl/kernel';
import type { Asked } from './answers.js';
import type { Floor } from './histories.js';
import { smallSchema } from './small-validator.js';
import { preempting, stagedRequest, troubles } from './staged-requests.js';
import type { NodesWorldView } from './world-view.js';

/** A client gives up a request after this, and does not know then what became of it. */
const GIVE_UP_MS = 12_000;
const REST_MS = 300;
/** Where releases take their time. */
const STAGED_REST_MS = 600;
/** Of 20 requests so many are writes, or of a schema, or releases; the others are reads. */
const SHARES = [8, 9, 14] as const;
const STAGED_SHARES = [6, 7, 16] as const;
/** Now and then a writer sends so many requests at once. */
const TOGETHER = 4;
/** A request of a calm world is answered within this: no hand-over takes longer. */
const CALM_MS = 1_000;
/** How often a request with an idempotency key is repeated whose outcome is not known. */
const REPEATS = 4;
const LARGE = 10 * 1024;
/** After these a command may have been done, or may yet be. */
const SAYS_NOTHING = new Set<string>(['unknown', 'outcome-unknown', 'internal', 'still-running']);
const NOT_SERVED = new Set<string>(['no-owner', 'truth-unavailable', 'too-many-requests']);
const REQUEST_HASH = '0'.repeat(64);

/** What a node answered; `unknown`: nothing in time. */
type Answer<T> = Outcome<T> | 'unknown';

/** One request of a client: what is asked of a node, and what is demanded of its answer. */
interface Request<T> {
  readonly op: string;
  readonly address: Address;
  readonly floor: Floor;
  /** A write always makes a definition version; another command may change nothing. */
  readonly kind: 'write' | 'command' | 'read';
  readonly idempotent: boolean;
  ask(use: ConfigEngine): Promise<Outcome<T>>;
  told(value: T): void;
}

type About = Omit<Request<unknown>, 'ask' | 'told'>;

/** An operator's script: writes, releases and reads through whichever node, one at a time. */
export class WorldWriter {
  readonly #rng: Rng;
  #count = 0;

  constructor(
    private readonly world: NodesWorldView,
    readonly name: string,
  ) {
    this.#rng = world.rng;
  }

  start(): void {
    const restMs = this.world.isStaged ? STAGED_REST_MS : REST_MS;
    this.world.later(this.#rng.next() * restMs, () => this.#next());
  }

  /** Beside whatever else it does. */
  put(at: AddressText): void {
    void this.#run(this.#put(parsed(at)));
  }

  /** Writes this document, named by the command, beside whatever else it does. */
  write(at: AddressText, document: (op: string) => JsonObject): Promise<void> {
    const about = this.#about(parsed(at), 'write');
    return this.#run(this.#putDocument(about, document(about.op)));
  }

  /** Asks for this release, named by its reason, beside whatever else it does. */
  release(at: AddressText, request: (reason: string) => ReleaseRequest): Promise<void> {
    const about = this.#about(parsed(at), 'command');
    return this.#run(this.#askRelease(about, request(about.op)));
  }

  #next(): void {
    if (this.world.isOver) return;
    const together = this.#rng.below(TOGETHER) === 0 ? TOGETHER : 1;
    const requests = Array.from({ length: together }, () => this.#run(this.#request()));
    void Promise.all(requests).then(() => this.start());
  }

  #request(): Request<unknown> {
    const { addresses, hot } = this.world;
    const any = addresses[this.#rng.below(addresses.length)] as AddressText;
    const address = parsed(this.#rng.below(3) > 0 ? hot : any);
    const [puts, schemas, releases] = this.world.isStaged ? STAGED_SHARES : SHARES;
    const kind = this.#rng.below(20);
    if (kind < puts) return this.#put(address);
    if (kind < schemas) return this.#putSchema(address);
    if (kind < releases) return this.#release(address);
    return this.#read(address);
  }

  #put(address: Address): Request<unknown> {
    const about = this.#about(address, 'write');
    const { op } = about;
    const large = this.#rng.below(6) === 0 ? { pad: 'x'.repeat(LARGE) } : {};
    const { isStaged } = this.world;
    const trouble = isStaged ? troubles(this.#rng, address.text) : {};
    // Where a layer has none, what is read has that of one above.
    const limit = isStaged && this.#rng.below(2) === 0 ? {} : { limit: this.#rng.below(120) };
    return this.#putDocument(about, { op, [address.text]: op, ...limit, ...large, ...trouble });
  }

  #putDocument(about: About, document: JsonObject): Request<unknown> {
    const { op, address } = about;
    const { answers } = this.world;
    const precondition = this.#precondition(address);
    return {
      ...about,
      ask: (use) =>
        use.putConfig(
          { address, precondition, message: op, context: this.#context(about) },
          document,
        ),
      told: (value) => answers.written(asked(about), bodyOf(value)),
    };
  }

  #putSchema(address: Address): Request<unknown> {
    const about = this.#about(address, 'command');
    const { answers } = this.world;
    const schema = smallSchema(60 + this.#rng.below(80));
    const precondition = this.#precondition(address);
    return {
      ...about,
      ask: (use) =>
        use.putSchema(
          { address, precondition, message: about.op, context: this.#context(about) },
          schema as never,
        ),
      told: (value) => answers.written(asked(about), bodyOf(value), schema as never),
    };
  }

  #release(address: Address): Request<unknown> {
    const about = this.#about(address, 'command');
    return this.#askRelease(about, this.#releaseRequest(address, about.op));
  }

  #askRelease(about: About, request: ReleaseRequest): Request<unknown> {
    const { op, address } = about;
    this.world.ledger.staged.asked.ask(op, request);
    return {
      ...about,
      ask: (use) => use.release(address, request, this.#context(about)),
      told: (value) => {
        const view = bodyOf<ReleaseView>(value);
        this.world.answers.released(asked(about), view);
        this.world.ledger.staged.asked.acknowledged(op, view);
      },
    };
  }

  #releaseRequest(address: Address, reason: string): ReleaseRequest {
    const kept = this.world.ledger.of(address.text);
    if (this.world.isStaged) {
      const told = this.world.histories.floor(address.text).release;
      const about = { reason, told, nowMs: this.world.nowMs() };
      const below = this.world.ledger.truth.stagedBelow(address.text);
      return preempting(stagedRequest(this.#rng, kept, about), below, about.nowMs);
    }
    const newest = kept.definitions.length;
    switch (this.#rng.below(10)) {
      case 0:
        return { action: 'disable', reason };
      case 1:
      case 2:
        return { action: 'enable', reason };
      case 3:
      case 4: {
        const targetVersion = 1 + this.#rng.below(Math.max(1, newest));
        return { action: 'rollback', targetVersion, reason };
      }
      default:
        return { action: 'promote', reason };
    }
  }

  #read(address: Address): Request<unknown> {
    const about = this.#about(address, 'read');
    const { answers } = this.world;
    switch (this.#rng.below(3)) {
      case 0:
        return {
          ...about,
          ask: (use) => use.getRelease(address),
          told: (value) => answers.release(asked(about), value as ReleaseView),
        };
      case 1:
        return {
          ...about,
          ask: (use) => use.getEffective(address, { explain: false }),
          told: (value) => answers.effective(asked(about), value as EffectiveView),
        };
      default:
        return {
          ...about,
          ask: (use) => use.getConfig(address),
          told: (value) => answers.definition(asked(about), value as DefinitionView),
        };
    }
  }

  #about(address: Address, kind: Request<unknown>['kind']): About {
    this.#count += 1;
    const op = `${this.name}${this.#count}`;
    const floor = this.world.histories.floor(address.text);
    const idempotent = kind !== 'read' && this.#rng.below(2) === 0;
    return { op, address, floor, kind, idempotent };
  }

  #context({ op, idempotent }: { op: string; idempotent: boolean }): CommandContext {
    if (!idempotent) return { actor: this.name };
    return { actor: this.name, idempotency: { key: `key ${op}`, requestHash: REQUEST_HASH } };
  }

  #precondition(address: Address): Precondition {
    const { definition } = this.world.histories.floor(address.text);
    if (definition === 0) return { kind: 'none-given' };
    return this.#rng.below(3) === 0
      ? { kind: 'match', versions: [definition] }
      : { kind: 'match-any' };
  }

  /** Until the outcome is known, or nobody can know it. */
  async #run(request: Request<unknown>): Promise<void> {
    let unknown = false;
    for (let attempt = 0; attempt <= REPEATS; attempt += 1) {
      const sentMs = this.world.nowMs();
      const answer = await this.#send(request);
      const tookMs = this.world.nowMs() - sentMs;
      const soon = tookMs <= CALM_MS || !this.world.isCalm;
      this.world.judge.demand(soon, `${request.op} is answered soon (§5.1): ${tookMs} ms`);
      if (answer !== 'unknown' && answer.ok) return this.#acknowledged(request, answer.value);
      const code = answer === 'unknown' ? 'unknown' : answer.problem.code;
      const { op, kind, idempotent, address } = request;
      const how = `${kind}${idempotent ? ' with a key' : ''}`;
      this.world.note(`${op}, ${how} at ${address.text}: ${code}`);
      this.world.reached(`${kind}: ${code}`);
      const served = !SAYS_NOTHING.has(code) && !NOT_SERVED.has(code);
      this.world.judge.demand(served || !this.world.isCalm, `${op} is served (§5.1): ${code}`);
      unknown ||= SAYS_NOTHING.has(code);
      if (answer !== 'unknown' && !unknown) return this.#refused(request, answer.problem);
      if (!idempotent || this.world.isOver) return;
      this.world.reached('a request repeated with its key');
      await this.world.sleep(this.#rng.next() * REST_MS);
    }
  }

  #acknowledged(request: Request<unknown>, value: unknown): void {
    this.world.reached(`${request.kind}: ok`);
    request.told(value);
  }

  #refused(request: Request<unknown>, problem: Problem): void {
    const { op, address, floor, kind } = request;
    this.world.ledger.staged.asked.refused(op, problem.code);
    if (kind !== 'read') this.world.ledger.refused(op);
    else if (problem.code === 'not-found') this.world.answers.unknown(asked(request));
    const { currentVersion } = problem as { currentVersion?: number };
    if (currentVersion === undefined) return;
    const of = { address: address.text, axis: 'definition', version: currentVersion } as const;
    this.world.histories.told(`${op} (refused)`, of, floor);
  }

  /** Through some node, as over HTTP. */
  #send<T>(request: Request<T>): Promise<Answer<T>> {
    return new Promise((resolve) => {
      let over = false;
      const settle = (answer: Answer<T>): void => {
        if (over) return;
        over = true;
        resolve(answer);
      };
      this.world.later(GIVE_UP_MS, () => settle('unknown'));
      this.world.ask((use) => request.ask(use), settle);
    });
  }
}

function parsed(text: AddressText): Address {
  const result = parseAddress(text);
  if (!result.ok) throw new Error(result.message);
  return result.address;
}

function asked({ op, address, floor }: About): Asked {
  return { op, address: address.text, floor };
}

function bodyOf<T>(written: unknown): T {
  return (written as Written<T>).body;
}
