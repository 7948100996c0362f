import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { once } from 'node:events';
import { serviceOf } from './etcd-client.fixture.js';

/** What a call was answered with: gRPC's code and text, in headers or in trailers. */
export interface RawAnswer {
  readonly code: number;
  readonly text: string;
}

/** One HTTP/2 connection of a client that does what no library does: begins calls and leaves them. */
export class RawClient {
  readonly session: ClientHttp2Session;
  readonly #answers = new WeakMap<ClientHttp2Stream, Promise<RawAnswer>>();

  /** `window`: bytes that the server may send on a stream that is not read from. */
  constructor(port: number, window = 65_535) {
    this.session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: window } });
    this.session.on('error', () => undefined);
  }

  /** A call of which nothing but its headers is sent. */
  begin(path: string): ClientHttp2Stream {
    const stream = this.session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      { endStream: false },
    );
    stream.on('error', () => undefined);
    const answer = answerOf(stream);
    answer.catch(() => undefined);
    this.#answers.set(stream, answer);
    return stream;
  }

  /** A whole request, as in `KV.Range`; nothing is read unless somebody listens. */
  ask(method: string, request: object): ClientHttp2Stream {
    const [service = '', name = ''] = method.split('.');
    const definition = serviceOf(service)[name]!;
    const body = definition.requestSerialize(request);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    const stream = this.begin(definition.path);
    stream.end(Buffer.concat([head, body]));
    return stream;
  }

  /** Resolves when the server has said how a call ended; rejects when it broke first. */
  async answer(stream: ClientHttp2Stream): Promise<RawAnswer> {
    const answer = this.#answers.get(stream);
    if (answer === undefined) throw new Error('a stream of another client');
    return answer;
  }

  async close(): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

async function answerOf(stream: ClientHttp2Stream): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    for (const event of ['response', 'trailers'] as const) {
      stream.on(event, (headers: IncomingHttpHeaders) => {
        const code = headers['grpc-status'];
        if (code === undefined) return;
        resolve({ code: Number(code), text: decodeURI(String(headers['grpc-message'])) });
      });
    }
    stream.on('close', () => reject(new Error(`the stream was reset with ${stream.rstCode}`)));
  });
}
