import { seededRng } from '@pawl/kernel';
import { describe, expect, it, vi } from 'vitest';
import { SimulatedFolder } from '../testing/index.js';
import type { Crash } from '../testing/index.js';
import { openStorage } from './raft-storage.js';
import { ScriptedLeader } from './scripted-leader.fixture.js';
import type { FollowerState } from './scripted-leader.fixture.js';

/* Many images each, on a machine that may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const SETTINGS = { segmentBytes: 3000, snapshotEntries: 30 };

interface Workload {
  readonly folder: SimulatedFolder;
  readonly states: readonly FollowerState[];
}

async function workload(seed: number, steps: number): Promise<Workload> {
  const folder = SimulatedFolder.empty();
  const leader = await ScriptedLeader.start(folder, seededRng(seed), SETTINGS);
  for (let step = 0; step < steps; step += 1) await leader.step();
  for (const times of Object.values(leader.told)) expect(times).toBeGreaterThan(1);
  const { log } = leader.states.at(-1)!;
  expect(leader.machine.commands).toEqual(
    log.slice(0, leader.node.status().appliedIndex).map(({ command }) => command),
  );
  await leader.node.stop();
  return { folder, states: leader.states };
}

/** Every crash that the list of variants knows, at one point of the journal. */
function crashesAt(folder: SimulatedFolder, at: number): Crash[] {
  const crashes: Crash[] = [{ kind: 'kept' }, { kind: 'lost' }];
  for (const sectorBytes of [512, 4096] as const) {
    for (let seed = 0; seed < 2; seed += 1) {
      crashes.push({ kind: 'torn', rng: seededRng(at * 31 + seed), sectorBytes });
    }
  }
  const last = folder.journal[at - 1];
  if (last?.op === 'write') {
    const { length } = last.bytes;
    for (const cutTo of [1, 33, length >> 1, length - 1]) {
      if (cutTo < length) crashes.push({ kind: 'kept', cutTo });
    }
  }
  return crashes;
}

interface Recovered {
  readonly commands: readonly string[];
  /** Of the entries that are not in the snapshot. */
  readonly terms: readonly number[];
  readonly snapshotTerm: number;
  readonly commit: number;
}

async function recover(image: SimulatedFolder): Promise<Recovered> {
  const { segmentBytes } = SETTINGS;
  const who = { nodeId: 'n1', clusterId: 'c1', founders: ['l1', 'l2', 'n1'] };
  const storage = await openStorage({ folder: image, segmentBytes, ...who, newId: () => 'x' });
  await storage.log.close();
  const { snapshotState, state } = storage;
  const base =
    snapshotState === null ? [] : (JSON.parse(Buffer.from(snapshotState).toString()) as string[]);
  expect(base).toHaveLength(state.snapshot.index);
  expect(state.snapshot.configuration.voters).toEqual(['l1', 'l2', 'n1']);
  return {
    commands: [...base, ...state.entries.map(({ data }) => Buffer.from(data).toString())],
    terms: state.entries.map(({ term }) => term),
    snapshotTerm: state.snapshot.term,
    commit: Math.max(state.hardState.commit, state.snapshot.index),
  };
}

/** Whether the node recovered to exactly what it held in `state`. */
function isState(recovered: Recovered, { log }: FollowerState): boolean {
  const { commands, terms, snapshotTerm } = recovered;
  if (commands.length !== log.length) return false;
  const from = log.length - terms.length;
  return (
    log.every(({ command }, at) => command === commands[at]) &&
    terms.every((term, at) => term === log[from + at]?.term) &&
    (from === 0 || log[from - 1]?.term === snapshotTerm)
  );
}

/** What was confirmed is held; at most what was being done when it crashed is done. */
function expectPromisesKept(recovered: Recovered, states: readonly FollowerState[], at: number) {
  const confirmed = states.filter(({ journal }) => journal <= at).length;
  const possible = states.slice(Math.max(0, confirmed - 1), confirmed + 1);
  const isNew = confirmed === 0 && recovered.commands.length === 0;
  expect(isNew || possible.some((state) => isState(recovered, state))).toBe(true);
  expect(recovered.commit).toBeLessThanOrEqual(possible.at(-1)?.commit ?? 0);
}

describe('a log that is overwritten and begins anew behind snapshots (#7)', () => {
  it.each([1, 2, 3])(
    'is what was confirmed, or one step on, after a crash at any point (workload %i)',
    async (seed) => {
      const { folder, states } = await workload(seed, 90);
      let images = 0;
      for (let at = 0; at <= folder.journal.length; at += 1) {
        for (const crash of crashesAt(folder, at)) {
          const where = `crash after operation ${at}: ${JSON.stringify(crash)}`;
          const image = folder.crashed(at, crash);
          const once = await recover(image).catch((cause: unknown) => {
            throw new Error(where, { cause });
          });
          try {
            expectPromisesKept(once, states, at);
            /* Again, after a crash in the middle of that recovery. */
            const again = seededRng(at).below(image.journal.length + 1);
            const rng = seededRng(at * 7 + images);
            const twice = await recover(image.crashed(again, { kind: 'torn', rng }));
            expect(twice).toEqual(once);
          } catch (cause) {
            throw new Error(where, { cause });
          }
          images += 1;
        }
      }
      expect(images).toBeGreaterThanOrEqual(2000);
    },
  );

  it('is refused, or whole, with any bit of it flipped', async () => {
    const { folder, states } = await workload(4, 60);
    const rng = seededRng(9);
    let refused = 0;
    let flips = 0;
    const last = folder.journal.length;
    for (const name of await folder.list()) {
      const { length } = await folder.read(name);
      for (let flip = 0; flip < 150; flip += 1) {
        const image = folder.crashed(last, { kind: 'kept' });
        const place = flip < 64 ? flip % length : rng.below(length);
        const bit = 1 << rng.below(8);
        image.damage(name, (bytes) => {
          bytes[place] = (bytes[place] ?? 0) ^ bit;
          return bytes;
        });
        flips += 1;
        const outcome = await recover(image).catch((error: Error) => error);
        if (!(outcome instanceof Error)) {
          if (!isState(outcome, states.at(-1)!))
            throw new Error(`${name} byte ${place} bit ${bit}`);
          continue;
        }
        expect(outcome.name).toMatch(/^(CorruptionError|WrongFolderError)$/);
        refused += 1;
      }
    }
    expect(flips).toBeGreaterThanOrEqual(500);
    expect(refused).toBeGreaterThanOrEqual(400);
  });
});
