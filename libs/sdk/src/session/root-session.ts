import type { TimerHandle } from '@pawl/kernel';
import { cohortHeld, STABLE_COHORT } from '@pawl/contracts';
import type { Address, HeldSnapshot, Hello, HelloReply, Subjects, VoteItem } from '@pawl/contracts';
import type { InstallationPin, Rejection } from '../applier/index.js';
import { Backoff } from '../backoff.js';
import type { Capabilities } from '../capabilities.js';
import { PawlError } from '../errors.js';
import type { HealthCounter } from '../health/health-counter.js';
import { decodeMessage } from '../nats/decode-message.js';
import type { ScopeHandle } from '../scope/scope-handle.js';
import type { ScopeRunner } from '../scope/scope-runner.js';
import { AckOutbox } from './ack-outbox.js';
import type { AckEntry } from './ack-outbox.js';
import { composeHello } from './hello-message.js';
import type { Identity } from './identity.js';
import { VoteBox } from './vote-box.js';

export interface SessionScope {
  readonly runner: ScopeRunner;
  readonly handle: ScopeHandle<unknown>;
}

interface RootSessionOptions {
  readonly root: string;
  readonly workload: string;
  readonly identity: Identity;
  readonly subjects: Subjects;
  readonly installation: InstallationPin;
  readonly capabilities: Capabilities;
  readonly staleAfterMs: number;
  /** Acks wait between two fifths of this and this, to travel together and after the fan-out. */
  readonly ackWindowMs: number;
}

/** Until the owner names another interval. */
const HELLO_MS = 5_000;
/** Several addresses opened in a row share one hello. */
const SOON_MS = 20;
/** Re-reads of a fleet are spread over this part of its heartbeat interval, which the owner sizes. */
const SPREAD_PART = 0.2;
/** Heartbeats without an answer that are not yet staleness, however short `staleAfterMs` is. */
const SILENT_HELLOS = 3;

/** Heartbeat, acks and freshness of the addresses below one root. */
export class RootSession {
  readonly #options: RootSessionOptions;
  readonly #scopes = new Map<string, SessionScope>();
  readonly #outbox = new AckOutbox();
  readonly #votes: VoteBox;
  readonly #unanswered: Backoff;
  #helloTimer: TimerHandle | null = null;
  #ackTimer: TimerHandle | null = null;
  #staleTimer: TimerHandle | null = null;
  #greeting = false;
  #greetAgain = false;
  #closed = false;
  #intervalMs = HELLO_MS;
  #token = 0n;
  /** As the owner leases it; `undefined` until it answers. */
  #slot: number | null | undefined;
  #stale = false;
  #heardMs: number;

