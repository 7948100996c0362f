import { cohortOf } from '@pawl/contracts';
import type { JsonObject, Snapshot } from '@pawl/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ApplierWorld } from '../testing/applier-world.js';
import { asReceived } from '../testing/make-snapshot.js';
import { documentOf, LAYERS, stagedHistory, WORKLOAD } from '../testing/staged-history.js';
import type { Change } from '../testing/staged-history.js';

const SLOTS = 3;
const slot = fc.nat(SLOTS - 1);
const change: fc.Arbitrary<Change> = fc.record({
  layer: fc.nat(LAYERS.length - 1),
  action: fc.constantFrom(
    ...(['promote', 'promote', 'grow', 'grow', 'complete', 'abort', 'rollback'] as const),
  ),
  slots: fc.array(slot, { minLength: 1, maxLength: 2 }),
  byHash: fc.boolean(),
});
const event = fc.record({
  kind: fc.constantFrom(
    ...(['publish', 'publish', 'read', 'read', 'lagging read', 'nothing', 'named'] as const),
    ...(['answer', 'answer', 'answer', 'answer', 'lease', 'lease', 'settle'] as const),
    ...([
      'move',
      'move',
      'catch up',
      'catch up',
      'catch up',
      'restart',
      'late disk',
      'disk',
      'forged',
    ] as const),
  ),
  pick: fc.nat(1_000),
});

/** A consumer, the stream that it reads, and the slot that the owner leased to this process of it. */
class Play {
  readonly world = new ApplierWorld();
  published = 1;
  leased: number | null | undefined;
  /** Reads that were asked for when the stream was last read. */
  #answered = 0;

  constructor(readonly history: readonly Snapshot[]) {
    for (const { version, variants } of history) {
      for (const cohort of Object.keys(variants)) this.world.keep(documentOf(version, cohort));
    }
  }

  get newest(): Snapshot {
    return this.history[this.published - 1]!;
  }

  step({ kind, pick }: { readonly kind: string; readonly pick: number }): void {
    const { world } = this;
    if (kind === 'publish') {
      this.published = Math.min(this.history.length, this.published + 1);
      if (pick % 2 === 0) world.give({ kind: 'pushed', snapshot: asReceived(this.newest) });
    }
    if (kind === 'read') this.read(this.newest);
    if (kind === 'move') this.lease(pick % SLOTS);
    if (kind === 'catch up' || kind === 'move') {
      world.settle();
      this.read(this.newest);
      world.settle();
    }
    if (kind === 'lagging read') this.read(this.history[pick % this.published]!);
    if (kind === 'nothing') world.give({ kind: 'read', snapshot: null });
    if (kind === 'named') world.give({ kind: 'named', point: this.newest, hash: this.newest.hash });
    if (kind === 'answer' && world.waiting.length > 0) world.answer(pick % world.waiting.length);
    if (kind === 'lease') this.lease(pick % (SLOTS + 1) === SLOTS ? null : pick % (SLOTS + 1));
    if (kind === 'settle') world.give({ kind: 'settle' });
    if (kind === 'disk') world.answerDisk();
    if (kind === 'restart' || kind === 'late disk') {
      this.leased = undefined;
      world.restart(kind === 'restart' ? 'answers' : 'is late');
    }
    if (kind === 'forged' && world.applier.running !== null) this.forge(pick);
  }

  lease(to: number | null): void {
    this.leased = to;
    this.world.give({ kind: 'leased', slot: to });
  }

  /** Reads what the stream holds as long as that is asked for. */
  catchUp(): void {
    const { world } = this;
    world.settle();
    for (let reads = 0; world.reads > this.#answered || world.applier.behind; reads += 1) {
      expect(reads).toBeLessThan(10);
      this.read(this.newest);
      world.settle();
    }
  }

  read(snapshot: Snapshot): void {
    this.#answered = this.world.reads;
    this.world.give({ kind: 'read', snapshot: asReceived(snapshot) });
  }

