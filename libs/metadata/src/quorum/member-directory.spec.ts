import { ManualTime } from '@pawl/kernel';
import { foundedBy } from '@pawl/raft/core';
import { expect, it } from 'vitest';
import { DEFAULT_STATE_LIMITS, MetadataState } from '../state/index.js';
import type { CommandBody, MemberPut } from '../state/index.js';
import { MemberDirectory } from './member-directory.js';
import type { MemberDirectoryOptions, NotAMemberError, OwnDetails } from './member-directory.js';
import { decodeRequest, encodeAnswer } from './peer-codec.js';
import type { ToldMembers } from './peer-codec.js';
import type { LogPeer, LogStatus } from './replicated-log.port.js';
import { StatusBoard } from './status-board.js';

const EVERY_MS = 100;

/** Node a with its folder `a/1`, whose log applies at once what it submits. */
class Desk {
  readonly time = new ManualTime();
  readonly state = new MetadataState(DEFAULT_STATE_LIMITS);
  readonly board: StatusBoard;
  readonly peers: (readonly LogPeer[])[] = [];
  readonly submitted: CommandBody[] = [];
  readonly asked: { readonly id: string; readonly told: ToldMembers }[] = [];
  readonly removed: NotAMemberError[] = [];
  /** What whoever is asked tells. */
  answer: ToldMembers | null = null;
  progress: ReadonlyMap<string, { readonly match: number; readonly active: boolean }> = new Map();
  readonly directory: MemberDirectory;
  #index = 0;

  constructor(status: Partial<LogStatus> = {}, details: OwnDetails = ANNOUNCED) {
    this.board = new StatusBoard({ ...STATUS, ...status }, this.time);
    const log = {
      identity: { clusterId: 'cluster', nodeId: 'a', folderId: 'a/1' },
      status: () => this.board.status,
      progress: () => this.progress,
      setPeers: (peers: readonly LogPeer[]) => void this.peers.push(peers),
      ask: ({ id }: LogPeer, body: Uint8Array) => {
        const request = decodeRequest(body);
        if (request.kind === 'members') this.asked.push({ id, told: request });
        return this.answer === null
          ? Promise.reject(new Error('nobody is there'))
          : Promise.resolve(encodeAnswer({ kind: 'members', ...this.answer }));
      },
    } as unknown as MemberDirectoryOptions['log'];
    this.directory = new MemberDirectory({
      timer: this.time,
      log,
      state: this.state,
      board: this.board,
      everyMs: EVERY_MS,
      details,
      startList: new Map([
        ['a', 'a:1'],
        ['b', 'b:1'],
      ]),
      submit: (command) => {
        this.submitted.push(command);
        return Promise.resolve(this.apply(command));
      },
      onRemoved: (error) => this.removed.push(error),
    });
  }