  constructor(options: RootSessionOptions) {
    this.#options = options;
    const { root, workload, identity, subjects, capabilities } = options;
    const { consumerId, incarnation } = identity;
    const subject = subjects.vote(root, workload, consumerId);
    this.#votes = new VoteBox({
      ...{ incarnation, timer: capabilities.background },
      send: (vote) => void capabilities.link.publish(subject, JSON.stringify(vote)),
    });
    this.#unanswered = new Backoff(options.capabilities.rng, { baseMs: 500, capMs: HELLO_MS });
    this.#heardMs = options.capabilities.clock.monotonicMs();
    this.#watchFreshness();
  }

  get workload(): string {
    return this.#options.workload;
  }

  add(address: Address, scope: SessionScope): void {
    this.#scopes.set(address.text, scope);
    if (this.#slot !== undefined) scope.runner.leased(this.#slot);
    this.#helloAfter(SOON_MS);
  }

  remove(address: Address): void {
    this.#scopes.delete(address.text);
  }

  /** A delay that spreads the fleet's reads. */
  spreadMs(): number {
    return this.#options.capabilities.rng.next() * this.#intervalMs * SPREAD_PART;
  }

  /** The link is up (again). */
  linkUp(delayMs: number): void {
    this.#helloAfter(delayMs);
    if (!this.#outbox.isEmpty) this.#scheduleAcks();
  }

  heard(): void {
    const nowMs = this.#options.capabilities.clock.monotonicMs();
    const silentMs = nowMs - this.#heardMs;
    this.#heardMs = nowMs;
    if (!this.#stale) return;
    this.#stale = false;
    this.#tellFreshness(silentMs);
  }

  applied(address: Address, head: HeldSnapshot): void {
    this.#owe(address, head, { state: 'applied' });
  }

  rejected(address: Address, rejection: Rejection): void {
    this.#owe(address, rejection, { state: 'rejected', reason: rejection.reason });
  }

  /** Votes travel within the time of acks, or more where a fleet has rarer heartbeats. */
  voted(vote: VoteItem, withinMs: number): void {
    const windowMs = this.#options.ackWindowMs * Math.max(1, this.#intervalMs / HELLO_MS);
    const delayMs = Math.min(windowMs, withinMs) * this.#options.capabilities.rng.next();
    this.#votes.add(vote, delayMs);
  }

  /** Sends what waits and says goodbye; nothing is sent afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#helloTimer?.cancel();
    this.#ackTimer?.cancel();
    this.#votes.close();
    this.#staleTimer?.cancel();
    this.#sendAcks();
    if (this.#scopes.size === 0) return;
    const { subjects, root, workload, identity, capabilities } = this.#options;
    const subject = subjects.hello(root, workload, identity.consumerId);
    capabilities.link.publish(subject, JSON.stringify(this.#hello(true)));
  }

  #owe(
    { text }: Address,
    of: HeldSnapshot | Rejection,
    what: Pick<AckEntry, 'state' | 'reason'>,
  ): void {
    const { generation, version, hash } = of;
    const cohort = cohortHeld(of);
    const named = cohort === STABLE_COHORT ? {} : { cohort };
    const atMs = this.#options.capabilities.clock.monotonicMs();
    this.#outbox.add({ address: text, generation, version, hash, ...named, ...what, atMs });
    this.#scheduleAcks();
  }

  #scheduleAcks(): void {
    if (this.#closed || this.#ackTimer !== null) return;
    const { rng, background } = this.#options.capabilities;
    const delayMs = this.#options.ackWindowMs * (0.4 + 0.6 * rng.next());
    this.#ackTimer = background.after(delayMs, () => {
      this.#ackTimer = null;
      this.#sendAcks();
    });
  }

  /** While the link is down acks wait; the outbox is bounded. */
  #sendAcks(): void {
    const { link, clock } = this.#options.capabilities;
    if (link.state !== 'up') return;
    const { subjects, root, workload, identity } = this.#options;
    const subject = subjects.ack(root, workload, identity.consumerId);
    for (const ack of this.#outbox.drain(identity.incarnation, clock.monotonicMs())) {
      link.publish(subject, JSON.stringify(ack));
    }
  }

  #helloAfter(delayMs: number): void {
    if (this.#closed) return;
    if (this.#greeting) {
      this.#greetAgain = true;
      return;
    }
    this.#helloTimer?.cancel();
    this.#helloTimer = this.#options.capabilities.background.after(delayMs, () => {
      void this.#greet();
    });
  }

  async #greet(): Promise<void> {
    this.#helloTimer = null;
    const { capabilities, subjects, root, workload, identity } = this.#options;
    if (capabilities.link.state !== 'up' || this.#scopes.size === 0) return;
    this.#greeting = true;
    const subject = subjects.hello(root, workload, identity.consumerId);
    const hello = this.#hello(false);
    const told = this.#healthIn(hello);
    let delayMs;
    try {
      const answer = await capabilities.link.request(subject, JSON.stringify(hello));
      const isTaken = this.#onReply(answer);
      if (isTaken) for (const { health, span } of told) health.told(span);
      this.#unanswered.reset();
      delayMs = this.#regularDelayMs();
    } catch {
      // Nobody answers, an owner that has yet to reconnect perhaps: staleness tells the user.
      delayMs = Math.min(this.#regularDelayMs(), this.#unanswered.nextMs());
    }
    this.#greeting = false;
    const again = this.#greetAgain;
    this.#greetAgain = false;
    this.#helloAfter(again ? SOON_MS : delayMs);
  }

  #regularDelayMs(): number {
    return this.#intervalMs * (0.9 + 0.2 * this.#options.capabilities.rng.next());
  }

  #hello(leaving: boolean): Hello {
    const runs = [...this.#scopes.values()].map(({ runner }) => runner.runs());
    return composeHello({ ...this.#options.identity, slot: this.#slot }, runs, leaving);
  }

  /** Whose health a heartbeat tells, which may have had no room for all, and up to which span. */
  #healthIn({ runs }: Hello): { readonly health: HealthCounter; readonly span: number }[] {
    return runs.flatMap((run) => {
      const health = this.#scopes.get(run.address)?.handle.health;
      if (health === undefined || (run.health ?? []).length === 0) return [];
      return [{ health, span: health.span }];
    });
  }

  /** Says whether the owner has answered, and no former one. */
  #onReply(data: Uint8Array): boolean {
    if (this.#closed) return false;
    const decoded = decodeMessage('helloReply', data);
    if (!decoded.ok) {
      this.#report(new PawlError('malformed-message', decoded.message));
      return false;
    }
    const reply = decoded.value;
    if (!this.#options.installation.admits(reply.installation)) {
      const message = `a heartbeat was answered by the installation "${reply.installation}" and ignored`;
      this.#report(new PawlError('foreign-installation', message));
      return false;
    }
    if (BigInt(reply.fencingToken) < this.#token) return false;
    this.#token = BigInt(reply.fencingToken);
    this.#intervalMs = reply.nextHelloMs;
    this.heard();
    this.#slot = reply.slot;
    for (const { runner } of this.#scopes.values()) runner.leased(reply.slot);
    this.#takeNewest(reply);
    return true;
  }

  #takeNewest(reply: HelloReply): void {
    for (const { address, generation, version, hash } of reply.newest) {
      const scope = this.#scopes.get(address);
      scope?.runner.named({ generation, version }, hash, this.spreadMs());
    }
  }

  #watchFreshness(): void {
    const { clock, background } = this.#options.capabilities;
    const staleAfterMs = Math.max(this.#options.staleAfterMs, SILENT_HELLOS * this.#intervalMs);
    const silentMs = clock.monotonicMs() - this.#heardMs;
    if (!this.#stale && silentMs >= staleAfterMs) {
      this.#stale = true;
      this.#tellFreshness(silentMs);
    }
    const waitMs = this.#stale ? staleAfterMs : staleAfterMs - silentMs;
    this.#staleTimer = background.after(Math.max(1, waitMs), () => this.#watchFreshness());
  }

  #tellFreshness(silentMs: number): void {
    const event = { stale: this.#stale, silentMs: Math.round(silentMs) };
    for (const { handle } of this.#scopes.values()) handle.events.emit('stale', event);
  }

  #report(error: PawlError): void {
    for (const { handle } of this.#scopes.values()) handle.events.emit('error', error);
  }
}
