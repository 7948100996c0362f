import type { Timer, TimerHandle } from '@pawl/kernel';
import { members as membersOf } from '@pawl/raft/core';
import type { CommandBody, CommandResult, MemberRecord, MetadataState } from '../state/index.js';
import { decodeAnswer, encodeRequest } from './peer-codec.js';
import type { ToldMembers } from './peer-codec.js';
import { isAddress, parseAddress } from './peer-address.js';
import type { LogPeer, ReplicatedLog } from './replicated-log.port.js';
import type { StatusBoard } from './status-board.js';

/** A member without a leader for so long, and known to be unwanted, takes it that it was removed. */
const REMOVED_AFTER_MS = 5000;

/** What the log takes for an id, in bytes of UTF-8. */
const LONGEST_ID = 255;

/** This node has no place in the quorum any more: it must not go on. */
export class NotAMemberError extends Error {
  override readonly name = 'NotAMemberError';
}

/** What a node says of itself. */
export interface OwnDetails {
  readonly name: string;
  readonly clientAddresses: readonly string[];
  /** `host:port` where the others reach it; left out: as it was recorded. */
  readonly peerAddress?: string;
}

export interface MemberDirectoryOptions {
  readonly timer: Timer;
  readonly log: ReplicatedLog;
  readonly state: MetadataState;
  readonly board: StatusBoard;
  readonly everyMs: number;
  readonly details: OwnDetails;
  /** Where members are found that have no record yet: `host:port` by id. */
  readonly startList: ReadonlyMap<string, string>;
  readonly submit: (command: CommandBody) => Promise<CommandResult>;
  /** Called once when this node must stop. */
  readonly onRemoved: (error: NotAMemberError) => void;
}

/**
 * Keeps a node and its quorum informed of each other: tells the log where the members are, publishes
 * this node's own record, finds the members while nobody leads this node, which may not be one yet or
 * have missed how all others were replaced, and notices that it is not one any more.
 */
export class MemberDirectory {
  readonly #options: MemberDirectoryOptions;
  #details: OwnDetails;
  /** What somebody told who has applied more of the log than this node has by now. */
  #heard: ToldMembers | null = null;
  /** As the log was told, by id. */
  #peers: readonly LogPeer[] = [];
  #asked = 0;
  #publishing = false;
  /** The record has had this process's address: a later one is somebody's wish. */
  #addressTold = false;
  #wasMember = false;
  #withoutLeaderMs = 0;
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(options: MemberDirectoryOptions) {
    this.#options = options;
    this.#details = options.details;
    this.#look();
  }

  /** Changes what this node says of itself. */
  announce(details: Partial<OwnDetails>): void {
    this.#details = { ...this.#details, ...details };
    this.#addressTold = false;
    this.#publish();
  }

