import { address, judgeSnapshot, layerAddresses } from '@pawl/contracts';
import type { ReleaseRequest, Snapshot, SnapshotInput } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildSnapshot } from '../snapshot/build-snapshot.js';
import { computeHead } from '../snapshot/compute-head.js';
import { snapshotInput } from '../snapshot/snapshot-input.js';
import { planTransition } from './plan-transition.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';

/** `PAWL_SEED=n` replays a run. */
const seed = Number(process.env['PAWL_SEED'] ?? Date.now() % 2 ** 31);
process.stdout.write(`property tests run with PAWL_SEED=${seed}\n`);

const PATH = layerAddresses(address('acme/prod/checkout'));
const INSTALLATION = 'main/0f3c';
const own = { installation: INSTALLATION };

/** One step of an operator: `define` writes a version, the rest are release actions. */
interface Step {
  readonly layer: number;
  readonly action: string;
  readonly target: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  layer: fc.nat({ max: PATH.length - 1 }),
  action: fc.constantFrom(
    ...['define', 'define', 'promote', 'promote', 'rollback', 'rollback'],
    ...['disable', 'enable', 'block', 'unblock'],
  ),
  target: fc.integer({ min: 1, max: 6 }),
});

/** Three layers with a history behind them, so that every action has something to act on. */
const prelude: readonly Step[] = PATH.flatMap((_, layer) =>
  ['define', 'define', 'define', 'promote'].map((action) => ({ layer, action, target: 3 })),
);

class Path {
  readonly newest = PATH.map(() => 0);
  readonly releases: ReleaseState[] = PATH.map(() => INITIAL_RELEASE);
  readonly published: Snapshot[] = [];

  run(steps: readonly Step[]): this {
    for (const { layer, action, target } of steps) {
      if (action === 'define') this.newest[layer]! += 1;
      else this.release(layer, action, target);
    }
    return this;
  }

  get last(): Snapshot {
    return this.published.at(-1)!;
  }

  private release(layer: number, action: string, target: number): void {
    const targeted = !['disable', 'enable'].includes(action);
    const request: ReleaseRequest = { action, ...(targeted ? { targetVersion: target } : {}) };
    const outcome = planTransition({
      ...{ state: this.releases[layer]!, newestVersion: this.newest[layer]! },
      ...{ request, address: PATH[layer]!.text },
    });
    if (!outcome.ok || !outcome.value.changed) return;
    this.releases[layer] = outcome.value.next;
    const inputs = PATH.flatMap(({ text }, at) => snapshotInput(text, this.releases[at]!) ?? []);
    this.published.push(publish(this.published.length + 1, inputs));
  }
}

function publish(version: number, inputs: readonly SnapshotInput[]): Snapshot {
  const document = { inputs: inputs.map((input) => input.definitionVersion) };
  const { head } = computeHead({
    ...{ installation: INSTALLATION, address: PATH.at(-1)!.text, generation: 1, version },
    ...{ inputs, document, sha256 },
  });
  const publishedAt = '2026-01-02T03:04:05.678Z';
  return buildSnapshot({ installation: INSTALLATION, head, token: 1n, publishedAt, document });
}

function versionAt(snapshot: Snapshot, layer: string): number {
  return snapshot.inputs.find((input) => input.address === layer)?.definitionVersion ?? 0;
}

const runs = { seed, numRuns: 500 };
const history = fc.array(step, { minLength: 1, maxLength: 40 });
const steps = (text: string): Step[] =>
  text.split(', ').map((word) => {
    const [action = '', target = '1', layer = '2'] = word.split(' ');
    return { action, target: Number(target), layer: Number(layer) };
  });

describe('a consumer that slept', () => {
  it('accepts the newest snapshot whichever earlier one it holds', () => {
    fc.assert(
      fc.property(history, (each) => {
        const { published, last } = new Path().run(prelude).run(each);
        for (const held of published.slice(0, -1)) {
          const lowered = held.inputs.some(
            (input) => versionAt(last, input.address) < (input.definitionVersion ?? 0),
          );
          expect(judgeSnapshot(held, last, own)).toEqual({ kind: 'accept', lowered });
        }
      }),
      runs,
    );
  });

  it('accepts every later snapshot, wakes and sleeps as it may', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.boolean()), (each, wakes) => {
        const { published } = new Path().run(prelude).run(each);
        published.reduce((held, incoming) => {
          if (!wakes.next().value) return held;
          expect(judgeSnapshot(held, incoming, own).kind).toBe('accept');
          return incoming;
        });
      }),
      runs,
    );
  });

  it.each([
    'promote 4, rollback 2, promote 3, disable, enable',
    'disable, rollback 1, enable',
    'disable, rollback 2, rollback 1, enable, block 2, promote 3',
    'rollback 1, disable, enable, promote 2',
    'disable, enable, rollback 1, promote 2',
    'rollback 2, promote 4, rollback 3, disable',
    'rollback 1, rollback 2 1, disable 1 0, promote 3, rollback 2, enable 1 0',
  ])('accepts the newest after: %s', (text) => {
    const path = new Path().run(prelude);
    const held = path.last;
    path.run(steps(`define, ${text}`));
    for (const earlier of path.published.slice(0, -1)) {
      expect(judgeSnapshot(earlier, path.last, own).kind).toBe('accept');
    }
    expect(held.version).toBeLessThan(path.last.version);
  });
});

describe('a layer forged lower without saying so', () => {
  const forgery = fc.record({
    layer: fc.nat({ max: PATH.length - 1 }),
    kind: fc.constantFrom('lower', 'disabled', 'missing'),
    /** The forger moves the release version on, as a real change would. */
    moved: fc.boolean(),
    drop: fc.integer({ min: 1, max: 5 }),
  });

  it('is refused, naming the layer', () => {
    let forged = 0;
    fc.assert(
      fc.property(history, forgery, (each, { layer, kind, moved, drop }) => {
        const { last } = new Path().run(prelude).run(each);
        const target = last.inputs[layer]!;
        const version = target.definitionVersion;
        fc.pre(version !== null && (kind !== 'lower' || version > drop));
        const lower: SnapshotInput = {
          ...target,
          definitionVersion: kind === 'lower' ? version - drop : null,
          releaseVersion: moved ? target.releaseVersion + 1 : target.releaseVersion,
        };
        const inputs = last.inputs.flatMap((input) => {
          if (input !== target) return [input];
          return kind === 'missing' ? [] : [lower];
        });
        const judgement = judgeSnapshot(last, publish(last.version + 1, inputs), own);
        expect(judgement.kind).toBe('refuse');
        expect(judgement).toHaveProperty(
          'reason',
          expect.stringContaining(`${target.address} was`),
        );
        forged += 1;
      }),
      runs,
    );
    expect(forged).toBe(runs.numRuns);
  });
});
