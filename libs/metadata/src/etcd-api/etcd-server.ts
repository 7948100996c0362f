import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Timer } from '@pawl/kernel';
import type { Server as NetServer } from 'node:net';
import type { CoordinationNode } from '../coordination.port.js';
import { ApiContext } from './api-context.js';
import { CallGate } from './call-gate.js';
import { clusterService } from './cluster.service.js';
import { Contest } from './contest.js';
import { electionService } from './election.service.js';
import type { ElectionGates } from './election.service.js';
import { Connections } from './connections.js';
import { guardStreams, http2ServerOf } from './http2-server.js';
import { kvService } from './kv.service.js';
import { leaseService } from './lease.service.js';
import { DEFAULT_ETCD_LIMITS } from './limits.js';
import type { EtcdLimits } from './limits.js';
import { lockService } from './lock.service.js';
import { maintenanceService } from './maintenance.service.js';
import { OpenCalls } from './open-calls.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { etcdServices } from '../etcd-protocol/services.js';
import { StreamGate } from './stream-gate.js';
import { WaitGate } from './wait-gate.js';
import { WatchServer } from './watch-server.js';
import type { WatchCall } from './watch-stream.js';

/** PEM texts. */
export interface EtcdTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Clients must show a certificate that one of these signed; left out: they need none. */
  readonly clientCa?: Buffer;
}

export interface EtcdServerOptions {
  readonly node: CoordinationNode;
  /** Left out: this machine only. */
  readonly host?: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Listens there already, and is to be used for it. */
  readonly taken?: NetServer;
  readonly tls?: EtcdTls;
  readonly limits?: Partial<EtcdLimits>;
  readonly timer: Timer;
  /** One line for people, when a call failed that should not; may come often. */
  readonly log: (text: string) => void;
}

export interface EtcdServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no more calls, ends streams, waits a bounded time for calls under way. */
  close(): Promise<void>;
}

/** Serves the coordination API: etcd's v3 protocol, as far as `docs/etcd-api.md` says. */
export async function serveEtcd(options: EtcdServerOptions): Promise<EtcdServer> {
  const limits = { ...DEFAULT_ETCD_LIMITS, ...options.limits };
  const { node, timer, log, tls } = options;
  const scheme = tls === undefined ? 'http' : 'https';
  const context = new ApiContext({ node, limits, timer, scheme, log });
  const calls = new CallGate(context);
  const waits = new WaitGate(context, calls);
  const streams = new StreamGate(context, calls);
  const server = new Server({
    'grpc.max_receive_message_length': limits.requestBytes,
    'grpc.max_concurrent_streams': limits.streamsPerConnection,
    'grpc.keepalive_time_ms': limits.pingMs,
    'grpc.keepalive_timeout_ms': limits.pongMs,
    'grpc.enable_channelz': 0,
  });
  const watches = addServices(server, context, { calls, waits, streams });
  const injector = server.createConnectionInjector(credentials(tls));
  const http2 = http2ServerOf(server);
  const open = new OpenCalls(etcdServices(), limits, timer);
  guardStreams(http2, (stream, headers) => open.admit(stream, headers));
  const connections = new Connections(limits, timer, (socket) => {
    injector.injectConnection(socket);
  });
  http2.on('session', (session) => connections.begin(session));
  const { address: host, port } = await connections
    .listen(options.taken ?? { host: options.host ?? '127.0.0.1', port: options.port })
    .catch((error: unknown) => {
      for (const one of [streams, watches, open]) one.close();
      throw error;
    });
  const stop = async (): Promise<void> => {
    calls.close();
    waits.close();
    const closed = connections.close();
    streams.close();
    watches.close();
    injector.drain(limits.closeMs);
    const late = timer.after(limits.closeMs, () => connections.destroy());
    await closed;
    late.cancel();
    open.close();
    server.forceShutdown();
  };
  let closing: Promise<void> | null = null;
  return { address: { host, port }, close: () => (closing ??= stop()) };
}

function credentials(tls: EtcdTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key, clientCa } = tls;
  const pair = [{ cert_chain: cert, private_key: key }];
  return ServerCredentials.createSsl(clientCa ?? null, pair, clientCa !== undefined);
}

/** What a service has and is not here answers UNIMPLEMENTED, as services that are not here do. */
function addServices(server: Server, context: ApiContext, gates: ElectionGates): WatchServer {
  const { calls, waits, streams } = gates;
  const services = etcdServices();
  const { Watch } = services['etcdserverpb.Watch'];
  if (Watch === undefined) throw new Error('the protocol has no Watch');
  const watches = new WatchServer(
    context,
    Watch.responseSerialize as (response: rpc.Written<rpc.WatchResponse>) => Buffer,
  );
  server.addService(services['etcdserverpb.KV'], kvService(context, calls));
  server.addService(services['etcdserverpb.Lease'], leaseService(context, calls, streams));
  server.addService(services['etcdserverpb.Cluster'], clusterService(context, calls));
  server.addService(services['etcdserverpb.Maintenance'], maintenanceService(context, calls));
  const contest = new Contest(context, waits.closing);
  server.addService(services['v3lockpb.Lock'], lockService(context, calls, waits, contest));
  server.addService(services['v3electionpb.Election'], electionService(context, gates, contest));
  /* Watches write batches of messages that are encoded already. */
  server.addService(
    { Watch: { ...Watch, responseSerialize: (batch: Buffer) => batch } },
    {
      Watch: (call: ServerDuplexStream<rpc.WatchRequest, unknown>) => {
        streams.open(call, () => watches.open(call as unknown as WatchCall));
      },
    },
  );
  return watches;
}
