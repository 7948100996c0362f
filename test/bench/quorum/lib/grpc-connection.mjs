import { connect } from 'node:net';

// HTTP/2 (RFC 9113) and gRPC over a bare socket, as much as a client of one server on loopback
// needs. It does not look into the answers' headers: a call is answered by a message, or failed.

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const FRAME_HEAD = 9;
const MESSAGE_HEAD = 5;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const INITIAL_WINDOW_SIZE = 4;
const DEFAULT_WINDOW = 65_535;
const LARGEST_WINDOW = 2 ** 31 - 1;
/** What was received is told to the server when it is this much, long before a window is empty. */
const TELL_AFTER_BYTES = 2 ** 29;
const MAX_FRAME = 16_384;
const NOTHING = Buffer.alloc(0);

/** @typedef {(error: Error | null, message: Buffer) => void} Done the message lives in the chunk */

export class GrpcConnection {
  /** Calls that are under way. @type {Map<number, any>} */
  #streams = new Map();
  #nextStream = 1;
  #headers;
  #rest = NOTHING;
  /** Frames that wait for the server's window. @type {{ bytes: Buffer, data: number }[]} */
  #queue = [];
  #window = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  #untold = 0;
  #corked = false;
  /** @type {Error | null} */
  #failure = null;
  /** Chunks that the socket gave: at most one for each write call of the server. */
  chunks = 0;

  /** @param {import('node:net').Socket} socket @param {string} authority */
  constructor(socket, authority) {
    this.socket = socket;
    this.#headers = new HeaderWriter(authority);
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
    settings.writeUInt32BE(LARGEST_WINDOW, 2);
    socket.write(
      Buffer.concat([
        PREFACE,
        frame(SETTINGS, 0, 0, settings),
        windowUpdate(0, LARGEST_WINDOW - DEFAULT_WINDOW),
      ]),
    );
  }

  /** @param {string} endpoint `host:port` @returns {Promise<GrpcConnection>} */
  static async open(endpoint) {
    const [host, port] = endpoint.split(':');
    const socket = connect({ host, port: Number(port), noDelay: true });
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return new GrpcConnection(socket, endpoint);
  }

  /**
   * One request, one answer.
   *
   * @param {string} path `/package.Service/Method` @param {readonly Buffer[]} parts of the request
   * @param {Done} done
   */
  unary(path, parts, done) {
    if (this.#failure !== null) {
      done(this.#failure, NOTHING);
      return;
    }
    const id = this.#open({ unary: true, done, rest: NOTHING, window: this.#streamWindow });
    this.#send(id, this.#headers.write(path), parts, END_STREAM);
  }

  /** @param {string} path @param {readonly Buffer[]} parts @returns {Promise<Buffer>} a copy */
  call(path, parts) {
    return new Promise((resolve, reject) => {
      this.unary(path, parts, (error, message) => {
        if (error === null) resolve(Buffer.from(message));
        else reject(error);
      });
    });
  }

  /**
   * A call of many messages both ways; `done` is called with each message, and once with the end.
   *
   * @param {string} path @param {Done} done
   * @returns {(parts: readonly Buffer[]) => void} sends a message
   */
  stream(path, done) {
    const call = { unary: false, done, rest: NOTHING, window: this.#streamWindow };
    const id = this.#open(call);
    let head = this.#headers.write(path);
    return (parts) => {
      this.#send(id, head, parts, 0);
      head = NOTHING;
    };
  }

  /** Calls that are under way fail. */
  close() {
    this.socket.destroy();
    this.#fail(new Error('closed'));
  }

  #open(call) {
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#streams.set(id, call);
    return id;
  }

  /** The headers, if there are any, and one message, in one piece. */
  #send(id, block, parts, flags) {
    let length = MESSAGE_HEAD;
    for (const part of parts) length += part.length;
    const call = this.#streams.get(id);
    call.window -= length;
    if (call.window < 0 || length > MAX_FRAME)
      throw new Error('more than the lean client can send');
    const headLength = block.length === 0 ? 0 : FRAME_HEAD + block.length;
    const bytes = Buffer.allocUnsafe(headLength + FRAME_HEAD + length);
    if (headLength > 0) {
      writeHead(bytes, 0, { length: block.length, type: HEADERS, flags: END_HEADERS, id });
      block.copy(bytes, FRAME_HEAD);
    }
    writeHead(bytes, headLength, { length, type: DATA, flags, id });
    let at = headLength + FRAME_HEAD;
    bytes[at] = 0;
    bytes.writeUInt32BE(length - MESSAGE_HEAD, at + 1);
    at += MESSAGE_HEAD;
    for (const part of parts) at += part.copy(bytes, at);
    this.#queue.push({ bytes, data: length });
    this.#flush();
  }