  apply(command: CommandBody) {
    this.#index += 1;
    return this.state.apply(command, { index: this.#index, term: 1 });
  }

  record(id: string, put: Partial<MemberPut> = {}): void {
    const own = { peerAddress: `${id}:1`, wanted: 'voter', folderId: `${id}/1`, name: id } as const;
    this.apply({ kind: 'member-put', expect: 'new', id, ...own, ...put });
    this.directory.update();
  }

  become(status: Partial<LogStatus>): void {
    this.board.set({ ...this.board.status, ...status });
    this.directory.update();
  }

  /** Time passes, and what was asked is answered. */
  async look(times = 1): Promise<void> {
    for (let left = times; left > 0; left -= 1) {
      this.time.advance(EVERY_MS);
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
  }

  get reached(): string[] | undefined {
    return this.peers
      .at(-1)
      ?.map(({ id, host, folderId, hearsay }) =>
        [id, host, folderId ?? '-', ...(hearsay === true ? ['hearsay'] : [])].join(' '),
      );
  }
}

const ANNOUNCED = { name: 'a', clientAddresses: ['a:9'], peerAddress: 'a:1' };
const STATUS: LogStatus = {
  nodeId: 'a',
  role: 'follower',
  leader: 'b',
  term: 1,
  commitIndex: 1,
  appliedIndex: 1,
  lastIndex: 1,
  snapshotIndex: 0,
  configuration: foundedBy(['a', 'b']),
};
const NOBODY = { leader: null, configuration: foundedBy([]) };
const recordOf = (id: string, folder = `${id}/1`, peerAddress = `${id}:1`) => ({
  ...{ id, name: id, peerAddress, clientAddresses: [], folderId: folder, wanted: 'voter' as const },
});

it('tells the log where the members are: as recorded, where the start list says until then', () => {
  const desk = new Desk();
  expect(desk.reached).toEqual(['b b -']);
  desk.record('b', { peerAddress: 'elsewhere:1' });
  expect(desk.reached).toEqual(['b elsewhere b/1']);
  desk.record('c');
  expect(desk.reached).toEqual(['b elsewhere b/1', 'c c c/1']);
  const told = desk.peers.length;
  desk.directory.update();
  expect(desk.peers).toHaveLength(told);
});

it('publishes what this node says of itself, once it has a record, as often as that changes', async () => {
  const desk = new Desk();
  await desk.look();
  expect(desk.submitted).toEqual([]);
  desk.record('a', { folderId: '', name: '', peerAddress: 'old:1' });
  await desk.look(3);
  expect(desk.submitted).toHaveLength(1);
  expect(desk.state.member('a')).toMatchObject({ ...ANNOUNCED, folderId: 'a/1' });
  desk.directory.announce({ clientAddresses: ['a:10'] });
  await desk.look(3);
  expect(desk.submitted).toHaveLength(2);
  expect(desk.state.member('a')?.clientAddresses).toEqual(['a:10']);
});

it('leaves an address that somebody else recorded later', async () => {
  const desk = new Desk();
  desk.record('a');
  await desk.look();
  desk.apply({ kind: 'member-put', expect: 'known', id: 'a', peerAddress: 'moved:1' });
  desk.directory.update();
  await desk.look(3);
  expect(desk.state.member('a')?.peerAddress).toBe('moved:1');
});

it('stops where another folder has its id', async () => {
  const desk = new Desk();
  desk.record('a', { folderId: 'a/0' });
  await desk.look();
  expect(desk.removed.map(({ name }) => name)).toEqual(['NotAMemberError']);
  expect(desk.removed[0]?.message).toMatch(/^node a has taken part .* another data folder/);
});

it('stops once it is removed, and while its vote may be needed not before', () => {
  const desk = new Desk();
  desk.record('a');
  desk.record('b');
  desk.apply({ kind: 'member-put', expect: 'known', id: 'a', wanted: 'removed' });
  desk.become({});
  expect(desk.removed).toEqual([]);
  desk.become({ configuration: foundedBy(['b']) });
  expect(desk.removed).toEqual([]);
  desk.become({ leader: null });
  expect(desk.removed.map(({ message }) => message)).toEqual([
    'node a was removed from the quorum',
  ]);
  desk.become({ term: 2 });
  expect(desk.removed).toHaveLength(1);
});

it('asks each whom it knows in turn while nobody leads it, and tells what it knows', async () => {
  const desk = new Desk(NOBODY);
  await desk.look();
  desk.answer = { index: 7, inside: ['b', 'c'], members: [recordOf('b'), recordOf('c')] };
  await desk.look(3);
  expect(desk.asked.map(({ id }) => id)).toEqual(['b', 'b', 'b', 'c', 'b']);
  expect(desk.asked[0]?.told).toMatchObject({ index: 0, inside: [], members: [] });
  expect(desk.reached).toEqual(['b b b/1', 'c c c/1']);
  desk.become({ leader: 'b' });
  await desk.look(3);
  expect(desk.asked).toHaveLength(5);
});

it('asks the members that are silent while it leads', async () => {
  const desk = new Desk({ leader: 'a', role: 'leader' });
  for (const id of ['a', 'b', 'c']) desk.record(id);
  desk.progress = new Map([
    ['b', { match: 1, active: true }],
    ['c', { match: 1, active: false }],
  ]);
  await desk.look(2);
  expect(desk.asked.map(({ id }) => id)).toEqual(['c', 'c']);
  expect(desk.asked[0]?.told).toMatchObject({ index: 4, inside: ['a', 'b'] });
});

it('believes who has applied more, and no longer than until it has itself', () => {
  const desk = new Desk({ leader: null });
  desk.record('a');
  desk.record('b');
  const members = [recordOf('a'), recordOf('b', 'b/2', 'other:1'), recordOf('d')];
  const told = { index: 2, inside: ['a', 'b', 'd'], members };
  expect(desk.directory.exchange(told)).toMatchObject({ index: 2, inside: ['a', 'b'] });
  expect(desk.reached).toEqual(['b b b/1']);
  desk.directory.exchange({ ...told, index: 4 });
  expect(desk.reached).toEqual(['b other b/2 hearsay', 'd d d/1']);
  desk.directory.exchange({ ...told, index: 3, members: [] });
  expect(desk.reached).toEqual(['b other b/2 hearsay', 'd d d/1']);
  desk.apply({ kind: 'member-put', expect: 'known', id: 'b', peerAddress: 'third:1' });
  desk.record('e');
  expect(desk.reached).toEqual(['b third b/1', 'e e e/1']);
});

it('believes nobody while somebody leads it', () => {
  const desk = new Desk({ configuration: foundedBy(['a']), leader: 'a', role: 'leader' });
  desk.directory.exchange({ index: 9, inside: ['b'], members: [recordOf('b')] });
  expect(desk.reached).toBeUndefined();
  expect(desk.removed).toEqual([]);
});

it.each([
  ['an address that is none', recordOf('d', 'd/1', 'nowhere')],
  ['no id', recordOf('', 'd/1')],
  ['an id that cannot travel', recordOf('\ufffd')],
  ['a folder that cannot travel', recordOf('d', 'x'.repeat(256))],
])('takes nothing of what has %s', (_, record) => {
  const desk = new Desk({ leader: null });
  desk.directory.exchange({ index: 9, inside: [], members: [record] });
  expect(desk.reached).toEqual(['b b -']);
});

it.each([
  ['it is not among the members', 9, [recordOf('b')], true],
  ['another folder has its id', 9, [recordOf('a', 'a/2')], true],
  ['it is no member, by who may not know yet that it is one', 5, [recordOf('b')], false],
  ['it is one', 9, [recordOf('a')], false],
])('told that %s it stops, or not', (_, index, members, stops) => {
  const desk = new Desk({ leader: null, lastIndex: 5 });
  desk.directory.exchange({ index, inside: ['b'], members });
  expect(desk.removed).toHaveLength(stops ? 1 : 0);
});

it('does nothing more once it is stopped', async () => {
  const desk = new Desk(NOBODY);
  await desk.look();
  const { length } = desk.asked;
  desk.directory.stop();
  await desk.look(3);
  desk.record('c');
  expect(desk.asked).toHaveLength(length);
  expect(desk.reached).toEqual(['b b -']);
});

it('takes nothing that the log tells of a node before it, under its id, for its own removal', async () => {
  const desk = new Desk({ configuration: foundedBy(['a', 'b']), leader: null, lastIndex: 3 });
  desk.record('a', { folderId: 'a/0' });
  desk.record('b');
  desk.apply({ kind: 'member-put', expect: 'known', id: 'a', wanted: 'removed' });
  desk.become({ configuration: foundedBy(['b']) });
  desk.directory.exchange({ index: 5, inside: ['b'], members: [recordOf('b')] });
  await desk.look(60);
  expect(desk.removed).toEqual([]);
  desk.apply({ kind: 'member-remove', id: 'a' });
  desk.directory.update();
  expect(desk.removed).toEqual([]);
  desk.become({ configuration: foundedBy(['a', 'b']), leader: 'b', lastIndex: 9 });
  desk.record('a', { folderId: 'a/1' });
  desk.apply({ kind: 'member-put', expect: 'known', id: 'a', wanted: 'removed' });
  desk.become({ configuration: foundedBy(['b']) });
  expect(desk.removed).toEqual([]);
  desk.become({ leader: null });
  expect(desk.removed.map(({ message }) => message)).toEqual([
    'node a was removed from the quorum',
  ]);
});
