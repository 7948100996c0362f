import { isJoint } from '@pawl/raft/core';
import type { Configuration, ConfigurationChange } from '@pawl/raft/core';
import type { MemberRecord } from '../state/index.js';

export type Progress = ReadonlyMap<string, { readonly match: number; readonly active: boolean }>;

/** What the leader sees of the members. */
export interface MembershipView {
  /** The leader. */
  readonly self: string;
  readonly members: readonly MemberRecord[];
  readonly configuration: Configuration;
  readonly progress: Progress;
}

export type MembershipStep =
  /** A member of the configuration has no record yet. */
  | { readonly kind: 'record'; readonly id: string }
  | { readonly kind: 'change'; readonly change: ConfigurationChange }
  /** The leader is to leave: another one has to see to that. */
  | { readonly kind: 'transfer'; readonly to: string }
  /** A member that was removed takes no part any more. */
  | { readonly kind: 'forget'; readonly id: string };

/**
 * The next step from the configuration there is to what is wanted of the members; null: none is
 * needed, or none is possible now. Decides only: each step is refused where it does not fit any more,
 * so that whoever leads goes on from wherever the leader before was lost.
 */
export function planMembership(view: MembershipView): MembershipStep | null {
  const { members, configuration } = view;
  if (isJoint(configuration)) return null;
  const { voters, learners } = configuration;
  const known = new Map(members.map((member) => [member.id, member]));
  const unknown = [...voters, ...learners].find((id) => !known.has(id));
  if (unknown !== undefined) return { kind: 'record', id: unknown };
  const takesPart = ({ id }: MemberRecord): boolean => voters.includes(id) || learners.includes(id);
  const gone = members.find((member) => member.wanted === 'removed' && !takesPart(member));
  if (gone !== undefined) return { kind: 'forget', id: gone.id };
  for (const { id, wanted } of members) {
    if (wanted !== 'removed') continue;
    const step = planRemoval(view, id);
    if (step !== null) return step;
  }
  const joins = members.find((member) => !takesPart(member));
  if (joins !== undefined) return { kind: 'change', change: { addLearners: [joins.id] } };
  const rises = members.find(
    ({ id, wanted }) => wanted === 'voter' && learners.includes(id) && isThere(view.progress, id),
  );
  return rises === undefined ? null : { kind: 'change', change: { addVoters: [rises.id] } };
}

/** Whether a learner was heard of lately, and has been fed: one that is new counts as heard of. */
export function isThere(progress: Progress, id: string): boolean {
  const { match, active } = progress.get(id) ?? { match: 0, active: false };
  return active && match > 0;
}

function planRemoval(view: MembershipView, id: string): MembershipStep | null {
  const { self, configuration, progress } = view;
  const removal: MembershipStep = { kind: 'change', change: { remove: [id] } };
  if (!configuration.voters.includes(id)) return removal;
  if (!canLose(view, id)) return null;
  if (id !== self) return removal;
  const heirs = configuration.voters
    .filter((voter) => voter !== self && progress.get(voter)?.active === true)
    .sort((a, b) => (progress.get(b)?.match ?? 0) - (progress.get(a)?.match ?? 0));
  return heirs[0] === undefined ? null : { kind: 'transfer', to: heirs[0] };
}

/** Whether a majority of the voters that are left without `id` is there. */
export function canLose(
  { self, configuration, progress }: Omit<MembershipView, 'members'>,
  id: string,
): boolean {
  const left = configuration.voters.filter((voter) => voter !== id);
  const active = left.filter((voter) => voter === self || progress.get(voter)?.active === true);
  return 2 * active.length > left.length;
}
