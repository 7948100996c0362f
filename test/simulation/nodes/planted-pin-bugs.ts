import { edit } from './planted-bugs.js';
import type { PlantedBug } from './planted-bugs.js';

const PLAN = 'libs/domain/src/release/plan-pin.ts';

/** Faults of scopes that are pinned to a version of what lies above them. */
export const PIN_BUGS: readonly Omit<PlantedBug, 'staged'>[] = [
  {
    name: 'a release in stages reaches scopes that keep another version',
    edits: [
      edit(
        'libs/engine/src/sharding/path-releases.ts',
        'return pinned === undefined ? release.staged : null;',
        'return release.staged;',
      ),
    ],
    finds: /tells the releases under way/,
    seed: 6,
  },
  {
    name: 'what is pinned does not tell that it goes down',
    edits: [
      edit(
        'libs/domain/src/snapshot/snapshot-input.ts',
        '...{ releaseVersion, loweredAt: releaseVersion, pinnedAt: at },',
        '...{ releaseVersion, loweredAt: null, pinnedAt: at },',
      ),
    ],
    finds: /is of the layers that are released|is told at .* in the same commit/,
    seed: 2,
  },
  {
    name: 'whoever takes a shard over forgets what is pinned',
    edits: [
      edit(
        'libs/engine/src/sharding/build-nodes.ts',
        'if (pins.length === 0) return NOTHING_PINNED;',
        'if (pins.length >= 0) return NOTHING_PINNED;',
      ),
    ],
    finds: /is what its inputs give|has a variant for each cohort/,
    seed: 27,
  },
  {
    name: 'a pin ends by a clock that is not the wall clock',
    edits: [
      edit(
        'libs/engine/src/release/expired-pins.ts',
        'return this.context.clock.wallMs() >= this.context.parseTime(until);',
        'return this.context.clock.monotonicMs() >= this.context.parseTime(until);',
      ),
    ],
    finds: /the end of what .* keeps .* comes at .*, and not before/,
    seed: 9,
  },
  {
    name: 'nobody ends a pin whose time has passed',
    edits: [
      edit('libs/engine/src/release/timed-releases.ts', 'this.parts.pins.lookAt(root, node);', ''),
    ],
    finds: /once the faults end there is .* no pin whose time has passed/,
    seed: 6,
  },
  {
    name: 'a pin takes no release version of what it keeps',
    edits: [edit(PLAN, 'above: { ...above, releaseVersion },', 'above: null,')],
    finds: /under a release version of its own/,
    seed: 2,
  },
];
