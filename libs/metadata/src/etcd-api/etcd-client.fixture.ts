import { credentials, makeGenericClientConstructor, Metadata } from '@grpc/grpc-js';
import type {
  ChannelCredentials,
  ClientDuplexStream,
  ClientUnaryCall,
  ClientReadableStream,
  ServiceDefinition,
  ServiceError,
} from '@grpc/grpc-js';
import { systemTime } from '../testing/system-time.js';
import { serveEtcd } from './etcd-server.js';
import type { EtcdServer, EtcdServerOptions } from './etcd-server.js';
import { etcdServices } from '../etcd-protocol/services.js';
import { openTestNode } from './test-node.fixture.js';
import type { TestNode } from './test-node.fixture.js';

type Method = (...parameters: unknown[]) => unknown;
type Client = Record<string, Method> & { close(): void };

/** A service by its last name. */
export function serviceOf(name: string): ServiceDefinition {
  const found = Object.entries(etcdServices()).find(([full]) => full.endsWith(`.${name}`));
  if (found === undefined) throw new TypeError(`there is no service ${name}`);
  return found[1];
}

/** A call that is under way. */
export interface Pending<Response> {
  readonly answer: Promise<Response>;
  cancel(): void;
}

/** A bare client: what it is answered is exactly what came. 64-bit numbers are strings. */
export class EtcdClient {
  readonly #clients = new Map<string, Client>();

  constructor(
    private readonly port: number,
    private readonly trust: ChannelCredentials = credentials.createInsecure(),
  ) {}

  /** `method`: the service's last name and the method's, as in `KV.Put`. */
  call<Response extends object = Record<string, unknown>>(
    method: string,
    request: object,
    headers: Record<string, string> = {},
    options: { deadline?: number } = {},
  ): Promise<Response> {
    return this.begin<Response>(method, request, headers, options).answer;
  }

  /** A call that may be given up. */
  begin<Response extends object = Record<string, unknown>>(
    method: string,
    request: object,
    headers: Record<string, string> = {},
    options: { deadline?: number } = {},
  ): Pending<Response> {
    let cancel = (): void => undefined;
    const answer = new Promise<Response>((resolve, reject) => {
      const done = (error: ServiceError | null, response: Response): void => {
        if (error === null) resolve(response);
        else reject(error);
      };
      const call = this.#invoke(method, request, metadataOf(headers), options, done);
      cancel = () => (call as ClientUnaryCall).cancel();
    });
    /* Whoever gives it up need not listen. */
    answer.catch(() => undefined);
    return { answer, cancel };
  }

  duplex<Request, Response>(
    method: string,
    headers: Record<string, string> = {},
  ): ClientDuplexStream<Request, Response> {
    return this.#invoke(method, metadataOf(headers)) as ClientDuplexStream<Request, Response>;
  }

  download<Response>(
    method: string,
    request: object = {},
    headers: Record<string, string> = {},
  ): ClientReadableStream<Response> {
    return this.#invoke(method, request, metadataOf(headers)) as ClientReadableStream<Response>;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #invoke(path: string, ...parameters: unknown[]): unknown {
    const [service = '', method = ''] = path.split('.');
    let client = this.#clients.get(service);
    if (client === undefined) {
      const Constructor = makeGenericClientConstructor(serviceOf(service), service);
      const options = { 'grpc.use_local_subchannel_pool': 1 };
      const address = `127.0.0.1:${this.port}`;
      client = new Constructor(address, this.trust, options) as unknown as Client;
      this.#clients.set(service, client);
    }
    return client[method]!.apply(client, parameters);
  }
}

function metadataOf(headers: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

export interface ApiBench {
  readonly node: TestNode;
  readonly server: EtcdServer;
  readonly client: EtcdClient;
  /** What the server wrote to its log. */
  readonly log: string[];
  close(): Promise<void>;
}

/** A node that serves the API, and a client of it. It is closed with them. */
export async function apiBench(
  options: Partial<EtcdServerOptions> & { node?: TestNode } = {},
): Promise<ApiBench> {
  const node = options.node ?? (await openTestNode());
  const log: string[] = [];
  const server = await serveEtcd({
    port: 0,
    timer: systemTime,
    log: (text) => log.push(text),
    ...options,
    node,
  }).catch(async (error: unknown) => {
    await node.close();
    throw error;
  });
  const client = new EtcdClient(server.address.port);
  const close = async (): Promise<void> => {
    client.close();
    await server.close();
    await node.close();
  };
  return { node, server, client, log, close };
}

/** Collects what a stream brings, and waits for it. */
export class Received<Response> {
  readonly all: Response[] = [];
  #waiting: (() => void)[] = [];
  error: ServiceError | null = null;
  ended = false;

  constructor(readonly stream: ClientReadableStream<Response>) {
    stream.on('data', (response: Response) => {
      this.all.push(response);
      this.#wake();
    });
    stream.on('error', (error: ServiceError) => {
      this.error = error;
      this.#wake();
    });
    stream.on('end', () => {
      this.ended = true;
      this.#wake();
    });
  }

  /** Resolves once this many came, or rejects when the stream broke before. */
  async count(wanted: number): Promise<Response[]> {
    await this.until(() => this.all.length >= wanted);
    return this.all;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.error !== null) throw this.error;
      if (this.ended) throw new Error('the stream ended');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves with the failure that ended the stream; null when it ended well. */
  async end(): Promise<ServiceError | null> {
    while (!this.ended && this.error === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.error;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
