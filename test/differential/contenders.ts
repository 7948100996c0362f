import { setTimeout as sleep } from 'node:timers/promises';
import { ContestServer } from './contest-server.js';
import type { ContestRequest, OpenCall } from './contest-server.js';
import { assertSame, plain } from './plain.js';
import type { WireAnswer } from './wire-server.js';

const LEASES = 4;
const SETTLES_WITHIN_MS = 20_000;
const LOOKS_EVERY_MS = 5;

/** A key of a contender, as both servers have it. */
interface Place {
  readonly key: string;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly lease: string;
}

/** A call for a lock or an election that was not answered yet, made of both servers. */
interface Wait {
  readonly request: ContestRequest;
  readonly name: string;
  readonly key: string;
  readonly calls: readonly [OpenCall, OpenCall];
  /** It was given up. */
  gone: boolean;
  /** It was not answered at once. */
  waited: boolean;
}

/**
 * Asks two servers the same of locks and elections, and compares every answer, what is stored, and
 * what observers are told. After each request it waits until both have come to where the rules of the
 * protocol take them: whose key is the oldest below a name is answered, nobody else is.
 */
export class Contenders {
  readonly counts: Record<string, number> = {};
  /** Those that are granted. */
  leases: readonly number[] = [];
  readonly #servers: readonly [ContestServer, ContestServer];
  readonly #told = new Map<string, readonly [unknown[], unknown[]]>();
  #waits: Wait[] = [];
  #places: readonly Place[] = [];
  #granted = 0;

  constructor(ours: string, theirs: string) {
    this.#servers = [new ContestServer(ours), new ContestServer(theirs)];
  }

  /** Grants leases, and observes these elections. */
  async begin(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const told: [unknown[], unknown[]] = [[], []];
      this.#told.set(name, told);
      for (const [at, server] of this.#servers.entries()) server.observe(name, told[at]!);
    }
    while (this.leases.length < LEASES) await this.#grant();
  }

