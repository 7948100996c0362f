import { isVoter, members as membersOf } from '@pawl/raft/core';
import type { MemberRefusal, MembersResult, QuorumMember } from '../coordination.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { CommandBody, CommandResult, MemberPut, MetadataState } from '../state/index.js';
import type { LeaderLine } from './leader-line.js';
import { idOfAddress, numberOf } from './member-number.js';
import { isAddress } from './peer-address.js';
import type { MemberQuestion } from './peer-codec.js';
import type { LogStatus } from './replicated-log.port.js';
import type { StatusBoard } from './status-board.js';

export interface MemberChangesOptions {
  readonly clusterId: string;
  readonly state: MetadataState;
  readonly board: StatusBoard;
  readonly line: LeaderLine;
  readonly submit: (command: CommandBody) => Promise<CommandResult>;
  readonly timeoutMs: number;
}

/**
 * Changes of the membership, asked of any node: the wish becomes part of the replicated state, and
 * whoever leads carries it out.
 */
export class MemberChanges {
  readonly #options: MemberChangesOptions;

  constructor(options: MemberChangesOptions) {
    this.#options = options;
  }

  /** As this node knows them, by id. */
  list(): QuorumMember[] {
    const { clusterId, state, board } = this.#options;
    const { configuration } = board.status;
    const inside = membersOf(configuration);
    const records = new Map(state.members.map((record) => [record.id, record]));
    return [...new Set([...records.keys(), ...inside])]
      .filter((id) => inside.includes(id) || records.get(id)?.wanted !== 'removed')
      .sort()
      .map((id) => ({
        id,
        number: numberOf(clusterId, id),
        name: records.get(id)?.name ?? '',
        peerAddress: records.get(id)?.peerAddress ?? '',
        clientAddresses: records.get(id)?.clientAddresses ?? [],
        learner: !isVoter(configuration, id),
      }));
  }

  async add(member: {
    readonly id?: string;
    readonly peerAddress: string;
    readonly learner?: boolean;
  }): Promise<MembersResult> {
    const { peerAddress, learner = false } = member;
    const id = member.id ?? idOfAddress(peerAddress);
    if (!isAddress(peerAddress)) throw new RangeError(`${peerAddress} is not host:port`);
    const refusal = await this.#mayChange('add', id);
    if (refusal !== null) return { ok: false, refusal };
    const wanted = learner ? 'learner' : 'voter';
    const put: MemberPut = { kind: 'member-put', expect: 'new', id, peerAddress, wanted };
    return this.#put(put, ({ configuration }) => membersOf(configuration).includes(id));
  }

  async remove(number: bigint): Promise<MembersResult> {
    const id = this.#idOf(number);
    if (id === null) return { ok: false, refusal: 'member-not-found' };
    const refusal = await this.#mayChange('remove', id);
    if (refusal !== null) return { ok: false, refusal };
    const put: MemberPut = { kind: 'member-put', expect: 'known', id, wanted: 'removed' };
    const { board, state } = this.#options;
    /* A node that goes is not told how its own going ends. */
    const self = board.status.nodeId === id;
    return this.#put(put, ({ configuration }) => {
      return self || (!membersOf(configuration).includes(id) && state.member(id) === null);
    });
  }

  async update(number: bigint, peerAddress: string): Promise<MembersResult> {
    const id = this.#idOf(number);
    if (id === null) return { ok: false, refusal: 'member-not-found' };
    if (!isAddress(peerAddress)) throw new RangeError(`${peerAddress} is not host:port`);
    return this.#put({ kind: 'member-put', expect: 'known', id, peerAddress }, () => true);
  }

  async promote(number: bigint): Promise<MembersResult> {
    const id = this.#idOf(number);
    if (id === null) return { ok: false, refusal: 'member-not-found' };
    const refusal = await this.#mayChange('promote', id);
    if (refusal !== null) return { ok: false, refusal };
    const put: MemberPut = { kind: 'member-put', expect: 'known', id, wanted: 'voter' };
    return this.#put(put, ({ configuration }) => configuration.voters.includes(id));
  }

  #idOf(number: bigint): string | null {
    return this.list().find((member) => member.number === number)?.id ?? null;
  }

  async #mayChange(question: MemberQuestion, id: string): Promise<MemberRefusal | null> {
    const answer = await this.#options.line.ask({ kind: 'may-change', question, id }, 'no');
    return answer.refusal;
  }

  /** Records the wish, and waits until it is carried out. */
  async #put(put: MemberPut, done: (status: LogStatus) => boolean): Promise<MembersResult> {
    const { submit, board, timeoutMs } = this.#options;
    const before = this.list().find(({ id }) => id === put.id);
    const result = await submit(put);
    if (result.kind === 'refused') return { ok: false, refusal: refusalOf(result.refusal) };
    if (!(await board.wait(done, timeoutMs))) {
      throw new MetadataUnavailableError(
        'the change of the membership is recorded, and is carried out once the members allow it',
        'unknown',
      );
    }
    const members = this.list();
    const changed = members.find(({ id }) => id === put.id) ?? before;
    return { ok: true, members, ...(changed === undefined ? {} : { changed }) };
  }
}

function refusalOf(refusal: string): MemberRefusal {
  switch (refusal) {
    case 'member-not-found':
    case 'member-exists':
    case 'address-in-use':
    case 'last-voter':
      return refusal;
    case 'too-many-members':
      return 'too-many-learners';
    default:
      throw new Error(`the membership was not changed: ${refusal}`);
  }
}
