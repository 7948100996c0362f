import { Client, credentials } from '@grpc/grpc-js';
import type { ClientReadableStream, MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { etcdServices } from '../../libs/metadata/src/etcd-protocol/services.js';
import { common } from './wire-server.js';
import type { WireAnswer } from './wire-server.js';

/** A method as in `Lock.Unlock`, and what it is asked. */
export interface ContestRequest {
  readonly method: string;
  readonly request: object;
}

/** A call that may wait. */
export interface OpenCall {
  /** Null until it came. */
  readonly answer: WireAnswer | null;
  cancel(): void;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Method = MethodDefinition<object, any>;

/** One server of etcd's protocol with its locks and elections: nothing that it says is interpreted. */
export class ContestServer {
  readonly #client: Client;

  constructor(address: string) {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.#client = new Client(address, credentials.createInsecure(), options);
  }

  async ask(request: ContestRequest): Promise<WireAnswer> {
    return new Promise((resolve) => this.#call(request, resolve));
  }

  begin(request: ContestRequest): OpenCall {
    const open = { answer: null as WireAnswer | null, cancel: () => call.cancel() };
    const call = this.#call(request, (answer) => (open.answer = answer));
    return open;
  }

  /** Adds to `told` what an observer of this election is told. */
  observe(name: string, told: unknown[]): ClientReadableStream<object> {
    const { path, requestSerialize, responseDeserialize } = methodOf('Election.Observe');
    const request = { name: Buffer.from(name) };
    const stream = this.#client.makeServerStreamRequest<object, object>(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    stream.on('data', (message) => told.push(common(message)));
    stream.on('error', ({ code, details }: ServiceError) => told.push({ code, details }));
    return stream;
  }

  close(): void {
    this.#client.close();
  }

  #call({ method, request }: ContestRequest, done: (answer: WireAnswer) => void) {
    const { path, requestSerialize, responseDeserialize } = methodOf(method);
    return this.#client.makeUnaryRequest<object, unknown>(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      (error, answer) => {
        if (error === null) done({ answer: common(answer) });
        else done({ code: error.code, text: error.details });
      },
    );
  }
}

function methodOf(name: string): Method {
  const [service = '', method = ''] = name.split('.');
  const found = Object.entries(etcdServices()).find(([full]) => full.endsWith(`.${service}`));
  return found?.[1][method] as Method;
}
