import type { QuorumProcess } from '../../../libs/metadata/src/testing/simulated-quorum.js';
import { LEASE_TTL_MS } from './control-plane-node.js';
import type { ControlPlaneNode } from './control-plane-node.js';
import { Restores } from './restores.js';
import { SHORTEST_PIN_MS } from './staged-scenery.js';
import type { CommitStep } from './truth-sessions.js';
import type { NodesWorld } from './nodes-world.js';

const EVERY_MS = 1_000;
const RATES = [0.9, 1.1, 5] as const;
const HOUR_MS = 3_600_000;
/** How far a monotonic clock jumps. */
export const CLOCK_JUMP_MS = HOUR_MS;
const STEPS: readonly CommitStep[] = ['begin', 'fence', 'write', 'commit', 'committed'];

/** What goes wrong in a world of nodes, at random and for a while each. */
export class WorldFaults {
  readonly #kinds: readonly (() => void)[];
  readonly #restores: Restores;

  constructor(private readonly world: NodesWorld) {
    this.#restores = new Restores(world);
    const owners = [
      () => this.#pauseInCommit(),
      () => this.#isolate(),
      () => this.#isolate(),
      () => this.#suspend(),
      () => this.#crash(),
    ];
    const half = [
      () => this.#pause(),
      () => this.#leave(),
      () => this.#loseAnswers(),
      () => this.#disturbNats(),
      () => this.#slowWires(),
    ];
    const others = [
      () => this.#cutOneWay(),
      () => this.#loseMajority(),
      () => this.#disturbQuorum(),
      () => this.#hangDisk(),
      () => this.#transfer(),
      () => this.#disturbClock(),
      () => this.#postgresAway(),
      () => this.#postgresAway(),
      () => this.#postgresRestarts(),
      () => this.#cutFromPostgres(),
      () => this.#natsAway(),
      () => this.#cutFromNats(),
      () => this.#deleteStreams(),
      () => this.#killConsumer(),
      () => this.#pauseConsumer(),
    ];
    const restores = [() => this.#restores.strike(), () => this.#restores.strike()];
    const common = [...owners, ...owners, ...half];
    const kinds = {
      calm: [],
      owners: common,
      all: [...common, ...half, ...others],
      restores: [...common, ...restores, () => this.#killConsumer(), () => this.#natsAway()],
    };
    this.#kinds = kinds[world.kind];
  }

  start(): void {
    if (this.world.kind === 'restores') this.#restores.start();
    this.#next();
  }

  /** Of an owner that has just taken a release to its next stage. */
  betweenStages(node: ControlPlaneNode): void {
    switch (this.world.rng.below(3)) {
      case 0:
        this.world.reached('owner paused between stages');
        return this.#standStill(node);
      case 1:
        this.world.reached('owner killed between stages');
        return this.#kill(node);
      default:
        this.world.reached("the owner's clock jumped between stages");
        return node.process.time.jump(CLOCK_JUMP_MS);
    }
  }

  /** Of an owner at whose address a release has just been paused. */
  whilePaused(node: ControlPlaneNode): void {
    if (this.world.rng.below(2) === 0) {
      this.world.reached('owner killed while a release is paused');
      return this.#kill(node);
    }
    this.world.reached("the owner's wall clock set while a release is paused");
    const byMs = this.world.rng.below(2) === 0 ? HOUR_MS : -HOUR_MS;
    const { time } = node.process;
    time.setWall(byMs);
    this.#for(1_000, 6_000, () => time.setWall(-byMs));
  }

  /** Of an owner of a scope that has just been pinned: by its clock pins end soon, or not for an hour. */
  whilePinned(node: ControlPlaneNode): void {
    const { rng } = this.world;
    const { time } = node.process;
    switch (rng.below(4)) {
      case 0:
        this.world.reached('owner killed while a scope is pinned');
        return this.#kill(node);
      case 1:
        this.world.reached("the owner's clock jumped while a scope is pinned");
        return time.jump(CLOCK_JUMP_MS);
    }
    this.world.reached("the owner's wall clock set while a scope is pinned");
    const byMs = rng.below(4) === 0 ? -HOUR_MS : SHORTEST_PIN_MS;
    time.setWall(byMs);
    this.#for(2_000, 8_000, () => time.setWall(-byMs));
  }

  #next(): void {
    this.world.later(EVERY_MS * 2 * this.world.rng.next(), () => {
      if (this.world.isOver) return;
      if (this.world.isCalm) this.#leaveAlone();
      else this.#kinds[this.world.rng.below(this.#kinds.length)]?.();
      this.#next();
    });
  }

  #for(least: number, most: number, end: () => void): void {
    this.world.later(least + this.world.rng.next() * (most - least), end);
  }

