import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { seededRng } from '@pawl/kernel';
import type { Timer, TimerHandle } from '@pawl/kernel';
import type { Entry, NodeId, SnapshotMessage } from '../../core/index.js';
import { encodeHello, encodeWelcome, PROTOCOL } from './handshake.js';
import type { Hello } from './handshake.js';
import { readMessage } from './message-codec.js';
import type { PlainMessage } from './message-codec.js';
import { FRAME, FrameReader, oneFrame } from './peer-frame.js';
import { PeerTransport } from './peer-transport.js';
import type { TransportLimits, TransportOptions } from './transport-options.js';

export const HERE = { host: '127.0.0.1', port: 0 } as const;
export const CLUSTER = 'cluster-1';

export const realTimer: Timer = {
  after(delayMs, callback) {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Knows how many timers are pending. */
export class CountingTimer implements Timer {
  readonly #pending = new Set<symbol>();

  get pending(): number {
    return this.#pending.size;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    const id = Symbol('timer');
    this.#pending.add(id);
    const handle = realTimer.after(delayMs, () => {
      this.#pending.delete(id);
      callback();
    });
    return {
      cancel: () => {
        this.#pending.delete(id);
        handle.cancel();
      },
    };
  }
}

/** Waits for conditions over what was recorded; the test's own time-out bounds it. */
export class Watched {
  #waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = [];

  changed(): void {
    const met = this.#waiting.filter(({ condition }) => condition());
    this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting));
    for (const { resolve } of met) resolve();
  }

  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => this.#waiting.push({ condition, resolve }));
  }
}

/** A transport and all that it reported. */
export class Member extends Watched {
  readonly messages: PlainMessage[] = [];
  readonly snapshots: { readonly message: SnapshotMessage; readonly state: Uint8Array }[] = [];
  readonly unreachable: NodeId[] = [];
  readonly ended: { readonly id: NodeId; readonly delivered: boolean }[] = [];
  readonly problems: string[] = [];
  readonly asked: { readonly from: NodeId | null; readonly body: Uint8Array }[] = [];
  /** What it answers when it is asked. */
  answer: (body: Uint8Array, from: NodeId | null) => Promise<Uint8Array> = (body) =>
    Promise.resolve(body);
  transport!: PeerTransport;

  static async start(
    id: NodeId,
    changes: Omit<Partial<TransportOptions>, 'self'> & { readonly folderId?: string } = {},
  ): Promise<Member> {
    const member = new Member();
    const note = (add: () => void): void => {
      add();
      member.changed();
    };
    const { folderId = `folder-of-${id}`, ...others } = changes;
    member.transport = await PeerTransport.start({
      self: { id, clusterId: CLUSTER, folderId },
      listen: HERE,
      peers: [],
      timer: realTimer,
      rng: seededRng(1),
      onMessage: (message) => note(() => member.messages.push(message)),
      onSnapshot: (message, state) => note(() => member.snapshots.push({ message, state })),
      onUnreachable: (peer) => note(() => member.unreachable.push(peer)),
      onSnapshotEnded: (peer, delivered) => note(() => member.ended.push({ id: peer, delivered })),
      onRequest: (from, body) => {
        note(() => member.asked.push({ from, body }));
        return member.answer(body, from);
      },
      onProblem: (text) => note(() => member.problems.push(text)),
      ...others,
    });
    return member;
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.transport.address!;
  }

  problem(pattern: RegExp): Promise<void> {
    return this.until(() => this.problems.some((text) => pattern.test(text)));
  }
}

/** Sends from `from` until something of it arrives at `to`. */
export async function joined(from: Member, to: Member, ids: [NodeId, NodeId]): Promise<void> {
  const before = to.messages.length;
  const message = heartbeat(ids[0], ids[1], 0);
  const again = setInterval(() => from.transport.send(message), 5);
  try {
    await to.until(() => to.messages.length > before);
  } finally {
    clearInterval(again);
  }
}

/** Two transports that know and reach each other. */
export async function pair(
  limits: Partial<TransportLimits> = {},
  timer = realTimer,
): Promise<[Member, Member]> {
  const a = await Member.start('a', { limits, timer });
  const b = await Member.start('b', { limits, timer });
  a.transport.setPeers([{ id: 'b', ...b.address }]);
  b.transport.setPeers([{ id: 'a', ...a.address }]);
  await joined(a, b, ['a', 'b']);
  await joined(b, a, ['b', 'a']);
  for (const member of [a, b]) {
    member.messages.length = 0;
    member.unreachable.length = 0;
    member.problems.length = 0;
  }
  return [a, b];
}

