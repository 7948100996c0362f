import { describe, expect, it } from 'vitest';
import type { Configuration } from '@pawl/raft/core';
import type { MemberRecord, MemberWish } from '../state/index.js';
import { planMembership } from './plan-membership.js';
import type { MembershipStep } from './plan-membership.js';

/** `wishes`: `id:wish` each; members named in `silent` are not heard of. */
function plan(
  wishes: string,
  configuration: Partial<Configuration>,
  { silent = '', unfed = '', self = 'a' } = {},
): MembershipStep | null {
  const members = wishes
    .split(' ')
    .filter((word) => word !== '')
    .map((word): MemberRecord => {
      const [id = '', wanted = ''] = word.split(':');
      const record = { id, wanted: wanted as MemberWish, name: id, peerAddress: '', folderId: '' };
      return { ...record, clientAddresses: [] };
    });
  const whole = { voters: [], outgoing: [], learners: [], learnersNext: [], ...configuration };
  const others = [...whole.voters, ...whole.learners].filter((id) => id !== self);
  const progress = new Map(
    others.map((id) => [
      id,
      { match: unfed.includes(id) ? 0 : id.charCodeAt(0), active: !silent.includes(id) },
    ]),
  );
  return planMembership({ self, members, configuration: whole, progress });
}

describe('planMembership', () => {
  it('is done when everything is as wanted', () => {
    expect(plan('a:voter b:voter c:learner', { voters: ['a', 'b'], learners: ['c'] })).toBeNull();
  });

  it('first records who takes part', () => {
    expect(plan('', { voters: ['a', 'b'] })).toEqual({ kind: 'record', id: 'a' });
    expect(plan('a:voter', { voters: ['a'], learners: ['b'] })).toEqual({
      kind: 'record',
      id: 'b',
    });
  });

  it('adds a wanted voter as a learner and makes it one once it was fed and is heard of', () => {
    const wishes = 'a:voter b:voter';
    expect(plan(wishes, { voters: ['a'] })).toEqual({
      kind: 'change',
      change: { addLearners: ['b'] },
    });
    const configuration = { voters: ['a'], learners: ['b'] };
    expect(plan(wishes, configuration, { silent: 'b' })).toBeNull();
    expect(plan(wishes, configuration, { unfed: 'b' })).toBeNull();
    expect(plan(wishes, configuration)).toEqual({ kind: 'change', change: { addVoters: ['b'] } });
    expect(plan('a:voter b:learner', configuration)).toBeNull();
  });

  it('removes, then forgets', () => {
    const wishes = 'a:voter b:voter c:removed';
    expect(plan(wishes, { voters: ['a', 'b', 'c'] })).toEqual({
      kind: 'change',
      change: { remove: ['c'] },
    });
    expect(plan(wishes, { voters: ['a', 'b'] })).toEqual({ kind: 'forget', id: 'c' });
  });

  it('removes a dead voter, and none that the others cannot do without', () => {
    const configuration = { voters: ['a', 'b', 'c'] };
    const remove = (id: string) => ({ kind: 'change', change: { remove: [id] } });
    expect(plan('a:voter b:voter c:removed', configuration, { silent: 'c' })).toEqual(remove('c'));
    expect(plan('a:voter b:removed c:voter', configuration, { silent: 'c' })).toBeNull();
    const learner = { voters: ['a', 'b'], learners: ['c'] };
    expect(plan('a:voter b:voter c:removed', learner, { silent: 'bc' })).toEqual(remove('c'));
  });

  it('goes on with others when one cannot be removed', () => {
    const configuration = { voters: ['a', 'b', 'c'] };
    const wishes = 'a:voter b:removed c:voter d:learner';
    expect(plan(wishes, configuration, { silent: 'c' })).toEqual({
      kind: 'change',
      change: { addLearners: ['d'] },
    });
  });

  it('has a leader that is to leave hand over to the voter that holds most', () => {
    const wishes = 'a:removed b:voter c:voter';
    const configuration = { voters: ['a', 'b', 'c'] };
    expect(plan(wishes, configuration)).toEqual({ kind: 'transfer', to: 'c' });
    expect(plan(wishes, configuration, { silent: 'c' })).toBeNull();
    expect(plan(wishes, configuration, { self: 'c' })).toEqual({
      kind: 'change',
      change: { remove: ['a'] },
    });
  });

  it('waits while a change is under way', () => {
    expect(plan('a:voter b:removed', { voters: ['a'], outgoing: ['a', 'b'] })).toBeNull();
  });
});
