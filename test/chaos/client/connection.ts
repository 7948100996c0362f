import { createRequire } from 'node:module';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance';

/** An answer, or why there is none. */
export type Reply<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly code: status; readonly details: string };

/** A connection was never made, so nothing was sent; or nobody led, so nothing was proposed. */
const NOT_DONE = /^No connection established|^Name resolution failed|^etcdserver: no leader$/;
const CHANNEL_OPTIONS = {
  // Each connection of ours is one of its own, as clients on many machines have.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 250,
  'grpc.max_receive_message_length': -1,
};

interface CallOptions {
  readonly deadlineMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

type Callback = (error: ServiceError | null, message: unknown) => void;
type Method = (
  request: unknown,
  metadata: Metadata,
  options: { deadline: number },
  callback: Callback,
) => { cancel(): void };
type StreamMethod = () => ClientDuplexStream<unknown, unknown>;
interface Client {
  close(): void;
  readonly [method: string]: unknown;
}
type ClientClass = new (address: string, credentials: unknown, options: object) => Client;

let loaded: Readonly<Record<string, ClientClass>> | undefined;

/** The service definitions that npm's etcd3 ships. */
function services(): Readonly<Record<string, ClientClass>> {
  if (loaded === undefined) {
    const file = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
    const definition = loadSync(file, {
      keepCase: true,
      longs: String,
      enums: String,
      defaults: true,
      oneofs: true,
    });
    const { etcdserverpb } = loadPackageDefinition(definition);
    loaded = etcdserverpb as unknown as Readonly<Record<string, ClientClass>>;
  }
  return loaded;
}

/** Speaks the etcd v3 API with one node; reconnects by itself. */
export class Connection {
  private readonly clients = new Map<ServiceName, Client>();

  /** `endpoint`: `host:port`. */
  constructor(readonly endpoint: string) {}

  call<T>(
    service: ServiceName,
    method: string,
    request: unknown,
    options: CallOptions,
  ): Promise<Reply<T>> {
    const client = this.client(service);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
    return new Promise((resolve) => {
      const deadline = Date.now() + options.deadlineMs;
      const perform = client[method] as Method;
      perform.call(client, request, metadata, { deadline }, (error, message) => {
        if (error === null) resolve({ ok: true, message: message as T });
        else resolve({ ok: false, code: error.code, details: error.details });
      });
    });
  }

  /** A stream of both directions; whoever opens it cancels it. */
  open(service: 'Watch' | 'Lease', method: string): ClientDuplexStream<unknown, unknown> {
    const client = this.client(service);
    return (client[method] as StreamMethod).call(client);
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  private client(service: ServiceName): Client {
    const known = this.clients.get(service);
    if (known !== undefined) return known;
    const Class = services()[service];
    if (Class === undefined) throw new Error(`no service ${service}`);
    const client = new Class(this.endpoint, credentials.createInsecure(), CHANNEL_OPTIONS);
    this.clients.set(service, client);
    return client;
  }
}

/** Whether a failed call surely had no effect. */
export function isSurelyNotDone({ code, details }: { code: status; details: string }): boolean {
  if (code === status.UNAVAILABLE) return NOT_DONE.test(details);
  return code === status.RESOURCE_EXHAUSTED;
}
