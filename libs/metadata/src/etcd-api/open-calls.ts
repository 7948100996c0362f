import type { ServiceDefinition } from '@grpc/grpc-js';
import type { Timer, TimerHandle } from '@pawl/kernel';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { EtcdLimits } from './limits.js';
import { refused } from './status-error.js';

/** `asking` until the request came whole, `answered` when only the client has not ended it. */
type Phase = 'asking' | 'under-way' | 'answering' | 'answered';
/** Streams go on as long as the client likes; downloads, calls otherwise, while it takes of them. */
type Kind = 'call' | 'download' | 'stream';

interface OpenCall {
  readonly stream: ServerHttp2Stream;
  readonly kind: Kind;
  phase: Phase;
  /** Looks at it that found it in this phase, of a download since some of it was taken. */
  looks: number;
}

/** How often it is looked at calls while they may wait for their requests. */
const LOOKS = 4;

/**
 * The calls that are open on all connections, from their headers on until neither side has anything
 * to say: at most so many; a client that lets one wait too long loses its connection.
 */
export class OpenCalls {
  readonly #open = new Set<OpenCall>();
  readonly #kinds = new Map<string, Kind>();
  readonly #lookMs: number;
  #streams = 0;
  #timer: TimerHandle | null = null;

  constructor(
    services: Readonly<Record<string, ServiceDefinition>>,
    private readonly limits: EtcdLimits,
    private readonly timer: Timer,
  ) {
    this.#lookMs = limits.requestMs / LOOKS;
    for (const service of Object.values(services)) {
      for (const { path, requestStream, responseStream } of Object.values(service)) {
        if (responseStream) this.#kinds.set(path, requestStream ? 'stream' : 'download');
      }
    }
    this.#look();
  }

  /** Counts a call; answers one that is too many, which is then nobody else's. */
  admit(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const kind = this.#kinds.get(headers[':path'] ?? '') ?? 'call';
    const streams = kind === 'stream';
    const full = streams
      ? this.#streams >= this.limits.streams
      : this.#open.size - this.#streams >= this.limits.calls;
    if (full) {
      refuse(stream);
      return false;
    }
    const call: OpenCall = { stream, kind, phase: 'asking', looks: 0 };
    this.#open.add(call);
    if (streams) this.#streams += 1;
    if (kind === 'download') stream.on('drain', () => (call.looks = 0));
    stream.once('close', () => {
      this.#open.delete(call);
      if (streams) this.#streams -= 1;
    });
    return true;
  }

  /** Looks at them no more. */
  close(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer = this.timer.after(this.#lookMs, () => {
      this.#look();
      for (const call of this.#open) {
        const phase = phaseOf(call.stream);
        call.looks = phase === call.phase ? call.looks + 1 : 0;
        call.phase = phase;
        this.#end(call);
      }
    });
  }

  /**
   * If it has waited for its client too long, with the connection: a client that leaves one call so
   * is broken, or means harm.
   */
  #end({ stream, kind, phase, looks }: OpenCall): void {
    const { requestMs, answerMs } = this.limits;
    const most = {
      asking: kind === 'stream' ? Infinity : requestMs,
      'under-way': Infinity,
      answering: kind === 'stream' ? Infinity : answerMs,
      answered: requestMs,
    }[phase];
    if (looks * this.#lookMs >= most) stream.session?.destroy();
  }
}

function phaseOf(stream: ServerHttp2Stream): Phase {
  const { sentTrailers, sentHeaders, headersSent, readableEnded } = stream;
  if (sentTrailers !== undefined || sentHeaders?.['grpc-status'] !== undefined) return 'answered';
  if (headersSent) return 'answering';
  return readableEnded ? 'under-way' : 'asking';
}

/** In place of grpc-js; Node resets a stream that is answered and was never read from. */
function refuse(stream: ServerHttp2Stream): void {
  const { code, message } = refused('too-many-requests');
  stream.on('error', () => undefined);
  const headers = {
    ':status': 200,
    'content-type': 'application/grpc+proto',
    'grpc-status': code,
    'grpc-message': message,
  };
  stream.respond(headers, { endStream: true });
}
