import type { Rng } from '@pawl/kernel';

/**
 * What is wrong with the simulated world just now: links that are cut one way or both, disks that
 * hang or are slow, state machines that take their time, processes that are paused, clocks that drift
 * or jump. Chosen anew by chance; the seed decides.
 */
export class Faults {
  readonly #cut = new Set<string>();
  readonly #stalled = new Set<string>();
  readonly #paused = new Set<string>();
  readonly #slowClocks = new Set<string>();
  readonly #fastClocks = new Set<string>();
  readonly #slowDisks = new Set<string>();
  readonly #slowMachines = new Set<string>();
  #jumps = true;

  constructor(
    private readonly ids: readonly string[],
    private readonly rng: Rng,
  ) {}

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  diskHangs(id: string): boolean {
    return this.#stalled.has(id);
  }

  /** Whether a disk that works is not done yet with what it has to do. */
  diskTakesLonger(id: string): boolean {
    return this.#slowDisks.has(id) && this.rng.below(6) > 0;
  }

  /** Whether its state machine applies only now and then. */
  appliesSlowly(id: string): boolean {
    return this.#slowMachines.has(id);
  }

  isPaused(id: string): boolean {
    return this.#paused.has(id);
  }

  /** Ticks that pass on this node while one passes elsewhere: its clock drifts, or has jumped. */
  ticksOf(id: string): number {
    if (this.#slowClocks.has(id)) return this.rng.below(3) === 0 ? 1 : 0;
    if (this.#fastClocks.has(id)) return 1 + this.rng.below(5);
    return this.#jumps && this.rng.below(200) === 0 ? 1 + this.rng.below(30) : 1;
  }

  /** `leader`, if there is one, is hit more often than others. */
  repartition(leader: string | undefined): void {
    this.#cut.clear();
    const shape = this.rng.below(10);
    if (shape < 3) return;
    if (shape === 3) return this.#bridge();
    if (shape < 6) return this.#isolate(this.#pick(leader));
    const side = new Set(this.ids.filter(() => this.rng.below(2) === 0));
    const oneWay = this.rng.below(3) === 0;
    const partial = this.rng.below(3) === 0;
    for (const from of this.ids) {
      for (const to of this.ids) {
        if (side.has(from) === side.has(to) || (oneWay && side.has(from))) continue;
        if (!partial || this.rng.below(2) === 0) this.#cut.add(`${from}>${to}`);
      }
    }
  }

  /** What `from` says does not reach `to`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  stall(leader: string | undefined): void {
    this.#stalled.clear();
    if (this.rng.below(3) === 0) this.#stalled.add(this.#pick(leader));
    this.#slowDisks.clear();
    if (this.rng.below(3) === 0) this.#slowDisks.add(this.#pick(leader));
    this.#slowMachines.clear();
    for (const id of this.ids) if (this.rng.below(3) === 0) this.#slowMachines.add(id);
  }

  stallDisk(id: string): void {
    this.#stalled.add(id);
  }

  slowMachines(): void {
    for (const id of this.ids) this.#slowMachines.add(id);
  }

  pause(leader: string | undefined): void {
    this.#paused.clear();
    if (this.rng.below(3) === 0) this.#paused.add(this.#pick(leader));
  }

  drift(leader: string | undefined): void {
    this.#slowClocks.clear();
    this.#fastClocks.clear();
    if (this.rng.below(3) === 0) this.#slowClocks.add(this.#pick(leader));
    if (this.rng.below(3) === 0) this.#fastClocks.add(this.#pick(leader));
  }

  /**
   * A leader's clock is slow and it is cut off, so that it does not notice soon; or nobody hears it
   * while its disk hangs: it holds what it could not write yet against what the next leader sends.
   */
  linger(leader: string): void {
    this.#cut.clear();
    this.#slowClocks.clear();
    this.#slowClocks.add(leader);
    if (this.rng.below(2) === 0) return this.#isolate(leader);
    this.#stalled.clear();
    this.#stalled.add(leader);
    for (const other of this.ids) if (other !== leader) this.#cut.add(`${leader}>${other}`);
  }

  /** Everything works from now on, until something is cut again. */
  heal(): void {
    this.#jumps = false;
    const clocks = [this.#slowClocks, this.#fastClocks];
    const disks = [this.#stalled, this.#slowDisks, this.#slowMachines];
    for (const set of [this.#cut, this.#paused, ...clocks, ...disks]) set.clear();
  }

  /** One node reaches both sides, which do not reach each other: a partial partition. */
  #bridge(): void {
    const bridge = this.#any();
    const side = new Set(this.ids.filter(() => this.rng.below(2) === 0));
    for (const from of this.ids) {
      for (const to of this.ids) {
        if (from === bridge || to === bridge || side.has(from) === side.has(to)) continue;
        this.#cut.add(`${from}>${to}`);
      }
    }
  }

  /** Cut off with at most one other. */
  #isolate(id: string): void {
    const friend = this.rng.below(2) === 0 ? this.#any() : id;
    for (const other of this.ids) {
      for (const inside of [id, friend]) {
        if (other === id || other === friend) continue;
        this.#cut.add(`${inside}>${other}`).add(`${other}>${inside}`);
      }
    }
  }

  #pick(leader: string | undefined): string {
    return leader !== undefined && this.rng.below(2) === 0 ? leader : this.#any();
  }

  #any(): string {
    return this.ids[this.rng.below(this.ids.length)] ?? '';
  }
}
