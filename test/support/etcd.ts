import { inject } from 'vitest';
import { startEtcd as start } from '../../infra/dev/lib/etcd.mjs';
import type { EtcdMember as Member } from '../../infra/dev/lib/etcd.mjs';
import { etcdctlFor } from './etcdctl.js';
import type { Etcdctl } from './etcdctl.js';
import { endWithUs } from './leash.js';
import { makeTemporaryFolder } from './temporary-folder.js';

export interface TestEtcdMember {
  readonly name: string;
  /** `host:port` for clients; the same across restarts. */
  readonly endpoint: string;
  readonly pid: number;
  /** What it logged since it started, the end of it. */
  log(): string;
  /** Ends it at once (kill -9) and returns when it is gone. */
  kill(): Promise<void>;
  /** Ends it in order (SIGTERM). */
  shutDown(): Promise<void>;
  /**
   * Starts it again on its data; `waits` false: returns without waiting until it answers, for which
   * it needs a quorum.
   */
  start(options?: { readonly waits?: boolean }): Promise<void>;
  /** Holds it still (SIGSTOP): connections stay, it does not answer. */
  pause(): void;
  resume(): void;
}

export interface TestEtcd {
  readonly endpoints: readonly string[];
  readonly members: readonly TestEtcdMember[];
  /** Talks to all of its endpoints. */
  readonly etcdctl: Etcdctl;
  /** Ends all members at once and removes their data. */
  stop(): Promise<void>;
}

/**
 * A real etcd, as the distribution has it, on free ports and with data of its own: one member
 * unless told otherwise. `args` are further ones for each member.
 */
export async function startEtcd(
  options: { readonly nodes?: 1 | 3; readonly args?: readonly string[] } = {},
): Promise<TestEtcd> {
  const folder = await makeTemporaryFolder('etcd');
  const members = await start({
    program: inject('etcd').server,
    folder: folder.path,
    nodes: options.nodes ?? 1,
    args: options.args ?? [],
    onSpawn: ({ pid }) => endWithUs(pid),
  });
  const endpoints = members.map(({ endpoint }) => endpoint);
  return {
    endpoints,
    members: members.map(wrap),
    etcdctl: etcdctlFor(endpoints),
    stop: async () => {
      await Promise.all(members.map((member) => end(member, { force: true })));
      await folder.remove();
    },
  };
}

function wrap(member: Member): TestEtcdMember {
  return {
    name: member.name,
    endpoint: member.endpoint,
    get pid() {
      return member.service.pid;
    },
    log: () => member.service.tail(),
    kill: () => end(member, { force: true }),
    shutDown: () => end(member),
    start: (options) => member.start(options),
    pause: () => signal(member, 'SIGSTOP'),
    resume: () => signal(member, 'SIGCONT'),
  };
}

function signal({ service }: Member, name: NodeJS.Signals): void {
  if (service.isRunning()) process.kill(service.pid, name);
}

/** A member that is held still hears nothing but this. */
async function end(member: Member, options?: { force: boolean }): Promise<void> {
  signal(member, 'SIGCONT');
  await member.service.stop(options);
}
