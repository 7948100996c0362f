import net from 'node:net';

/**
 * A lean keep-alive HTTP/1.1 connection: one request at a time, answers framed by content-length.
 * The usual clients cost more than the servers that are measured here.
 */
export class HttpConnection {
  #socket;
  #buffer = Buffer.alloc(0);
  #waiting = null;

  /** @param {number} port a port on 127.0.0.1 */
  static async open(port) {
    const connection = new HttpConnection();
    connection.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => {
      connection.#socket.once('connect', resolve).once('error', reject);
    });
    connection.#socket.on('data', (chunk) => connection.#received(chunk));
    connection.#socket.on('close', () => connection.#waiting?.reject(new Error('closed')));
    return connection;
  }

  /** @param {string} head request line and headers @param {string} body */
  request(head, body) {
    const length = Buffer.byteLength(body);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`${head}\r\nhost: 127.0.0.1\r\ncontent-length: ${length}\r\n\r\n${body}`);
    });
  }

  close() {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #received(chunk) {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#buffer.toString('latin1', 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#buffer.length < end + 4 + length) return;
    const body = this.#buffer.toString('utf8', end + 4, end + 4 + length);
    this.#buffer = this.#buffer.subarray(end + 4 + length);
    const { resolve } = this.#waiting;
    this.#waiting = null;
    resolve({ status: Number(head.slice(9, 12)), head, body });
  }
}

/**
 * Runs `callers` loops for `seconds`, each awaiting `call(caller, round)`.
 * @returns {Promise<{ perSecond: number, p50: number, p99: number }>} times in milliseconds
 */
export async function measure(callers, seconds, call) {
  const times = [];
  const endAt = performance.now() + seconds * 1000;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let round = 0; performance.now() < endAt; round += 1) {
        const before = performance.now();
        await call(caller, round);
        times.push(performance.now() - before);
      }
    }),
  );
  const elapsed = (performance.now() - startedAt) / 1000;
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { perSecond: times.length / elapsed, p50: at(0.5), p99: at(0.99) };
}
