import { describe, expect, it } from 'vitest';
import { EarlierFormatError, MetadataState, encodeCommand } from './index.js';
import type { CommandBody, MemberPut } from './index.js';

function subject() {
  const state = new MetadataState();
  let index = 0;
  const run = (command: CommandBody): string => {
    index += 1;
    const result = state.applyEncoded(encodeCommand(command), { index, term: 1 });
    return result.kind === 'refused' ? result.refusal : result.kind;
  };
  const put = (id: string, expects: MemberPut['expect'], given: Partial<MemberPut> = {}) =>
    run({ ...given, kind: 'member-put', id, expect: expects });
  return { state, run, put };
}

describe('the table of members', () => {
  it('takes what is given and keeps the rest', () => {
    const { state, put } = subject();
    expect(put('a', 'new', { peerAddress: 'h:1', wanted: 'voter' })).toBe('done');
    expect(put('a', 'known', { name: 'ä', clientAddresses: ['h:2'], folderId: 'f' })).toBe('done');
    expect(state.member('a')).toEqual({
      id: 'a',
      name: 'ä',
      peerAddress: 'h:1',
      clientAddresses: ['h:2'],
      folderId: 'f',
      wanted: 'voter',
    });
    expect(state.revision).toBe(1);
  });

  it('knows each member and each address once', () => {
    const { put } = subject();
    expect(put('a', 'known')).toBe('member-not-found');
    put('a', 'new', { peerAddress: 'h:1', wanted: 'voter' });
    expect(put('a', 'new')).toBe('member-exists');
    expect(put('b', 'new', { peerAddress: 'h:1' })).toBe('address-in-use');
    expect(put('a', 'known', { peerAddress: 'h:1' })).toBe('done');
  });

  it('keeps a member to the folder that it started with until it is removed', () => {
    const { put, run } = subject();
    put('a', 'new', { wanted: 'voter' });
    put('b', 'new', { wanted: 'voter' });
    expect(put('b', 'known', { folderId: 'first' })).toBe('done');
    expect(put('b', 'known', { folderId: 'second' })).toBe('other-folder');
    put('b', 'known', { wanted: 'removed' });
    expect(put('b', 'new')).toBe('member-exists');
    expect(put('b', 'known', { folderId: 'first' })).toBe('member-not-found');
    expect(run({ kind: 'member-remove', id: 'b' })).toBe('done');
    expect(run({ kind: 'member-remove', id: 'b' })).toBe('member-not-found');
    expect(put('b', 'new', { folderId: 'second' })).toBe('done');
  });

  it('never lets the last voter leave', () => {
    const { put } = subject();
    put('a', 'new', { wanted: 'voter' });
    put('b', 'new', { wanted: 'learner' });
    expect(put('a', 'known', { wanted: 'removed' })).toBe('last-voter');
    expect(put('a', 'known', { wanted: 'learner' })).toBe('last-voter');
    put('b', 'known', { wanted: 'voter' });
    expect(put('a', 'known', { wanted: 'removed' })).toBe('done');
    expect(put('b', 'known', { wanted: 'removed' })).toBe('last-voter');
  });

  it('is bounded', () => {
    const { put } = subject();
    for (let at = 0; at < 64; at += 1) expect(put(`m${at}`, 'new')).toBe('done');
    expect(put('one-more', 'new')).toBe('too-many-members');
    expect(put('m1', 'known', { name: 'x'.repeat(257) })).toBe('too-large');
    expect(put('m1', 'known', { clientAddresses: Array<string>(17).fill('h:1') })).toBe(
      'too-large',
    );
  });

  it('is part of snapshots', () => {
    const { state, put } = subject();
    put('b', 'new', { peerAddress: 'h:1', name: '\ud83d\ude00', clientAddresses: ['h:2', 'h:3'] });
    put('a', 'new', { folderId: 'f', wanted: 'voter' });
    const restored = new MetadataState();
    restored.restore(state.snapshot());
    expect(restored.members).toEqual(state.members);
    expect(restored.members.map(({ id }) => id)).toEqual(['a', 'b']);
  });
});

describe('what an earlier build wrote', () => {
  it('is refused with what to do about it', () => {
    const { state, run } = subject();
    const snapshot = state.snapshot();
    snapshot[0] = 2;
    expect(() => state.restore(snapshot)).toThrow(EarlierFormatError);
    expect(() => state.restore(snapshot)).toThrow(/format 2 by an earlier build.*metadata adopt/);
    const command = encodeCommand({ kind: 'compact', revision: 3 });
    command[0] = 1;
    expect(() => state.applyEncoded(command, { index: 1, term: 1 })).toThrow(EarlierFormatError);
    expect(run({ kind: 'session-open', opener: 1n })).toBe('session');
  });
});
