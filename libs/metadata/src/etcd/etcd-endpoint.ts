import { Client, Metadata, connectivityState, credentials } from '@grpc/grpc-js';
import type { ChannelCredentials, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { Timer } from '@pawl/kernel';
import type { EtcdMethod } from './etcd-method.js';

/** PEM each. Without `cert` and `key` the client is not known to the server. */
export interface EtcdTls {
  /** Left out: those that Node trusts. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/**
 * Reconnects soon, also after a long time away. Pings find a server that stands still; etcd closes
 * connections that ping more often than every 5 s. What we receive has no bound but the server's.
 */
const CHANNEL = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 6_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

/** A member without a leader says so at once, instead of waiting for one. */
function requireLeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  return metadata;
}

/** Credentials for all endpoints of a cluster. */
export function channelCredentials(tls: EtcdTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}

/** The connection to one endpoint of a cluster. Failures of calls are `ServiceError`s. */
export class EtcdEndpoint {
  readonly #client: Client;
  readonly #timer: Timer;
  readonly #open = new Set<{ cancel(): void }>();

  constructor(
    /** `host:port`. */
    readonly address: string,
    security: ChannelCredentials,
    timer: Timer,
  ) {
    this.#client = new Client(address, security, CHANNEL);
    this.#timer = timer;
  }

  /** Connects if need be; false when that failed, or took longer. */
  async connect(withinMs: number): Promise<boolean> {
    const untilMs = Date.now() + withinMs;
    const channel = this.#client.getChannel();
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return true;
      const failed = state === connectivityState.TRANSIENT_FAILURE;
      if (failed || state === connectivityState.SHUTDOWN) return false;
      const changed = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, untilMs, (late) => resolve(late === undefined));
      });
      if (!changed) return false;
    }
  }

  /** One request, one answer; given up after `withinMs`. */
  call<Answer>(method: EtcdMethod, request: unknown, withinMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest<unknown, Answer>(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        requireLeader(),
        (error, answer) => {
          settled();
          if (error !== null) reject(error);
          else resolve(answer as Answer);
        },
      );
      const settled = this.#bound(call, withinMs);
    });
  }

  /** One request and its answer on a stream of their own; given up after `withinMs`. */
  ask<Answer>(method: EtcdMethod, request: unknown, withinMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const stream = this.stream<unknown, Answer>(method);
      const settled = this.#bound(stream, withinMs);
      stream.on('data', (answer: Answer) => {
        resolve(answer);
        stream.end();
      });
      stream.on('error', (error: ServiceError) => {
        settled();
        reject(error);
      });
      stream.on('end', () => {
        settled();
        reject(new Error('the stream ended without an answer'));
      });
      stream.write(request);
    });
  }

  /** A stream that lives until it fails or is cancelled; the caller listens to its errors. */
  stream<Request, Answer>(method: EtcdMethod): ClientDuplexStream<Request, Answer> {
    return this.#client.makeBidiStreamRequest<Request, Answer>(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      requireLeader(),
    );
  }

  /** Ends what is under way, as if its time were up. */
  close(): void {
    for (const call of this.#open) call.cancel();
    this.#client.close();
  }

  /** Cancels a call when its time is up or the endpoint is closed, until it is settled. */
  #bound(call: { cancel(): void }, withinMs: number): () => void {
    this.#open.add(call);
    const late = this.#timer.after(withinMs, () => call.cancel());
    return () => {
      late.cancel();
      this.#open.delete(call);
    };
  }
}
