import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Milliseconds of a clock that all processes of this machine read the same. */
export const machineMs = () => Number(process.hrtime.bigint()) / 1e6;

/**
 * A way to a NATS server that notes when a message leaves for it. Whatever is sent goes through the same
 * process in the same way, so times from there compare.
 */
export async function openTap(natsUrl) {
  const { hostname, port } = new URL(natsUrl);
  const sockets = new Set();
  /** The beginning of the message that is waited for, and since when it is on its way. */
  let mark = null;
  let leftAt = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (chunk) => {
      if (mark !== null && chunk.includes(mark)) {
        mark = null;
        leftAt = machineMs();
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `nats://127.0.0.1:${server.address().port}`,
    /** Notes when the next message to this subject leaves. */
    watch: (subject) => {
      mark = Buffer.from(`PUB ${subject} `);
      leftAt = 0;
    },
    /** When it did, in {@link machineMs}. */
    leftAt: () => {
      if (leftAt === 0) throw new Error('nothing has left for the subject that is watched');
      return leftAt;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
