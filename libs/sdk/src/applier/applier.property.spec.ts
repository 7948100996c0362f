import { snapshotHash } from '@pawl/contracts';
import type { Snapshot, SnapshotInput } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ApplierWorld } from '../testing/applier-world.js';
import { ADDRESS, asReceived, makeSnapshot } from '../testing/make-snapshot.js';

const LAYERS = ['acme', 'acme/prod', ADDRESS];

interface Change {
  readonly layer: number;
  readonly up: boolean;
  readonly absent: boolean;
  readonly byHash: boolean;
}

/** What an owner publishes over time: promotions and rollbacks, `loweredAt` kept for ever. */
function historyOf(changes: readonly Change[]): readonly Snapshot[] {
  let inputs: readonly SnapshotInput[] = LAYERS.map((address) => ({
    address,
    definitionVersion: 1,
    releaseVersion: 1,
    loweredAt: null,
  }));
  return changes.map(({ layer, up, absent, byHash }, index) => {
    const version = index + 1;
    inputs = inputs.map((input, at) => {
      if (at !== layer) return input;
      const releaseVersion = input.releaseVersion + 1;
      const before = input.definitionVersion ?? 1;
      if (up || before === 1) return { ...input, definitionVersion: before + 1, releaseVersion };
      const definitionVersion = Math.max(1, before - 2);
      return { ...input, definitionVersion, releaseVersion, loweredAt: releaseVersion };
    });
    const document = absent ? null : { version };
    return makeSnapshot({ version, inputs, document, byHash: byHash && !absent });
  });
}

function withoutLoweredAt(snapshot: Snapshot, version: number): Snapshot {
  const inputs = snapshot.inputs.map((input) => ({
    ...input,
    definitionVersion: 0.5,
    loweredAt: null,
  }));
  const { hash: _, ...body } = { ...snapshot, version, inputs };
  return { ...body, hash: snapshotHash(body, sha256) };
}

const change = fc.record({
  layer: fc.nat(LAYERS.length - 1),
  up: fc.boolean(),
  absent: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
  byHash: fc.boolean(),
});
const event = fc.record({
  kind: fc.constantFrom(
    ...(['push', 'push', 'read', 'named', 'nothing', 'answer', 'answer', 'answer'] as const),
    ...([
      'restart',
      'late disk',
      'disk',
      'settle',
      'damaged',
      'foreign',
      'lowered',
      'conflict',
    ] as const),
  ),
  pick: fc.nat(1_000),
});

function play(
  world: ApplierWorld,
  history: readonly Snapshot[],
  { kind, pick }: { readonly kind: string; readonly pick: number },
): void {
  const snapshot = asReceived(history[pick % history.length]!);
  const running = world.applier.running;
  if (kind === 'push') world.give({ kind: 'pushed', snapshot });
  if (kind === 'read') world.give({ kind: 'read', snapshot });
  if (kind === 'nothing') world.give({ kind: 'read', snapshot: null });
  if (kind === 'named') world.give({ kind: 'named', point: snapshot, hash: snapshot.hash });
  if (kind === 'settle') world.give({ kind: 'settle' });
  if (kind === 'restart') {
    world.restart();
    if (world.disk === null) meet(world, history);
  }
  if (kind === 'late disk') {
    world.restart('is late');
    meet(world, history);
  }
  if (kind === 'disk') world.answerDisk();
  if (kind === 'answer' && world.waiting.length > 0) world.answer(pick % world.waiting.length);
  if (kind === 'damaged') {
    world.give({ kind: 'pushed', snapshot: { ...snapshot, version: history.length + pick } });
  }
  if (kind === 'foreign') {
    const version = history.length + pick;
    world.give({ kind: 'pushed', snapshot: makeSnapshot({ version, installation: 'main/other' }) });
  }
  if (kind === 'lowered' && running !== null) {
    const forged = withoutLoweredAt(snapshot, history.length + 1 + pick);
    world.give({ kind: 'pushed', snapshot: forged });
  }
  if (kind === 'conflict' && running !== null) {
    const forged = makeSnapshot({ version: running.version, document: { forged: pick } });
    world.give({ kind: 'pushed', snapshot: forged });
  }
}

it('never goes back, never applies what it should not, and ends on the newest acceptable', () => {
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.array(event, { maxLength: 60 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
      (changes, events, refusedVersions) => {
        const history = historyOf(changes);
        const world = new ApplierWorld();
        world.refuses = (_, version) => (refusedVersions.includes(version) ? 'refused' : null);
        for (const { version, variants } of history) {
          if (variants['']?.absent !== true) world.keep({ version });
        }
        meet(world, history);
        let floor = { version: 0, from: 0 };
        for (const each of events) {
          const late = each.kind === 'disk' && world.applier.running === null ? world.late : null;
          if (each.kind.includes('restart') || each.kind === 'late disk')
            floor = { version: 0, from: 0 };
          const atBoot = each.kind === 'restart' ? (world.disk?.head.version ?? 0) : null;
          play(world, history, each);
          check(world, history, refusedVersions);
          if (late !== null) floor = { version: late.head.version, from: world.applied.length };
          const isRefused = world.rejections.some(({ version }) => version === floor.version);
          const lower = world.applied
            .slice(floor.from)
            .find(({ head }) => head.version < floor.version);
          expect(isRefused ? undefined : lower).toBeUndefined();
          if (atBoot !== null)
            expect(world.applied.every(({ head }) => head.version >= atBoot)).toBe(true);
        }
        finish(world, history);
        check(world, history, refusedVersions);
        const newest = history.at(-1)!;
        const refused =
          refusedVersions.includes(newest.version) && newest.variants['']?.absent !== true;
        if (refused) expect(world.applier.rejected?.version).toBeGreaterThanOrEqual(newest.version);
        else
          expect(world.applier.running).toMatchObject({
            version: newest.version,
            hash: newest.hash,
          });
      },
    ),
    { numRuns: 500 },
  );
});

/** The genuine installation is met first: whoever comes first is believed. */
function meet(world: ApplierWorld, history: readonly Snapshot[]): void {
  world.give({ kind: 'pushed', snapshot: asReceived(history[0]!) });
}

function finish(world: ApplierWorld, history: readonly Snapshot[]): void {
  world.settle();
  world.give({ kind: 'read', snapshot: asReceived(history.at(-1)!) });
  world.give({ kind: 'settle' });
  world.settle();
}

function check(
  world: ApplierWorld,
  history: readonly Snapshot[],
  refused: readonly number[],
): void {
  world.applied.forEach(({ head, document, previous }, index) => {
    const before = world.applied[index - 1]?.head.version ?? null;
    const genuine = history[head.version - 1];
    expect(previous).toBe(before);
    expect(head.version).toBeGreaterThan(before ?? 0);
    expect(head.hash).toBe(genuine?.hash);
    if (genuine?.variants['']?.absent === true) expect(document).toBeUndefined();
    else expect(document).toEqual({ version: head.version });
    if (document !== undefined) expect(refused).not.toContain(head.version);
  });
}
