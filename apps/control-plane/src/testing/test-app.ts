import { systemClock } from '@pawl/contracts/node';
import { done } from '@pawl/contracts';
import type { AcceptedRestoreView, Outcome, RestoreView } from '@pawl/contracts';
import { WebhookUseCases, type RestoreUseCases } from '@pawl/engine';
import { FakeWebhookOutbox } from '@pawl/engine/testing';
import { createLogger, Metrics, type ReadinessCheck } from '@pawl/platform';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { AppModule } from '../app.module.js';
import type { KnownMember } from '../cluster/cluster.controller.js';
import { BodyGate, type BodyGateOptions } from '../http/body-gate.js';
import { createHttpApp, type HttpAppOptions } from '../http/create-http-app.js';
import { ControlPlaneMetrics } from '../metrics/control-plane-metrics.js';
import { FakeConfigEngine } from './fake-config-engine.js';

export interface TestApp {
  readonly app: NestFastifyApplication;
  readonly engine: FakeConfigEngine;
  readonly restore: FakeRestore;
  readonly webhooks: FakeWebhooks;
  readonly metrics: ControlPlaneMetrics;
  readonly logged: Record<string, unknown>[];
  readonly routes: { readonly method: string; readonly path: string }[];
  /** Listens on a free port and says which. */
  listen(): Promise<number>;
  close(): Promise<void>;
}

const MEMBERS: readonly KnownMember[] = ['node-1', 'node-2'].map((id, at) => ({
  id,
  number: BigInt(at + 1),
  name: id,
  peerAddress: `10.0.0.${at + 1}:7480`,
  clientAddresses: [`10.0.0.${at + 1}:7479`],
  learner: at > 0,
  ...(at > 0 ? { behind: 3 } : {}),
}));

/** Tells {@link view}, and accepts whatever it is. */
export class FakeRestore implements RestoreUseCases {
  view: RestoreView = { generation: 1, shards: [] };
  readonly accepted: Parameters<RestoreUseCases['accept']>[0][] = [];

  status(): Promise<Outcome<RestoreView>> {
    return Promise.resolve(done(this.view));
  }

  accept(by: Parameters<RestoreUseCases['accept']>[0]): Promise<Outcome<AcceptedRestoreView>> {
    this.accepted.push(by);
    return Promise.resolve(done({ accepted: true, generation: 2 }));
  }
}

/** One webhook, `hooks-1`, in a history of its own. */
export class FakeWebhooks {
  readonly outbox = new FakeWebhookOutbox(systemClock);
  /** Endpoints that were to be looked at. */
  readonly looked: string[] = [];
  readonly useCases = new WebhookUseCases(
    [{ name: 'hooks-1', site: 'https://hooks.example.com' }],
    this.outbox,
    (endpoint) => this.looked.push(endpoint),
  );
}

/** The real application over a fake engine. */
export async function startTestApp(
  readiness: readonly ReadinessCheck[] = [],
  limits: Pick<HttpAppOptions, 'arrival'> & { readonly bodies?: BodyGateOptions } = {},
): Promise<TestApp> {
  const engine = new FakeConfigEngine();
  const restore = new FakeRestore();
  const webhooks = new FakeWebhooks();
  const registry = new Metrics();
  const metrics = new ControlPlaneMetrics(registry);
  const logged: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  };
  const status = {
    ownedShards: 4,
    readOnlyShards: 0,
    servedShards: 3,
    pendingPublications: 2,
    liveConsumers: 20,
  };
  const app = await createHttpApp({
    module: AppModule.with({
      engine,
      restore,
      webhooks: webhooks.useCases,
      serves: () => engine.servesAll,
      engineStatus: () => status,
      fleetStatus: () => ({ overdueConsumers: 0, versions: [] }),
      quorumMembers: () => Promise.resolve(MEMBERS),
      installation: 'main/test',
      readiness,
      metrics,
      registry,
    }),
    host: '127.0.0.1',
    allowedHosts: ['pawl.internal'],
    logger: createLogger({ level: 'warn', destination }),
    observe: (request) => metrics.request(request),
    gate: new BodyGate(limits.bodies),
    ...(limits.arrival === undefined ? {} : { arrival: limits.arrival }),
  });
  const routes: { method: string; path: string }[] = [];
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) routes.push({ method: each, path: url });
    });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  const listen = async (): Promise<number> => {
    await app.listen(0, '127.0.0.1');
    return (app.getHttpServer().address() as AddressInfo).port;
  };
  const close = (): Promise<void> => app.close();
  return { app, engine, restore, webhooks, metrics, logged, routes, listen, close };
}

/** Sends bytes as they are and resolves with everything that came back until the end. */
export function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}
