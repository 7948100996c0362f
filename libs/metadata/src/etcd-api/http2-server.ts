import type { Server } from '@grpc/grpc-js';
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/**
 * The HTTP/2 server that grpc-js made for the connections that it is given; it keeps it to itself.
 * Throws where it is not found.
 */
export function http2ServerOf(server: Server): Http2Server {
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<Http2Server, unknown>;
  };
  const [http2] = http2Servers?.keys() ?? [];
  if (http2 === undefined) throw new Error('this release of grpc-js keeps its servers elsewhere');
  return http2;
}

/** Lets grpc-js have only the streams that are admitted. */
export function guardStreams(
  http2: Http2Server,
  admit: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean,
): void {
  const handlers = http2.listeners('stream') as Handler[];
  if (handlers.length === 0) throw new Error('this release of grpc-js takes streams elsewhere');
  http2.removeAllListeners('stream');
  http2.on('stream', (stream, headers) => {
    if (admit(stream, headers)) for (const handle of handlers) handle(stream, headers);
  });
}
