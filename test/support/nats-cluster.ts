import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { inject } from 'vitest';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { endWithUs } from './leash.js';
import { TcpGate } from './tcp-gate.js';
import { makeTemporaryFolder } from './temporary-folder.js';

/** Nobody listens there: servers reach each other by the routes that they are given, and no others. */
const NOWHERE = '127.0.0.1:1';
const NAMES = ['nats-1', 'nats-2', 'nats-3'] as const;

export type NatsServerName = (typeof NAMES)[number];

export interface NatsCluster {
  /** For clients. */
  url(name: NatsServerName): string;
  /** kill -9; returns when it is gone. */
  kill(name: NatsServerName): Promise<void>;
  /** Starts it again with its streams. */
  start(name: NatsServerName): void;
  /** Cuts nats-1 off from the two others; its clients keep it. */
  cutOff(): void;
  rejoin(): void;
  /** Ends the servers and removes their streams. */
  stop(): Promise<void>;
}

/** Three nats-servers with JetStream in one cluster; started, not yet with each other. */
export async function startNatsCluster(): Promise<NatsCluster> {
  const folder = await makeTemporaryFolder('nats-cluster');
  const clients = new Map<string, number>();
  const routes = new Map<string, string>();
  for (const name of NAMES) {
    clients.set(name, await freePort());
    routes.set(name, `nats://127.0.0.1:${await freePort()}`);
  }
  const route = (name: string): string => routes.get(name) ?? '';
  const gates = new Map<string, TcpGate>();
  for (const name of NAMES) gates.set(name, await TcpGate.to(route(name)));
  /** Between nats-1 and the others there is a gate each way. */
  const way = (from: string, to: string): string => {
    const gated = from === 'nats-1' || to === 'nats-1';
    return gated ? (gates.get(to)?.through(route(to)) ?? '') : route(to);
  };
  const processes = new Map<string, ChildProcess>();
  const start = (name: string): void => {
    const others = NAMES.filter((other) => other !== name).map((other) => way(name, other));
    const child = spawn(
      inject('natsServer'),
      [
        ...['-js', '-sd', join(folder.path, name), '-n', name],
        ...['-a', '127.0.0.1', '-p', String(clients.get(name)), '--cluster_name', 'test'],
        ...['--cluster', route(name), '--cluster_advertise', NOWHERE, '--routes', others.join()],
      ],
      { stdio: 'ignore' },
    );
    if (child.pid !== undefined) endWithUs(child.pid);
    processes.set(name, child);
  };
  const kill = async (name: string): Promise<void> => {
    const child = processes.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  for (const name of NAMES) start(name);
  return {
    url: (name) => `nats://127.0.0.1:${clients.get(name)}`,
    kill,
    start,
    cutOff: () => gates.forEach((gate) => gate.close()),
    rejoin: () => gates.forEach((gate) => gate.open()),
    stop: async () => {
      for (const name of NAMES) await kill(name);
      for (const gate of gates.values()) await gate.end();
      await folder.remove();
    },
  };
}
