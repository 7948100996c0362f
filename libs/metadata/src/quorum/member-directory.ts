import type { Timer, TimerHandle } from '@pawl/kernel';
import { members as membersOf } from '@pawl/raft/core';
import type { CommandBody, CommandResult, MemberRecord, MetadataState } from '../state/index.js';
import { decodeAnswer, encodeRequest } from './peer-codec.js';
import { parseAddress } from './peer-address.js';
import type { ReplicatedLog } from './replicated-log.port.js';
import type { StatusBoard } from './status-board.js';

/** A member without a leader for so long, and known to be unwanted, takes it that it was removed. */
const REMOVED_AFTER_MS = 5000;

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
 * this node's own record, finds the members while this node is not one yet, and notices that it is
 * not one any more.
 */
export class MemberDirectory {
  readonly #options: MemberDirectoryOptions;
  #details: OwnDetails;
  /** What a member told a node that is not one yet. */
  #heard: readonly MemberRecord[] = [];
  #peers = '';
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
    this.#setPeers();
    this.#publish();
    this.#noticeRemoval();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #look(): void {
    const { timer, board, everyMs } = this.#options;
    this.#withoutLeaderMs = board.status.leader === null ? this.#withoutLeaderMs + everyMs : 0;
    this.update();
    this.#askForMembers();
    if (!this.#stopped) this.#timer = timer.after(everyMs, () => this.#look());
  }

  #setPeers(): void {
    const { log, state, board, startList } = this.#options;
    const { nodeId, configuration } = board.status;
    const inside = membersOf(configuration);
    const peers = new Map<string, Peer>();
    for (const [id, address] of startList) {
      if (inside.length === 0 || inside.includes(id)) peers.set(id, peerAt(id, address));
    }
    for (const { id, peerAddress, folderId } of [...this.#heard, ...state.members]) {
      if (peerAddress !== '') peers.set(id, peerAt(id, peerAddress, folderId));
    }
    peers.delete(nodeId);
    const list = [...peers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const text = JSON.stringify(list);
    if (text === this.#peers) return;
    this.#peers = text;
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

  /** A node that is fed nothing yet may not know all who could lead. */
  #askForMembers(): void {
    const { log, board, startList, everyMs } = this.#options;
    const known = [...startList.keys()].filter((id) => id !== board.status.nodeId);
    if (membersOf(board.status.configuration).length > 0) {
      this.#heard = [];
      return;
    }
    const peer = known[this.#asked % known.length];
    this.#asked += 1;
    if (peer === undefined) return;
    log
      .request(peer, encodeRequest({ kind: 'members' }), everyMs)
      .then((bytes) => {
        const answer = decodeAnswer(bytes);
        if (answer.kind === 'members') this.#heard = answer.members;
      })
      .catch(() => undefined);
  }

  #noticeRemoval(): void {
    const { state, board } = this.#options;
    const { nodeId, configuration } = board.status;
    const inside = membersOf(configuration).includes(nodeId);
    const record = state.member(nodeId);
    const unwanted = record === null || record.wanted === 'removed';
    if (inside) this.#wasMember = true;
    const gone = this.#wasMember && unwanted && !inside;
    /* While the others may need its vote to finish its removal it stays. */
    const needed = configuration.voters.includes(nodeId);
    const forgotten =
      !needed && record?.wanted === 'removed' && this.#withoutLeaderMs >= REMOVED_AFTER_MS;
    if (gone || forgotten) this.#leave(`node ${nodeId} was removed from the quorum`);
  }

  #leave(why: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onRemoved(new NotAMemberError(why));
  }
}

type Peer = Parameters<ReplicatedLog['setPeers']>[0][number];

function peerAt(id: string, address: string, folderId = ''): Peer {
  return { id, ...parseAddress(address), ...(folderId === '' ? {} : { folderId }) };
}

function says(record: MemberRecord, own: OwnDetails & { readonly folderId: string }): boolean {
  return (
    record.name === own.name &&
    record.folderId === own.folderId &&
    record.clientAddresses.join() === own.clientAddresses.join() &&
    (own.peerAddress === undefined || own.peerAddress === record.peerAddress)
  );
}
