import { PUT, putRequest, RANGE, rangeRequest } from './etcd-messages.mjs';

const KEYS = 1_000;
const VALUE_BYTES = 1_024;

/** What all rows write: 1 KB. */
export const VALUE = Buffer.alloc(VALUE_BYTES, 'v');

/** @param {number} at */
export const keyOf = (at) => `bench/${at % KEYS}`;

const PUTS = Array.from({ length: KEYS }, (_, at) => putRequest(keyOf(at), VALUE));
const LINEARIZABLE = Array.from({ length: KEYS }, (_, at) => rangeRequest(keyOf(at)));
const SERIALIZABLE = Array.from({ length: KEYS }, (_, at) =>
  rangeRequest(keyOf(at), { serializable: true }),
);

/**
 * One connection to each member, as a client library has it, for all callers.
 *
 * @typedef {import('./cluster.mjs').Cluster} Cluster
 * @typedef {import('./load.mjs').Issue} Issue
 */
export class Callers {
  /** @param {import('./grpc-connection.mjs').GrpcConnection[]} connections @param {number} leader */
  constructor(connections, leader) {
    this.connections = connections;
    this.leader = connections[leader];
  }

  /** @param {Cluster} cluster */
  static async open(cluster) {
    const leader = await cluster.leader();
    const connections = await Promise.all(cluster.members.map((_, at) => cluster.connect(at)));
    return new Callers(connections, leader);
  }

  /** Writes every key once, so that reads find it, at whichever member. */
  async fill() {
    await Promise.all(PUTS.map((request) => this.leader.call(PUT, request)));
    await Promise.all(this.connections.map((one) => one.call(RANGE, LINEARIZABLE[0])));
  }

  /** @type {Issue} at the leader */
  put = (caller, round, done) => {
    this.leader.unary(PUT, PUTS[place(caller, round)], done);
  };

  /** @type {Issue} at the leader */
  readLeader = (caller, round, done) => {
    this.#read(this.leader, LINEARIZABLE[place(caller, round)], done);
  };

  /** @type {Issue} at all members in turn */
  readAll = (caller, round, done) => {
    this.#read(this.#each(caller + round), LINEARIZABLE[place(caller, round)], done);
  };

  /** @type {Issue} at all members in turn, without asking the quorum */
  readAllSerializable = (caller, round, done) => {
    this.#read(this.#each(caller + round), SERIALIZABLE[place(caller, round)], done);
  };

  close() {
    for (const connection of this.connections) connection.close();
  }

  #each(at) {
    return this.connections[at % this.connections.length];
  }

  #read(connection, request, done) {
    connection.unary(RANGE, request, (error, message) => {
      if (error === null && message.length < VALUE_BYTES) done(new Error('a read found no value'));
      else done(error);
    });
  }
}

/** Callers go over the keys at different places. */
function place(caller, round) {
  return (caller * 17 + round) % KEYS;
}