  /** The version that runs, with another content; a push may be anybody's. */
  forge(pick: number): void {
    const { version } = this.world.applier.running!;
    const snapshot = asReceived(this.history[version - 1]!);
    const cohort = Object.keys(snapshot.variants)[pick % Object.keys(snapshot.variants).length]!;
    const variant = snapshot.variants[cohort]!;
    Object.assign(variant, { inline: { forged: pick } });
    this.world.give({ kind: 'pushed', snapshot });
  }

  /** All that was applied is genuine, went forward, and is the variant of who the consumer was. */
  check(refused: (document: JsonObject) => boolean): void {
    this.world.applied.forEach(({ head, document }, index) => {
      const genuine = this.history[head.version - 1]!;
      expect(head.hash).toBe(genuine.hash);
      expect(head.cohort).toBe(cohortOf(genuine.releases, head.identity!));
      expect(document).toEqual(documentOf(head.version, head.cohort!));
      expect(refused(document!)).toBe(false);
      const before = this.world.applied[index - 1]?.head;
      const isMove =
        before === undefined ||
        head.version > before.version ||
        (head.version === before.version && head.cohort !== before.cohort);
      expect(isMove).toBe(true);
    });
  }

  /** What was applied last from the network is the variant of the slot that is leased by now. */
  checkNewlyApplied(from: number): void {
    if (this.leased === undefined) return;
    const identity = { workload: WORKLOAD, slot: this.leased, labels: {} };
    for (const { head, previous } of this.world.applied.slice(from)) {
      if (previous === null) continue;
      expect(head.cohort).toBe(cohortOf(this.history[head.version - 1]!.releases, identity));
    }
  }
}

it('runs the variant of its cohort, whatever comes between, and ends on that of the newest', () => {
  const seen = { again: 0, candidates: 0 };
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 10 }),
      fc.array(event, { minLength: 10, maxLength: 60 }),
      fc.uniqueArray(fc.integer({ min: 2, max: 10 }), { maxLength: 3 }),
      slot,
      (changes, events, refusedVersions, lastSlot) => {
        const play = new Play(stagedHistory(changes));
        // Of the versions refused either candidates or the others have nothing to fear.
        const refused = ({ version, cohort }: JsonObject): boolean =>
          refusedVersions.includes(version as number) &&
          ((version as number) % 2 === 0) === (cohort === '');
        play.world.refuses = (document) => (refused(document) ? 'refused' : null);
        play.read(play.newest);
        for (const each of events) {
          const from = each.kind.includes('restart') ? 0 : play.world.applied.length;
          play.step(each);
          play.check(refused);
          play.checkNewlyApplied(from);
          const applied = play.world.applied.slice(from);
          seen.again += applied.filter(({ head, previous }) => head.version === previous).length;
        }
        play.published = play.history.length;
        play.world.answerDisk();
        play.step({ kind: 'named', pick: 0 });
        play.catchUp();
        play.lease(lastSlot);
        play.world.settle();
        play.world.give({ kind: 'settle' });
        play.catchUp();
        play.check(refused);
        const identity = { workload: WORKLOAD, slot: lastSlot, labels: {} };
        const { version, releases } = play.newest;
        const cohort = cohortOf(releases, identity);
        const { running, rejected } = play.world.applier;
        if (refused(documentOf(version, cohort)))
          expect(rejected).toMatchObject({ version, cohort });
        else {
          expect(running).toMatchObject({ version, cohort, identity });
          expect(play.world.disk?.head).toEqual(running);
          expect(play.world.applier.behind).toBe(false);
        }
        // Whatever became of the newest: what runs is of the consumer's cohort, or that is refused there.
        const { version: at } = running ?? play.newest;
        const own = cohortOf(play.history[at - 1]!.releases, identity);
        const isOwn = running === null || running.cohort === own || refused(documentOf(at, own));
        const last = play.world.applied.at(-1);
        expect(isOwn || last?.previous === null).toBe(true);
        if (cohort !== '') seen.candidates += 1;
      },
    ),
    { numRuns: 300 },
  );
  expect(seen.candidates).toBeGreaterThan(20);
  expect(seen.again).toBeGreaterThan(20);
});
