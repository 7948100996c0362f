import { expect } from 'vitest';
import { AdminClient, ProblemError } from '@pawl/admin-client';
import type { RolloutView } from '@pawl/contracts';
import { connect, type ConnectOptions, type Pawl } from '@pawl/sdk';
import { spawnControlPlane, type TestControlPlane } from './control-plane.js';
import { createDatabase, type TestDatabase } from './database.js';
import { eventually } from './eventually.js';
import { startNats, type TestNats } from './nats.js';
import { send, sendRaw, type HttpAnswer, type HttpRequest } from './stack-http.js';
import { spawnConsumer, type ConsumerOptions, type ConsumerProcess } from './stack-consumer.js';
import { dumpTruth } from './stack-truth.js';

export interface StackOptions {
  /** Further settings of the control plane. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the truth goes, dropped with the stack; a database of the run's PostgreSQL otherwise. */
  readonly database?: TestDatabase;
}

export interface TestStack {
  readonly database: TestDatabase;
  readonly nats: TestNats;
  readonly controlPlane: TestControlPlane;
  /** The typed client, of the control plane as it runs now. */
  admin(actor?: string): AdminClient;
  /** A consumer in this process, closed with the stack. */
  connectSdk(options?: Partial<ConnectOptions>): Promise<Pawl>;
  /** A consumer in a process of its own, ended with the stack. */
  spawnConsumer(options: Omit<ConsumerOptions, 'servers'>): ConsumerProcess;
  /** A request to the control plane as it runs now. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** The same over a raw socket: nothing is normalised. */
  sendRaw(request: HttpRequest): Promise<HttpAnswer>;
  /** Writes and promotes a document as the next version of an address; gives that version. */
  promote(address: string, document: object): Promise<number>;
  /** Waits until so many are live and all of them run what is published; gives the rollout. */
  converged(address: string, live: number): Promise<RolloutView>;
  /** Everything that commands have written, to compare. */
  truth(): Promise<string>;
  /** Stops the consumers, the control plane, then what it needs, and removes everything. */
  stop(): Promise<void>;
}

/** A complete installation with a database, streams and a data folder of its own. */
export async function startStack(options: StackOptions = {}): Promise<TestStack> {
  const cleanups: (() => Promise<unknown>)[] = [];
  try {
    return await assemble(options, cleanups);
  } catch (error) {
    await cleanUp(cleanups).catch(() => undefined);
    throw error;
  }
}

async function assemble(
  options: StackOptions,
  cleanups: (() => Promise<unknown>)[],
): Promise<TestStack> {
  const database = options.database ?? (await createDatabase());
  cleanups.push(() => database.drop());
  const nats = await startNats();
  cleanups.push(() => nats.stop());
  const controlPlane = await spawnControlPlane({
    postgresUrl: database.url,
    natsUrl: nats.url,
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  cleanups.push(() => controlPlane.stop());
  return {
    database,
    nats,
    controlPlane,
    admin: (actor) => adminOf(controlPlane, actor),
    connectSdk: async (given) => {
      const pawl = await connect({ servers: nats.url, ...given });
      cleanups.push(() => pawl.close());
      return pawl;
    },
    spawnConsumer: (given) => {
      const consumer = spawnConsumer({ servers: nats.url, ...given });
      cleanups.push(() => consumer.kill());
      return consumer;
    },
    send: (request) => send(controlPlane.url, request),
    sendRaw: (request) => sendRaw(controlPlane.url, request),
    promote: (address, document) => promote(adminOf(controlPlane), address, document),
    converged: (address, live) => converged(() => adminOf(controlPlane), address, live),
    truth: () => dumpTruth(database.url),
    stop: () => cleanUp(cleanups),
  };
}

function adminOf({ url }: TestControlPlane, actor?: string): AdminClient {
  return new AdminClient({ url, ...(actor === undefined ? {} : { actor }) });
}

async function promote(admin: AdminClient, address: string, document: object): Promise<number> {
  const newest = await admin.getConfig(address).catch((error: unknown) => {
    if (error instanceof ProblemError && error.problem.status === 404) return undefined;
    throw error;
  });
  const expected = newest?.version ?? 'none';
  const { version } = await admin.putConfig(address, { json: document }, { expect: expected });
  await admin.release(address, { action: 'promote' });
  return version;
}

function converged(admin: () => AdminClient, address: string, live: number): Promise<RolloutView> {
  return eventually(async () => {
    const rollout = await admin().rollout(address);
    expect(rollout).toMatchObject({ converged: true, consumers: { live, applied: live } });
    return rollout;
  });
}

/** Newest first, each whatever became of the others; the first failure is thrown at the end. */
async function cleanUp(cleanups: (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const cleanup of cleanups.splice(0).toReversed()) {
    await cleanup().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
