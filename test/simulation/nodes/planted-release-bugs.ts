import { edit } from './planted-bugs.js';
import type { PlantedBug } from './planted-bugs.js';

const RELEASE = 'libs/engine/src/release';
const WATCH = `${RELEASE}/watch-releases.ts`;
const EVALUATE = `${RELEASE}/evaluate-change.ts`;
const SCHEMAS =
  'const own = path.flatMap((layer) => wanted(layer, cohort.releases)?.schema ?? []);';

type ReleaseBug = Omit<PlantedBug, 'staged'>;

/** Faults that releases in stages could have. */
const BUGS: readonly ReleaseBug[] = [
  {
    name: 'a stage that grows chooses anew',
    edits: [
      edit(
        'libs/domain/src/release/reach-stages.ts',
        'const named = place.told?.named ?? [];',
        'const named: readonly string[] = [];',
      ),
    ],
    finds: /moves nobody out/,
    seed: 1,
  },
  {
    name: 'an abort does not tell that the layer goes down',
    edits: [
      edit(
        'libs/domain/src/release/staged-transitions.ts',
        "return changed(state, { state: 'idle', staged: null, contributes: true, lowers: true });",
        "return changed(state, { state: 'idle', staged: null, contributes: true });",
      ),
    ],
    finds: /(abort|rollback) of .* is allowed|that runs it/,
    seed: 1,
  },
  {
    name: 'what candidates read is checked by the schemas of the stable layers',
    edits: [
      edit(
        EVALUATE,
        SCHEMAS,
        'const own = path.flatMap((layer) => wanted(layer, new Set())?.schema ?? []);',
      ),
    ],
    finds: / for \w+.* satisfies the schema of/,
    seed: 1,
  },
  {
    name: 'what candidates read is not checked by the schemas below what is released',
    edits: [
      edit(
        EVALUATE,
        SCHEMAS,
        "const upTo = cohort.key === '' ? path.length : 1 + path.findIndex((layer) => layer.change !== undefined);\n    " +
          SCHEMAS.replace('path.flatMap', 'path.slice(0, upTo).flatMap'),
      ),
    ],
    finds: / for \w+.* satisfies the schema of/,
    seed: 1,
  },
  {
    name: 'whoever takes a shard over takes the stage for watched',
    edits: [
      edit(
        WATCH,
        '...{ id, stage, bakedMs: 0, publishedMs: null, versions: 0, shortMs: 0, verdict: null },',
        '...{ id, stage, bakedMs: stage > 0 && known === undefined ? Infinity : 0, publishedMs: null, versions: 0, shortMs: 0, verdict: null },',
      ),
    ],
    finds: /is watched for .* before it ends/,
    seed: 1,
  },
  {
    name: 'an owner advances whatever release version there is by then',
    edits: [
      edit(
        WATCH,
        'const expected = { expectedReleaseVersion: node.release.releaseVersion, reason: verdict.why };',
        'const expected = { reason: verdict.why };',
      ),
    ],
    finds: /is watched for .* before it ends/,
    seed: 1,
  },
  {
    name: 'an owner advances whatever its candidates reject',
    edits: [
      edit(
        `${RELEASE}/judge-gates.ts`,
        'if (all.rejected - forgiven.rejected <= (gate.limit ?? 0)) return undefined;',
        'if (all.rejected >= 0) return undefined;',
      ),
    ],
    finds: /does not end while/,
    seed: 6,
  },
  {
    name: 'a clock that jumps ahead skips a bake',
    edits: [
      edit(
        WATCH,
        'stepMs: Math.min(nowMs - (seenMs ?? nowMs), MAX_STEP_MS)',
        'stepMs: nowMs - (seenMs ?? nowMs)',
      ),
    ],
    finds: /is watched for .* before it ends/,
    seed: 1,
  },
  {
    name: 'a consumer keeps the slot that it was told first',
    edits: [
      edit(
        'libs/sdk/src/applier/own-identity.ts',
        'if (slot === this.#value.slot) return false;',
        'if (slot === this.#value.slot || this.#value.slot !== null) return false;',
      ),
    ],
    finds: /as a candidate of/,
    seed: 1,
  },
];

export const PLANTED_RELEASE_BUGS: readonly PlantedBug[] = BUGS.map((bug) => ({
  ...bug,
  staged: true,
}));