export function heartbeat(from: NodeId, to: NodeId, round: number): PlainMessage {
  return { type: 'heartbeat', from, to, term: 1, commit: 0, round };
}

export function append(previousIndex: number, data: readonly Uint8Array[]): PlainMessage {
  const entries = data.map((bytes, at): Entry => {
    return { index: previousIndex + 1 + at, term: 1, kind: 'command', data: bytes };
  });
  const ends = { previousIndex, previousTerm: 1, entries, commit: 0 };
  return { type: 'append', from: 'a', to: 'b', term: 1, ...ends };
}

export function snapshotMessage(term = 1): SnapshotMessage {
  const configuration = { voters: ['a', 'b'], outgoing: [], learners: [], learnersNext: [] };
  const snapshot = { index: 10, term, configuration };
  return { type: 'snapshot', from: 'a', to: 'b', term, snapshot };
}

/** The other end of a connection, by hand. */
export class RawConnection extends Watched {
  readonly frames: { readonly kind: number; readonly body: Buffer }[] = [];
  readonly messages: PlainMessage[] = [];
  closed = false;

  constructor(readonly socket: Socket) {
    super();
    const reader = new FrameReader(64 * 1024 * 1024);
    socket.on('data', (chunk: Buffer) => {
      for (const { kind, body } of reader.read(chunk)) {
        this.frames.push({ kind, body: Buffer.from(body) });
        if (kind === FRAME.message) this.messages.push(readMessage(body) as PlainMessage);
      }
      this.changed();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.changed();
    });
  }

  static async connect(to: {
    readonly host: string;
    readonly port: number;
  }): Promise<RawConnection> {
    const socket = connect(to);
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  hello(changes: Partial<Hello> = {}): void {
    const self = { id: 'a', clusterId: CLUSTER, folderId: 'folder-of-a' };
    const hello = { ...PROTOCOL, purpose: 'messages', self, target: 'b', ...changes } as const;
    this.socket.write(oneFrame(FRAME.hello, encodeHello(hello)));
  }

  welcome(id: NodeId, folderId = `folder-of-${id}`, clusterId = CLUSTER): void {
    const welcome = encodeWelcome({ version: 1, self: { id, clusterId, folderId } });
    this.socket.write(oneFrame(FRAME.welcome, welcome));
  }

  of(kind: number): Buffer[] {
    return this.frames.filter((frame) => frame.kind === kind).map(({ body }) => body);
  }

  get refusal(): string | undefined {
    return this.of(FRAME.refusal)[0]?.subarray(4).toString('utf8');
  }

  gone(): Promise<void> {
    return this.until(() => this.closed);
  }
}

/** Accepts connections and leaves what to do with them to the test. */
export class RawServer extends Watched {
  readonly connections: RawConnection[] = [];
  readonly #server: Server;

  private constructor(accepted: (connection: RawConnection) => void) {
    super();
    this.#server = createServer((socket) => {
      const connection = new RawConnection(socket);
      this.connections.push(connection);
      accepted(connection);
      this.changed();
    });
  }

  static async start(
    accepted: (connection: RawConnection) => void = () => undefined,
  ): Promise<RawServer> {
    const server = new RawServer(accepted);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** A link that can stand still, or break, or be slow, without either end doing anything. */
export class Proxy {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #still = false;
  /** Bytes towards the target. */
  forwarded = 0;
  /** Called after each chunk towards the target. */
  onForwarded: () => void = () => undefined;
  /** Between two chunks. */
  delayMs = 0;

  private constructor(public target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((near) => {
      const far = connect(this.target);
      this.#join(near, far, true);
      this.#join(far, near, false);
    });
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  /** Nothing moves any more on what is open; neither end is told. */
  standStill(): void {
    this.#still = true;
    for (const socket of this.#sockets) socket.pause();
  }

  goOn(): void {
    this.#still = false;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(from: Socket, to: Socket, towardsTarget: boolean): void {
    this.#sockets.add(from);
    if (this.#still) from.pause();
    from.on('data', (chunk: Buffer) => {
      to.write(chunk);
      if (!towardsTarget) return;
      this.forwarded += chunk.length;
      this.onForwarded();
      if (this.delayMs === 0) return;
      from.pause();
      setTimeout(() => from.resume(), this.delayMs);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      if (!this.#still) to.destroy();
    });
  }
}

/** Kinds of all sockets and servers that keep the process alive. */
export function openSockets(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Immediate/.test(kind));
}