  /** More often than not the owner of what is written most. */
  #node(): ControlPlaneNode | undefined {
    const nodes = [...this.world.nodes.values()];
    const owner = nodes.find(({ engine }) => engine.serves(rootOf(this.world.hot)));
    if (owner !== undefined && this.world.rng.below(3) > 0) return owner;
    return nodes[this.world.rng.below(Math.max(1, nodes.length))];
  }

  #crash(): void {
    const node = this.#node();
    if (node === undefined) return;
    this.world.reached('node killed');
    this.#kill(node);
  }

  #kill({ id }: ControlPlaneNode): void {
    this.world.kill(id);
    this.#for(20, 4_000, () => this.world.restart(id));
  }

  #pause(): void {
    const node = this.#node();
    if (node === undefined) return;
    this.world.reached('node paused');
    this.#standStill(node);
  }

  /** Up to more than twice the time that others need to take its shards. */
  #standStill({ id, process }: ControlPlaneNode): void {
    this.world.ledger.losses.struck(id);
    process.time.pause();
    this.#for(100, 12_000, () => process.time.resume());
  }

  /** At a certain statement of its next transaction. */
  #pauseInCommit(): void {
    const node = this.#node();
    const step = STEPS[this.world.rng.below(STEPS.length)];
    if (node === undefined || step === undefined) return;
    node.sessions.onStep = (at, what) => {
      if (at !== step || what !== 'commit') return false;
      node.sessions.onStep = () => false;
      this.world.reached(`owner paused inside a commit: ${step}`);
      this.#standStill(node);
      return true;
    };
  }

  /** Only while all are there, and have been for longer than they take to be given shards. */
  #leaveAlone(): void {
    const nodes = [...this.world.nodes.values()];
    const ready = nodes.filter((node) => !node.leaving && node.startedForMs > 2 * LEASE_TTL_MS);
    if (ready.length === this.world.ids.length) this.#leave();
  }

  #leave(): void {
    const node = this.#node();
    if (node === undefined || !node.started || node.leaving) return;
    this.world.reached('planned stop');
    node.process.time.run(() => {
      void node.leave().then(() => {
        if (this.world.nodes.get(node.id) !== node) return;
        this.world.reached('planned stop done');
        this.world.stopped(node);
        this.#for(20, 6_000, () => this.world.restart(node.id));
      });
    });
    this.#for(20_000, 25_000, () => {
      if (this.world.nodes.get(node.id) !== node) return;
      this.world.kill(node.id);
      this.#for(20, 2_000, () => this.world.restart(node.id));
    });
  }

  #isolate(): void {
    const node = this.#node();
    if (node === undefined) return;
    this.world.reached('node cut off from the quorum');
    this.world.ledger.losses.struck(node.id);
    this.world.quorum.logs.network.isolate(node.id, this.world.ids);
    this.world.doubtful.add(node.id);
    this.#for(4_000, 9_000, () => {
      this.#heal();
      this.world.doubtful.delete(node.id);
    });
  }

  /** Its clock stands still as well: it takes what it knew for as young as before. */
  #suspend(): void {
    const node = this.#node();
    if (node === undefined) return;
    this.world.reached('machine suspended');
    this.world.ledger.losses.struck(node.id);
    node.process.time.suspend();
    this.#for(100, 9_000, () => node.process.time.resume());
  }

  #cutOneWay(): void {
    const { network } = this.world.quorum.logs;
    for (const from of this.world.ids) {
      for (const to of this.world.ids) {
        if (from !== to && this.world.rng.below(3) === 0) network.cut(from, to);
      }
    }
    this.world.reached('links of the quorum cut one way');
    this.#for(100, 6_000, () => this.#heal());
  }

  /** Not while the majority is gone, which stays so for its own time. */
  #heal(): void {
    if (this.world.majority) this.world.quorum.logs.network.heal();
  }

  #loseMajority(): void {
    const { network } = this.world.quorum.logs;
    this.world.reached('quorum without majority');
    this.world.majority = false;
    for (const id of this.world.ids) network.isolate(id, this.world.ids);
    const longest = this.world.rng.below(4) === 0 ? 150_000 : 12_000;
    this.#for(4_000, longest, () => {
      network.heal();
      this.world.majority = true;
    });
  }

  #disturbQuorum(): void {
    const { faults } = this.world.quorum.logs.network;
    const { rng } = this.world;
    this.world.reached('network of the quorum disturbed');
    faults.loss = rng.next() * 0.15;
    faults.duplication = rng.next() * 0.2;
    faults.maxDelayMs = 1 + rng.next() * 80;
    this.#for(100, 3_000, () => this.world.calmNetwork());
  }

  #hangDisk(): void {
    const node = this.#node();
    const disk = node && this.world.quorum.logs.disks.get(node.id);
    if (disk === undefined) return;
    this.world.reached('disk hung');
    disk.hangs = true;
    this.#for(100, 5_000, () => {
      disk.hangs = false;
    });
  }

  #transfer(): void {
    const leader = this.#leader();
    if (leader === undefined) return;
    const members = leader.host.changes.list();
    const target = members[this.world.rng.below(Math.max(1, members.length))];
    if (target === undefined) return;
    leader.time.run(() => {
      void leader.node.transferLeadership(target.number).then(
        () => this.world.reached('leadership transferred'),
        () => undefined,
      );
    });
  }

  #leader(): QuorumProcess | undefined {
    const id = this.world.quorum.logs.leader();
    return id === null ? undefined : this.world.quorum.processes.get(id);
  }

  #disturbClock(): void {
    const { rng } = this.world;
    const node = this.#node();
    if (node === undefined) return;
    const { time } = node.process;
    switch (rng.below(3)) {
      case 0:
        this.world.reached('clock runs wrongly');
        time.drift(RATES[rng.below(RATES.length)] ?? 5);
        return this.#for(100, 6_000, () => time.drift(1));
      case 1:
        this.world.reached('wall clock set');
        return time.setWall(rng.below(2) === 0 ? HOUR_MS : -HOUR_MS);
      default:
        this.world.reached('monotonic clock jumped');
        return time.jump(CLOCK_JUMP_MS);
    }
  }

  #postgresAway(): void {
    const { postgres, rng } = this.world;
    if (rng.below(2) === 0) {
      this.world.reached('PostgreSQL refuses');
      postgres.refuse();
    } else {
      this.world.reached('PostgreSQL stalls');
      postgres.stall();
    }
    this.#for(100, 7_000, () => postgres.resume());
  }

  #postgresRestarts(): void {
    const { postgres } = this.world;
    this.world.reached('PostgreSQL restarts');
    postgres.restart();
    postgres.refuse();
    this.#for(50, 2_000, () => postgres.resume());
  }

  #loseAnswers(): void {
    const node = this.#node();
    if (node === undefined) return;
    node.sessions.faults.lostAnswers = 0.05 + this.world.rng.next() * 0.3;
    this.#for(100, 4_000, () => {
      node.sessions.faults.lostAnswers = 0;
    });
  }

  #cutFromPostgres(): void {
    const node = this.#node();
    if (node === undefined) return;
    this.world.reached('node cut off from PostgreSQL');
    node.sessions.faults.cut = true;
    this.#for(100, 9_000, () => {
      node.sessions.faults.cut = false;
    });
  }

  #natsAway(): void {
    this.world.reached('NATS restarts');
    this.world.nats.stop();
    this.#for(100, 5_000, () => this.world.nats.start());
  }

  #cutFromNats(): void {
    const node = this.#node();
    if (node === undefined) return;
    this.world.reached('node cut off from NATS');
    node.connection.cut();
    this.#for(100, 9_000, () => node.connection.heal());
  }

  #disturbNats(): void {
    const { nats, rng } = this.world;
    this.world.reached('NATS loses and repeats messages');
    nats.faults.loss = rng.next() * 0.4;
    nats.faults.duplication = rng.next() * 0.5;
    nats.faults.lostAcks = rng.next() * 0.3;
    nats.faults.lagMs = rng.next() * 500;
    this.#for(500, 6_000, () => this.world.calmNats());
  }

  #deleteStreams(): void {
    if (this.world.rng.below(3) > 0) return;
    this.world.reached('streams deleted');
    this.world.ledger.streamsDeleted();
    this.world.nats.deleteStreams();
  }

  #slowWires(): void {
    this.world.reached('slow connections');
    this.world.wire.delays.maxMs = 20 + this.world.rng.next() * 200;
    this.#for(500, 4_000, () => {
      this.world.wire.delays.maxMs = 2;
    });
  }

  #killConsumer(): void {
    const consumer = this.world.consumers[this.world.rng.below(this.world.consumers.length)];
    if (consumer?.isRunning !== true) return;
    this.world.reached('consumer killed');
    consumer.kill();
    this.#for(20, 3_000, () => {
      if (!consumer.isRunning) consumer.start();
    });
  }

  #pauseConsumer(): void {
    const consumer = this.world.consumers[this.world.rng.below(this.world.consumers.length)];
    if (consumer?.isRunning !== true) return;
    const { time } = consumer;
    time.pause();
    this.#for(100, 6_000, () => time.resume());
  }
}

function rootOf(address: string): string {
  return address.split('/', 1)[0] ?? '';
}
