import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { systemTime } from '@pawl/metadata/testing';
import { EtcdEndpoint, channelCredentials } from '../../libs/metadata/src/etcd/etcd-endpoint.js';
import { etcdMethod } from '../../libs/metadata/src/etcd/etcd-method.js';
import type { WireRequest } from './random-wire.js';

const WITHIN_MS = 20_000;
/** Who answered, and in which term, is each server's own. */
const OWN = new Set(['cluster_id', 'member_id', 'raft_term']);

/** An answer without what is each server's own; or the code and the text of a failure. */
export type WireAnswer = { readonly answer: unknown } | { readonly code: number; text: string };

/** A server of etcd's protocol, as it is: nothing that it says is interpreted. */
export class WireServer {
  readonly #endpoint: EtcdEndpoint;

  constructor(address: string) {
    this.#endpoint = new EtcdEndpoint(address, channelCredentials(undefined), systemTime);
  }

  async ask({ service, method, request }: WireRequest): Promise<WireAnswer> {
    const definition = etcdMethod(service, method);
    try {
      const answer = definition.requestStream
        ? await this.#endpoint.ask(definition, request, WITHIN_MS)
        : await this.#endpoint.call(definition, request, WITHIN_MS);
      return { answer: common(answer) };
    } catch (error) {
      const { code, details } = error as ServiceError;
      return { code, text: details };
    }
  }

  watch<Request, Response>(): ClientDuplexStream<Request, Response> {
    return this.#endpoint.stream(etcdMethod('Watch', 'Watch'));
  }

  close(): void {
    this.#endpoint.close();
  }
}

/** Leaves out what is each server's own. */
export function common(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(common);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).filter(([name]) => !OWN.has(name));
  return Object.fromEntries(fields.map(([name, field]) => [name, common(field)]));
}
