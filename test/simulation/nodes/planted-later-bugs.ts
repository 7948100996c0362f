import { edit } from './planted-bugs.js';
import type { PlantedBug } from './planted-bugs.js';

const DOMAIN = 'libs/domain/src/release';
const ENGINE = 'libs/engine/src/release';
const QUEUE = `${DOMAIN}/queue-promote.ts`;

/** Faults of holds, approvals, expiries, freezes, and of promotes that begin later. */
export const LATER_BUGS: readonly Omit<PlantedBug, 'staged'>[] = [
  {
    name: 'a release that grows forgets whom it holds',
    edits: [
      edit(
        `${ENGINE}/grow-releases.ts`,
        'const releases = releasesAt(path, { before, reached: { id: staged.id, stages } });',
        'const releases = releasesAt(path, { before, reached: { id: staged.id, stages } }).map(({ held: _, ...release }) => release);',
      ),
    ],
    finds: /tells at .* whom it holds/,
    seed: 12,
  },
  {
    name: 'an instance of a workload that is held stays a candidate',
    edits: [
      edit(
        'libs/contracts/src/snapshot/cohort.ts',
        'if (held?.includes(workload) === true) return false;',
        'if (held?.includes(`${workload}/`) === true) return false;',
      ),
    ],
    finds: /as a candidate of/,
    seed: 3,
  },
  {
    name: 'a release ends by itself while it holds a workload',
    edits: [
      edit(
        `${ENGINE}/weigh-gates.ts`,
        'if (!isLast || held.length === 0) return undefined;',
        'if (!isLast || held.length >= 0) return undefined;',
      ),
    ],
    finds: /does not end while it holds/,
    seed: 3,
  },
  {
    name: 'an approval counts for the stages after its own, too',
    edits: [
      edit(
        `${ENGINE}/approval.ts`,
        'return staged.approved === staged.stage ||',
        'return staged.approved !== undefined ||',
      ),
    ],
    finds: /does not end before a person has said yes/,
    seed: 3,
  },
  {
    name: 'a promote that was queued stays so when it begins, and begins again',
    edits: [edit(QUEUE, 'targetVersion > reached &&', 'targetVersion >= reached &&')],
    finds: /promote of .* leaves queued what is to be/,
    seed: 2,
  },
  {
    name: 'what takes the place of what is queued leaves that there',
    edits: [
      edit(
        QUEUE,
        'return changed(state, { queued: next });',
        'return changed(state, { queued: queued ?? next });',
      ),
    ],
    finds: /promote of .* (is allowed|leaves queued)/,
    seed: 2,
  },
  {
    name: 'what is queued outlives what it was to follow',
    edits: [
      edit(
        QUEUE,
        'next.loweredAt === next.releaseVersion && !goesOn;',
        'next.loweredAt === next.releaseVersion && next.staged === null && before.staged === null;',
      ),
    ],
    finds: /leaves queued what is to be/,
    seed: 2,
  },
  {
    name: 'a freeze does not stop what reaches its scope from above',
    edits: [
      edit(
        `${ENGINE}/release-policy.ts`,
        "for (const node of policyNodes(tree, address, 'below')) {",
        'for (const node of [] as AddressNode[]) {',
      ),
    ],
    finds: /waits for the end of a freeze/,
    seed: 3,
  },
  {
    name: 'a rollback waits for the end of a freeze',
    edits: [
      edit(
        `${ENGINE}/release-policy.ts`,
        'const goesForward = FORWARD.has(request.action) &&',
        "const goesForward = (FORWARD.has(request.action) || request.action === 'rollback') &&",
      ),
    ],
    finds: /rollback, waits for nothing, and is refused: frozen/,
    seed: 3,
  },
  {
    name: 'a promote ends releases that it does not name',
    edits: [
      edit(
        `${ENGINE}/change-release.ts`,
        'names: change.request.preempt ?? [] };',
        'names: tree.reachedBelow(node.address).filter((one) => change.request.preempt !== undefined && one.release.staged !== null).map((one) => one.address.text) };',
      ),
    ],
    finds: /ends the release of .*, which it names/,
    seed: 43,
  },
  {
    name: 'a promote leaves the releases that it names under way',
    edits: [
      edit(
        `${ENGINE}/change-release.ts`,
        'let dropped = ended;',
        'let dropped: readonly Dropped[] = [];',
      ),
    ],
    finds: /ends the release of .* in one with it/,
    seed: 6,
  },
];
