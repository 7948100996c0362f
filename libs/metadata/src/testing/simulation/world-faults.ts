import { members as membersOf } from '@pawl/raft/core';
import { addressOf } from '../simulated-quorum.js';
import { disturbClock } from './clock-faults.js';
import { strandLeader } from './strand-leader.js';
import type { World } from './world.js';

const PAUSE_MS = 600;
/** Fewer members than this are never left on purpose. */
const LEAST_MEMBERS = 3;
/** A member that was removed runs on for a while. */
const LEFT_RUNNING_MS = 12_000;

/** What goes wrong in a world, at random and for a while each. */
export class WorldFaults {
  /** Who was added or founded the cluster, and has not been removed for sure. */
  readonly #joined: Set<string>;

  constructor(
    private readonly world: World,
    founders: readonly string[],
  ) {
    this.#joined = new Set(founders);
  }

  start(): void {
    this.world.later(PAUSE_MS * this.world.rng.next(), () => {
      if (this.world.isOver) return;
      this.#happen();
      this.start();
    });
  }

  #happen(): void {
    const { world } = this;
    switch (world.rng.below(17)) {
      case 0:
      case 1:
        return this.#crash();
      case 2:
      case 3:
        return this.#pause();
      case 4:
      case 5:
        return this.#cut();
      case 6:
        return this.#disturb();
      case 7:
        return this.#hang();
      case 8:
      case 9:
        return this.#transfer();
      case 10:
      case 11:
        return strandLeader(world);
      case 12:
      case 13:
      case 14:
        return disturbClock(world);
      default:
        return this.#changeMembers();
    }
  }

  #crash(): void {
    const { world } = this;
    const process = world.pickProcess();
    if (process === null) return;
    const led = process.host.log.status().role === 'leader';
    world.reached(led ? 'leader crashed' : 'follower crashed');
    world.quorum.crash(process.id);
    world.later(20 + world.rng.next() * 2_500, () => world.restart(process.id));
  }

  /** Half of an election time, up to some of them: longer than leases live, at times. */
  #pause(): void {
    const { world } = this;
    const process = world.pickProcess();
    if (process === null) return;
    world.reached('process paused');
    world.stalled('pause');
    process.time.pause();
    world.later(100 + world.rng.next() * 3_000, () => process.time.resume());
  }

  #cut(): void {
    const { world } = this;
    const { network } = world.quorum.logs;
    const ids = [...world.quorum.processes.keys()];
    if (ids.length < 2) return;
    if (world.rng.below(3) === 0) {
      const process = world.pickProcess();
      if (process !== null) network.isolate(process.id, ids);
      world.reached('node isolated');
    } else {
      for (const from of ids) {
        for (const to of ids) if (from !== to && world.rng.below(3) === 0) network.cut(from, to);
      }
      world.reached('links cut one way');
    }
    world.later(100 + world.rng.next() * 3_000, () => network.heal());
  }

  #disturb(): void {
    const { world } = this;
    const { faults } = world.quorum.logs.network;
    faults.loss = world.rng.next() * 0.15;
    faults.duplication = world.rng.next() * 0.2;
    faults.maxDelayMs = 1 + world.rng.next() * 80;
    world.reached('network disturbed');
    world.later(world.rng.next() * 2_000, () => world.calmNetwork());
  }

  #hang(): void {
    const { world } = this;
    const process = world.pickProcess();
    const disk = process === null ? undefined : world.quorum.logs.disks.get(process.id);
    if (disk === undefined) return;
    world.reached('disk hung');
    disk.hangs = true;
    world.later(100 + world.rng.next() * 2_000, () => {
      disk.hangs = false;
    });
  }

  #transfer(): void {
    const { world } = this;
    const leader = world.leader();
    if (leader === null) return;
    const members = leader.host.changes.list();
    const target = members[world.rng.below(members.length)];
    if (target === undefined) return;
    leader.time.run(() => {
      if (!world.isRunning(leader)) return;
      void leader.node.transferLeadership(target.number).then(
        (outcome) => world.reached(`transfer: ${outcome}`),
        () => world.reached('transfer: no answer'),
      );
    });
  }

  #changeMembers(): void {
    const { world } = this;
    const { rng } = world;
    const leader = world.leader();
    if (leader === null) return;
    const members = membersOf(leader.host.log.status().configuration);
    // A leader that has been replaced may not know who came in since, and must not lose what it holds.
    const spare = world.spareIds([...members, ...this.#joined]);
    if (spare.length > 0 && (members.length <= LEAST_MEMBERS || rng.below(2) === 0)) {
      const id = spare[rng.below(spare.length)] ?? '';
      /* What comes in again comes with an empty disk. */
      world.takeAway(id);
      world.ask(
        ({ node }) =>
          node.addMember({ id, peerAddress: addressOf(id), learner: rng.below(4) === 0 }),
        (added) => {
          if (added === 'unknown' || added === 'failed') return;
          world.reached(added.ok ? 'member added' : `member not added: ${added.refusal}`);
          if (!added.ok) return;
          this.#joined.add(id);
          world.restart(id);
        },
      );
    } else if (members.length > LEAST_MEMBERS) {
      const id = members[rng.below(members.length)];
      const number = leader.host.changes.list().find((member) => member.id === id)?.number;
      if (number === undefined) return;
      world.ask(
        ({ node }) => node.removeMember(number),
        (removed) => {
          if (removed === 'unknown' || removed === 'failed') return;
          world.reached(removed.ok ? 'member removed' : `not removed: ${removed.refusal}`);
          const left = id === undefined ? undefined : world.quorum.processes.get(id);
          if (removed.ok && id !== undefined) this.#joined.delete(id);
          if (!removed.ok || left === undefined) return;
          world.later(world.rng.next() * LEFT_RUNNING_MS, () => {
            if (world.isRunning(left)) world.takeAway(left.id);
          });
        },
      );
    }
  }
}
