import net from 'node:net';
import { connect } from '@pawl/sdk';
import { openCurrent } from './lib/open-current.mjs';
import { printTable } from './lib/report.mjs';
import { call, promote } from './lib/stack.mjs';

const BYTES = 64 * 1024;

/** Bytes between one consumer and NATS for one changed key of a 64 KiB document, the ack included. */
export async function benchWire(stack) {
  const document = documentOf(0);
  await call(stack.url, 'PUT', '/v1/config/wire/app', document);
  await promote(stack.url, 'wire/app');
  const proxy = await countingProxy(Number(new URL(stack.natsUrl).port));
  const client = await connect({
    servers: `nats://127.0.0.1:${proxy.port}`,
    workload: 'bench',
    consumerId: 'counted',
  });
  try {
    const scope = await openCurrent(client, 'wire/app');
    const rows = [];
    for (let round = 1; round <= 3; round += 1) {
      await call(stack.url, 'PUT', '/v1/config/wire/app', documentOf(round), { 'if-match': '*' });
      proxy.reset();
      const wanted = scope.version + 1;
      await promote(stack.url, 'wire/app');
      await acknowledged(stack.url, wanted);
      const { down, up } = proxy;
      rows.push([round, down, up, down / JSON.stringify(documentOf(round)).length]);
    }
    printTable(
      `One key changed in a document of ${JSON.stringify(document).length} bytes (random text: hardly compressible)`,
      ['round', 'bytes to the consumer', 'bytes from it', 'ratio to the document'],
      rows,
    );
  } finally {
    await client.close();
    proxy.close();
  }
}

/** An ack may wait to travel with others, so it comes after the consumer has applied. */
async function acknowledged(url, version) {
  for (;;) {
    const { consumers } = await call(url, 'GET', '/v1/rollout/wire/app');
    if (consumers.byVersion[version] === 1) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function documentOf(round) {
  let state = 1;
  const random = () => (state = (state * 48271) % 2147483647).toString(36);
  const entries = {};
  for (let size = 0, n = 0; size < BYTES; n += 1) {
    entries[`key${n}`] = random() + random() + random();
    size += entries[`key${n}`].length + 12;
  }
  return { ...entries, changing: round };
}

async function countingProxy(target) {
  const counts = { down: 0, up: 0 };
  const sockets = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => (client.destroy(), upstream.destroy(), sockets.delete(socket)));
    }
    client.on('data', (chunk) => ((counts.up += chunk.length), upstream.write(chunk)));
    upstream.on('data', (chunk) => ((counts.down += chunk.length), client.write(chunk)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    get down() {
      return counts.down;
    },
    get up() {
      return counts.up;
    },
    reset: () => Object.assign(counts, { down: 0, up: 0 }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
