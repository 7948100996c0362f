import { edit } from './planted-bugs.js';
import type { PlantedBug } from './planted-bugs.js';
import { LATER_BUGS } from './planted-later-bugs.js';
import { PIN_BUGS } from './planted-pin-bugs.js';

const WATCH = 'libs/engine/src/release/stage-watch.ts';

type ReleaseBug = Omit<PlantedBug, 'staged'>;

/** Faults that releases in stages could have. */
const BUGS: readonly ReleaseBug[] = [
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
    seed: 4,
  },
  {
    name: 'whoever takes a shard over takes the stage for watched',
    edits: [
      edit(
        WATCH,
        '...{ id, stage, bakedMs: 0, publishedMs: null, shortMs: 0, verdict: null },',
        '...{ id, stage, bakedMs: stage > 0 && known === undefined ? Infinity : 0, publishedMs: null, shortMs: 0, verdict: null },',
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
    seed: 2,
  },
];

export const PLANTED_RELEASE_BUGS: readonly PlantedBug[] = [
  ...BUGS,
  ...LATER_BUGS,
  ...PIN_BUGS,
].map((bug) => ({ ...bug, staged: true }));