  /** In order, as far as the server's window goes; all that one turn gives becomes one write. */
  #flush() {
    while (this.#queue.length > 0 && this.#queue[0].data <= this.#window) {
      const { bytes, data } = this.#queue.shift();
      this.#window -= data;
      this.#write(bytes);
    }
  }

  #write(bytes) {
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.socket.uncork();
      });
    }
    this.socket.write(bytes);
  }

  #received(chunk) {
    this.chunks += 1;
    const buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (buffer.length - at >= FRAME_HEAD) {
      const length = buffer.readUIntBE(at, 3);
      const end = at + FRAME_HEAD + length;
      if (end > buffer.length) break;
      this.#frame(buffer, at, end);
      at = end;
    }
    this.#rest = at === buffer.length ? NOTHING : buffer.subarray(at);
  }

  #frame(buffer, at, end) {
    const type = buffer[at + 3];
    const flags = buffer[at + 4];
    const id = buffer.readUInt32BE(at + 5) & 0x7fffffff;
    const from = at + FRAME_HEAD;
    if (type === DATA) this.#data(buffer, { id, from, end, flags });
    else if (type === HEADERS) {
      if ((flags & END_STREAM) !== 0) this.#ended(id, 'refused by the server');
    } else if (type === WINDOW_UPDATE) this.#opened(id, buffer.readUInt32BE(from));
    else if (type === SETTINGS) this.#settings(buffer.subarray(from, end), flags);
    else if (type === PING) {
      if ((flags & ACK) === 0) this.#write(frame(PING, ACK, 0, buffer.subarray(from, end)));
    } else if (type === RST_STREAM) this.#ended(id, `reset: ${buffer.readUInt32BE(from)}`);
    else if (type === GOAWAY) this.#fail(new Error('the server says goodbye'));
  }

  #data(buffer, { id, from, end, flags }) {
    if ((flags & PADDED) !== 0) throw new Error('the lean client takes no padding');
    this.#untold += end - from;
    if (this.#untold > TELL_AFTER_BYTES) {
      this.#write(windowUpdate(0, this.#untold));
      this.#untold = 0;
    }
    const call = this.#streams.get(id);
    if (call === undefined) return;
    if (call.rest.length > 0) {
      buffer = Buffer.concat([call.rest, buffer.subarray(from, end)]);
      from = 0;
      end = buffer.length;
    }
    while (end - from >= MESSAGE_HEAD) {
      const next = from + MESSAGE_HEAD + buffer.readUInt32BE(from + 1);
      if (next > end) break;
      if (call.unary) this.#streams.delete(id);
      call.done(null, buffer.subarray(from + MESSAGE_HEAD, next));
      from = next;
    }
    call.rest = from === end ? NOTHING : buffer.subarray(from, end);
    if ((flags & END_STREAM) !== 0) this.#ended(id, 'ended by the server');
  }

  #opened(id, by) {
    if (id === 0) {
      this.#window += by;
      this.#flush();
      return;
    }
    const call = this.#streams.get(id);
    if (call !== undefined) call.window += by;
  }

  #settings(payload, flags) {
    if ((flags & ACK) !== 0) return;
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) === INITIAL_WINDOW_SIZE) {
        const size = payload.readUInt32BE(at + 2);
        for (const call of this.#streams.values()) call.window += size - this.#streamWindow;
        this.#streamWindow = size;
      }
    }
    this.#write(frame(SETTINGS, ACK, 0, NOTHING));
  }

  #ended(id, why) {
    const call = this.#streams.get(id);
    if (call === undefined) return;
    this.#streams.delete(id);
    call.done(new Error(why), NOTHING);
  }

  #fail(error) {
    if (this.#failure !== null) return;
    this.#failure = error;
    const calls = [...this.#streams.values()];
    this.#streams.clear();
    for (const call of calls) call.done(error, NOTHING);
  }
}

/** Writes header blocks as HPACK (RFC 7541) has them; what repeats is named by its table index. */
class HeaderWriter {
  /** What was added to the dynamic table, oldest first. @type {string[]} */
  #added = [];
  /** Blocks that name nothing new. @type {Map<string, { size: number, block: Buffer }>} */
  #blocks = new Map();

  /** @param {string} authority */
  constructor(authority) {
    this.authority = authority;
  }

  /** @param {string} path */
  write(path) {
    const known = this.#blocks.get(path);
    const size = this.#added.length;
    if (known?.size === size) return known.block;
    const block = Buffer.concat([
      Buffer.from([0x83, 0x86]), // :method POST, :scheme http
      this.#field(4, '', path),
      this.#field(1, '', this.authority),
      this.#field(31, '', 'application/grpc'),
      this.#field(0, 'te', 'trailers'),
    ]);
    if (this.#added.length === size) this.#blocks.set(path, { size, block });
    return block;
  }

  /** @param {number} nameIndex of the static table, 0: `name` */
  #field(nameIndex, name, value) {
    const known = `${nameIndex} ${name} ${value}`;
    const place = this.#added.indexOf(known);
    if (place >= 0) return Buffer.from([0x80 | (61 + this.#added.length - place)]);
    this.#added.push(known);
    return Buffer.concat([
      Buffer.from([0x40 | nameIndex]),
      ...(nameIndex === 0 ? [text(name)] : []),
      text(value),
    ]);
  }
}

/** Not Huffman-coded, shorter than 127 bytes. */
function text(value) {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
}

function writeHead(bytes, at, { length, type, flags, id }) {
  bytes.writeUIntBE(length, at, 3);
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(id, at + 5);
}

function frame(type, flags, id, payload) {
  const bytes = Buffer.alloc(FRAME_HEAD + payload.length);
  writeHead(bytes, 0, { length: payload.length, type, flags, id });
  payload.copy(bytes, FRAME_HEAD);
  return bytes;
}

function windowUpdate(id, by) {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(by);
  return frame(WINDOW_UPDATE, 0, id, payload);
}