  async contend(method: string, name: string, lease: number, value?: string): Promise<void> {
    const key = `${name}/${lease.toString(16)}`;
    if (this.#waits.some((wait) => wait.key === key)) return;
    const more = value === undefined ? {} : { value: Buffer.from(value) };
    const request = { method, request: { name: Buffer.from(name), lease, ...more } };
    const [ours, theirs] = this.#servers;
    const calls = [ours.begin(request), theirs.begin(request)] as const;
    this.#waits.push({ request, name, key, calls, gone: false, waited: false });
    await this.#settle();
  }

  /** Of who has it. */
  async unlock(name: string): Promise<void> {
    const holder = this.#holder(name);
    const key = Buffer.from(holder?.key ?? `${name}/none`);
    await this.ask({ method: 'Lock.Unlock', request: { key } });
  }

  async proclaim(name: string, as: 'right' | 'old' | 'no lease'): Promise<void> {
    const leader = this.#leader(name, as);
    const value = Buffer.from(`p${this.#granted}`);
    await this.ask({ method: 'Election.Proclaim', request: { leader, value } });
  }

  async resign(name: string, as: 'right' | 'old'): Promise<void> {
    await this.ask({ method: 'Election.Resign', request: { leader: this.#leader(name, as) } });
  }

  async leader(name: string): Promise<void> {
    await this.ask({ method: 'Election.Leader', request: { name: Buffer.from(name) } });
  }

  /** Ends a lease, and with it what it holds; who waits with it gives up first, and another is granted. */
  async revoke(lease: number): Promise<void> {
    const hex = lease.toString(16);
    for (const wait of this.#waits) if (wait.key === `${wait.name}/${hex}`) this.#give(wait);
    await this.#settle();
    await this.ask({ method: 'Lease.LeaseRevoke', request: { ID: lease } });
    this.leases = this.leases.filter((one) => one !== lease);
    await this.#grant();
  }

  async cancel(which: 'first' | 'last'): Promise<void> {
    const wait = this.#waits.at(which === 'first' ? 0 : -1);
    if (wait === undefined) return;
    this.#give(wait);
    await this.#settle();
  }

  /** What nobody waits for. */
  async ask(request: ContestRequest): Promise<void> {
    const answers = await Promise.all(this.#servers.map((server) => server.ask(request)));
    this.#compare(request, answers[0]!, answers[1]!);
    await this.#settle();
  }

  /** Lets all have their turn. */
  async drain(name: string): Promise<void> {
    while (this.#holder(name) !== undefined) await this.unlock(name);
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }

  async #grant(): Promise<void> {
    this.#granted += 1;
    await this.ask({ method: 'Lease.LeaseGrant', request: { ID: this.#granted, TTL: 3600 } });
    this.leases = [...this.leases, this.#granted];
  }

  #give(wait: Wait): void {
    wait.gone = true;
    for (const call of wait.calls) call.cancel();
    this.#count('given up');
  }

  #leader(name: string, as: 'right' | 'old' | 'no lease') {
    const holder = this.#holder(name);
    const rev = as === 'old' ? '1' : (holder?.create_revision ?? '1');
    const lease = as === 'no lease' ? '999999' : (holder?.lease ?? '1');
    const key = Buffer.from(holder?.key ?? `${name}/none`);
    return { name: Buffer.from(name), key, rev, lease };
  }

  #holder(name: string, places = this.#places): Place | undefined {
    const below = places.filter(({ key }) => key.startsWith(`${name}/`));
    return below.sort((a, b) => Number(a.create_revision) - Number(b.create_revision))[0];
  }

  /** Waits until both have come to rest, then compares what they store and answered. */
  async #settle(): Promise<void> {
    const deadline = Date.now() + SETTLES_WITHIN_MS;
    for (;;) {
      const stored = await Promise.all(this.#servers.map((server) => server.ask(EVERYTHING)));
      const [ours, theirs] = [placesOf(stored[0]!), placesOf(stored[1]!)];
      const left = this.#restless(ours, 0) ?? this.#restless(theirs, 1) ?? this.#untold();
      if (left === null) {
        this.#places = ours;
        assertSame(stored[0], stored[1], EVERYTHING);
        break;
      }
      if (Date.now() > deadline) throw new Error(`${left}\n${plain(stored)}`);
      await sleep(LOOKS_EVERY_MS);
    }
    for (const { request, calls, gone, waited } of this.#waits) {
      const [ours, theirs] = [calls[0].answer, calls[1].answer];
      if (gone || ours === null || theirs === null) continue;
      this.#compare(request, ours, theirs);
      if (waited) this.#count('won after waiting');
    }
    this.#waits = this.#waits.filter(({ calls, gone }) => !gone && calls[0].answer === null);
    for (const wait of this.#waits) wait.waited = true;
  }

  /** What a server has yet to do; null: nothing. */
  #restless(places: readonly Place[], at: 0 | 1): string | null {
    for (const { name, key, calls, gone } of this.#waits) {
      const { answer } = calls[at];
      const there = places.some((place) => place.key === key);
      const which = `server ${at}: ${key}`;
      if (gone) {
        if (there) return `${which} was given up and is there`;
        continue;
      }
      if (answer !== null && 'code' in answer) throw new Error(`${which}: ${plain(answer)}`);
      if (!there) return `${which} is not there`;
      const first = this.#holder(name, places)?.key === key;
      if (first && answer === null) return `${which} has its turn and is not told so`;
      if (!first && answer !== null) throw new Error(`${which} is told that it has its turn`);
    }
    for (const [name, told] of this.#told) {
      const holder = this.#holder(name, places);
      if (holder === undefined) continue;
      const last = told[at].at(-1) as { kv: { key: Buffer; mod_revision: string } } | undefined;
      const knows = last?.kv.key.toString() === holder.key;
      if (!knows || last.kv.mod_revision !== holder.mod_revision) {
        return `server ${at}: the observer of ${name} was not told of ${plain(holder)}`;
      }
    }
    return null;
  }

  #untold(): string | null {
    for (const [name, [ours, theirs]] of this.#told) {
      if (plain(ours) !== plain(theirs)) return `observers of ${name}: ${plain([ours, theirs])}`;
    }
    return null;
  }

  #compare(request: ContestRequest, ours: WireAnswer, theirs: WireAnswer): void {
    assertSame(ours, theirs, request);
    this.#count('code' in theirs ? `${request.method}: ${theirs.text}` : request.method);
  }

  #count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }
}

const EVERYTHING = {
  method: 'KV.Range',
  request: { key: Buffer.from([0]), range_end: Buffer.from([0]) },
};

function placesOf(answer: WireAnswer): readonly Place[] {
  if (!('answer' in answer)) throw new Error(plain(answer));
  const { kvs } = answer.answer as { readonly kvs: readonly (Place & { key: unknown })[] };
  return kvs.map((kv) => ({ ...kv, key: String(kv.key) }));
}
