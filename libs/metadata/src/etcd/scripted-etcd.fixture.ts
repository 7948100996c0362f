import { Server, ServerCredentials } from '@grpc/grpc-js';
import type {
  ServerDuplexStream,
  ServerUnaryCall,
  UntypedServiceImplementation,
  sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { createServer } from 'node:net';
import type { AddressInfo, Server as Listener } from 'node:net';
import { once } from 'node:events';
import { etcdServices } from '../etcd-protocol/services.js';

/** How a call ends: with an answer, or with gRPC's code and a text. */
export type Outcome =
  { readonly answer: object } | { readonly code: status; readonly details: string };

/** A promise that never settles has the member stand still. */
export type Script = (method: string) => Outcome | Promise<Outcome>;

/** Answers to everything with its default. */
export const answering: Script = () => ({ answer: {} });
export const failing =
  (code: status, details: string): Script =>
  () => ({ code, details });
/** Takes the call and never answers. */
export const hanging: Script = () => new Promise<Outcome>(() => undefined);

/** A member of a cluster that does what the test says. */
export class ScriptedEtcd {
  /** Methods that were called, in order, such as `Range`. */
  readonly asked: string[] = [];
  /** `host:port`. */
  address = '';
  readonly #server = new Server();

  private constructor(public script: Script) {
    for (const service of ['KV', 'Lease'] as const) {
      const definition = etcdServices()[`etcdserverpb.${service}`];
      const methods: UntypedServiceImplementation = {};
      for (const [name, { requestStream }] of Object.entries(definition)) {
        const ask = (): Promise<Outcome> => this.#ask(name);
        methods[name] = requestStream ? onStream(ask) : unary(ask);
      }
      this.#server.addService(definition, methods);
    }
  }

  static async start(script: Script): Promise<ScriptedEtcd> {
    const member = new ScriptedEtcd(script);
    const port = await new Promise<number>((resolve, reject) => {
      member.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    member.address = `127.0.0.1:${port}`;
    return member;
  }

  /** Cuts its connections; nobody listens there any more. */
  stop(): void {
    this.#server.forceShutdown();
  }

  async #ask(method: string): Promise<Outcome> {
    this.asked.push(method);
    return this.script(method);
  }
}

function unary(ask: () => Promise<Outcome>) {
  return (_call: ServerUnaryCall<object, object>, done: sendUnaryData<object>): void => {
    void ask().then((outcome) => {
      if ('answer' in outcome) done(null, outcome.answer);
      else done(outcome);
    });
  };
}

function onStream(ask: () => Promise<Outcome>) {
  return (call: ServerDuplexStream<object, object>): void => {
    call.on('error', () => undefined);
    call.on('data', () => {
      void ask().then((outcome) => {
        if ('answer' in outcome) call.write(outcome.answer);
        else call.emit('error', outcome);
      });
    });
    call.on('end', () => call.end());
  };
}

/** An address that takes connections and drops them at once: no member is there. */
export async function startDropping(): Promise<{ address: string; stop(): Promise<void> }> {
  const listener: Listener = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.destroy();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => {
      listener.close();
      await once(listener, 'close');
    },
  };
}
