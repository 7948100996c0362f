import type { Changeset } from '@pawl/engine';

type Entry = Changeset['history'][number];

/** What the history says of a transition: what it was, who did it, and by which command. */
export interface ToldTransition {
  readonly action: string;
  /**
   * A person by a command, the owner by himself, the owner for who had queued it, or what was done for
   * another address.
   */
  readonly by: 'person' | 'owner' | 'queued' | 'another';
  readonly author: string;
  /** Of a person: the command, as its reason names it. Of another: empty. */
  readonly op: string;
  /** Of another that names it: the promote. */
  readonly preemptedBy?: string;
}

const OWNER = 'pawl';

/** Commands of these worlds give their name as their reason; what else a reason says has a colon. */
export function readTransition(entry: Entry | undefined): ToldTransition {
  const { action = 'none', author = 'nobody', reason = '' } = entry ?? {};
  const of = (by: ToldTransition['by'], op = ''): ToldTransition => ({ action, by, author, op });
  if (author === OWNER) return of('owner');
  if (reason.startsWith('dropped by ')) return of('another');
  if (reason.startsWith('pre-empted by ')) {
    return { ...of('another'), preemptedBy: reason.split(': ').at(-1) ?? '' };
  }
  if (action === 'promote' && reason.includes(', begun by pawl')) return of('queued');
  const op = reason.split('; ').find((part) => !part.includes(': '));
  return of('person', op ?? 'nobody');
}
