import type { Address } from '../address.js';

/** Stream names and subjects of one installation; the one place that spells them. */
export interface Subjects {
  readonly snapshotStream: string;
  readonly contentStream: string;
  /** `pawl.<installation>` without a trailing dot. */
  readonly prefix: string;
  readonly allSnapshots: string;
  readonly allContents: string;
  snapshot(address: Address): string;
  /** All snapshots of a root. */
  rootSnapshots(root: string): string;
  content(root: string, hash: string): string;
  push(address: Address): string;
  prepare(address: Address): string;
  ack(root: string, workload: string, consumerId: string): string;
  vote(root: string, workload: string, consumerId: string): string;
  hello(root: string, workload: string, consumerId: string): string;
  command(shard: number, token: bigint): string;
}

const INSTALLATION = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** Throws a TypeError for an installation name that is not `[a-z0-9][a-z0-9_-]{0,31}`. */
export function subjectsOf(installation: string): Subjects {
  if (!INSTALLATION.test(installation)) {
    throw new TypeError(`not an installation name: ${JSON.stringify(installation)}`);
  }
  const prefix = `pawl.${installation}`;
  const stream = installation.toUpperCase();
  const tail = (address: Address): string => [...address.segments, address.document].join('.');
  return {
    prefix,
    snapshotStream: `PAWL_${stream}_SNAPSHOTS`,
    contentStream: `PAWL_${stream}_CONTENT`,
    allSnapshots: `${prefix}.snapshot.>`,
    allContents: `${prefix}.content.>`,
    snapshot: (address) => `${prefix}.snapshot.${tail(address)}`,
    rootSnapshots: (root) => `${prefix}.snapshot.${root}.>`,
    content: (root, hash) => `${prefix}.content.${root}.${hash}`,
    push: (address) => `${prefix}.push.${tail(address)}`,
    prepare: (address) => `${prefix}.prepare.${tail(address)}`,
    ack: (root, workload, consumerId) => `${prefix}.ack.${root}.${workload}.${consumerId}`,
    vote: (root, workload, consumerId) => `${prefix}.vote.${root}.${workload}.${consumerId}`,
    hello: (root, workload, consumerId) => `${prefix}.hello.${root}.${workload}.${consumerId}`,
    command: (shard, token) => `${prefix}.command.${shard}.${token}`,
  };
}