  /** To be called when members, the configuration, or the leader changed. */
  update(): void {
    if (this.#stopped) return;
    if ((this.#heard?.index ?? 0) <= this.#options.state.appliedIndex) this.#heard = null;
    this.#setPeers();
    this.#publish();
    this.#noticeRemoval();
  }

  /** Another node asks for what this one knows, and tells what it knows itself. */
  exchange(told: ToldMembers): ToldMembers {
    this.#hear(told);
    return this.#tell();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #look(): void {
    const { timer, board, everyMs } = this.#options;
    this.#withoutLeaderMs = board.status.leader === null ? this.#withoutLeaderMs + everyMs : 0;
    this.update();
    this.#exchangeWithOne();
    if (!this.#stopped) this.#timer = timer.after(everyMs, () => this.#look());
  }

  #setPeers(): void {
    const { log, state, board, startList } = this.#options;
    const { nodeId, configuration } = board.status;
    const inside = membersOf(configuration);
    const peers = new Map<string, LogPeer>();
    for (const [id, address] of startList) {
      if (inside.length === 0 || inside.includes(id)) peers.set(id, peerAt(id, address));
    }
    for (const { id, peerAddress, folderId } of state.members) {
      if (peerAddress !== '') peers.set(id, peerAt(id, peerAddress, folderId));
    }
    for (const { id, peerAddress, folderId } of this.#heard?.members ?? []) {
      const own = state.member(id)?.folderId ?? '';
      const peer = peerAt(id, peerAddress, folderId);
      /* Another node than the one that this node's log counts under that id. */
      const isOther = own !== '' && own !== folderId;
      if (peerAddress !== '') peers.set(id, isOther ? { ...peer, hearsay: true } : peer);
    }
    peers.delete(nodeId);
    const list = [...peers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    if (JSON.stringify(list) === JSON.stringify(this.#peers)) return;
    this.#peers = list;
    log.setPeers(list);
  }

  #publish(): void {
    const { log, state, board, submit } = this.#options;
    const { nodeId, leader } = board.status;
    const record = state.member(nodeId);
    if (this.#publishing || leader === null) return;
    if (record === null || record.wanted === 'removed') return;
    const { peerAddress, ...details } = this.#details;
    if (peerAddress === undefined || peerAddress === record.peerAddress) this.#addressTold = true;
    const address = this.#addressTold || peerAddress === undefined ? {} : { peerAddress };
    const own = { ...details, ...address, folderId: log.identity.folderId };
    if (says(record, own)) return;
    this.#publishing = true;
    submit({ kind: 'member-put', expect: 'known', id: nodeId, ...own })
      .then((result) => {
        if (result.kind === 'refused' && result.refusal === 'other-folder') {
          this.#leave(
            `node ${nodeId} has taken part in the quorum with another data folder: give that back, or remove the member and add it again`,
          );
        }
      })
      .catch(() => undefined)
      .finally(() => {
        this.#publishing = false;
      });
  }

  #tell(): ToldMembers {
    const { state, board } = this.#options;
    const inside = membersOf(board.status.configuration);
    return { index: state.appliedIndex, inside, members: state.members };
  }

  /**
   * A node that nobody leads may not know all who could, or they may not know it; a member of which
   * the leader does not hear may not know the leader. Each whom that concerns is asked in turn.
   */
  #exchangeWithOne(): void {
    const { log, board, everyMs } = this.#options;
    const { leader, nodeId } = board.status;
    if (leader !== null && leader !== nodeId) return;
    const progress = log.progress();
    const silent = this.#peers.filter(
      ({ id }) => leader === null || progress.get(id)?.active === false,
    );
    const peer = silent[this.#asked % silent.length];
    this.#asked += 1;
    if (peer === undefined) return;
    log
      .ask(peer, encodeRequest({ kind: 'members', ...this.#tell() }), everyMs)
      .then((bytes) => {
        const answer = decodeAnswer(bytes);
        if (answer.kind === 'members') this.#hear(answer);
      })
      .catch(() => undefined);
  }

  /**
   * A node that is led learns from its log alone: so one that was made the only member of its cluster
   * does not believe those whom it dropped.
   */
  #hear(told: ToldMembers): void {
    if (this.#options.board.status.leader !== null) return;
    if (this.#stopped || told.index <= (this.#heard?.index ?? 0)) return;
    if (!told.members.every(isPlausible)) return;
    this.#heard = told;
    this.update();
  }

  /**
   * Concludes nothing while somebody leads this node, which is fed then, nor while the log up to here
   * tells of another node, in whose place this one has come: what became of that one is the past.
   */
  #noticeRemoval(): void {
    const { log, state, board } = this.#options;
    const { nodeId, configuration, leader } = board.status;
    const inside = membersOf(configuration).includes(nodeId);
    const record = state.member(nodeId);
    const folderId = record?.folderId ?? '';
    const isAnother = folderId !== '' && folderId !== log.identity.folderId;
    if (inside || isAnother) this.#wasMember = !isAnother;
    if (leader !== null || isAnother) return;
    const unwanted = record === null || record.wanted === 'removed';
    const gone = this.#wasMember && unwanted && !inside;
    /* While the others may need its vote to finish its removal it stays. */
    const needed = configuration.voters.includes(nodeId);
    const forgotten =
      !needed && record?.wanted === 'removed' && this.#withoutLeaderMs >= REMOVED_AFTER_MS;
    if (gone || forgotten || this.#isGoneByHearsay())
      this.#leave(`node ${nodeId} was removed from the quorum`);
  }

  /**
   * Somebody who has applied more than this node even holds, what made it a member included, says that
   * it is none, or that another has its id.
   */
  #isGoneByHearsay(): boolean {
    const { log } = this.#options;
    if (this.#heard === null || !this.#wasMember) return false;
    const { nodeId, folderId } = log.identity;
    const { index, inside, members } = this.#heard;
    if (index <= log.status().lastIndex) return false;
    const record = members.find(({ id }) => id === nodeId);
    if (record === undefined || record.wanted === 'removed') return !inside.includes(nodeId);
    return record.folderId !== '' && record.folderId !== folderId;
  }

  #leave(why: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onRemoved(new NotAMemberError(why));
  }
}

function peerAt(id: string, address: string, folderId = ''): LogPeer {
  return { id, ...parseAddress(address), ...(folderId === '' ? {} : { folderId }) };
}

/** Whether it may be a record: anybody can tell anything. */
function isPlausible({ id, folderId, peerAddress }: MemberRecord): boolean {
  const fits = (text: string): boolean => {
    return Buffer.byteLength(text) <= LONGEST_ID && !/[\p{Surrogate}\ufffd]/u.test(text);
  };
  return id !== '' && fits(id) && fits(folderId) && (peerAddress === '' || isAddress(peerAddress));
}

function says(record: MemberRecord, own: OwnDetails & { readonly folderId: string }): boolean {
  return (
    record.name === own.name &&
    record.folderId === own.folderId &&
    record.clientAddresses.join() === own.clientAddresses.join() &&
    (own.peerAddress === undefined || own.peerAddress === record.peerAddress)
  );
}
