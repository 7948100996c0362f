// N consumers of the SDK and N bare subscribers of the official client, each on a connection of its own.
import { connect as connectNats } from '@nats-io/transport-node';
import { connect } from '@pawl/sdk';

const [natsUrl, address] = process.argv.slice(2);
const count = Number(process.argv[4]);
const cacheDir = process.argv[5];
const now = () => performance.timeOrigin + performance.now();
const BARE_SUBJECT = 'bench.bare';

let waiting = null;
function arrived() {
  if (waiting === null) return;
  waiting.left -= 1;
  if (waiting.left > 0) return;
  process.send({ lastAt: now() });
  waiting = null;
}

const clients = await Promise.all(
  Array.from({ length: count }, (_, index) =>
    connect({
      servers: natsUrl,
      workload: 'bench',
      consumerId: `bench-${index}`,
      ...(cacheDir === undefined ? {} : { cacheDir }),
    }),
  ),
);
await Promise.all(
  clients.map(async (client) => {
    const scope = await client.open(address);
    scope.on('applied', ({ version }) => waiting?.version === version && arrived());
  }),
);
const bare = await Promise.all(
  Array.from({ length: count }, async () => {
    const connection = await connectNats({ servers: natsUrl });
    connection.subscribe(BARE_SUBJECT, { callback: () => arrived() });
    await connection.flush();
    return connection;
  }),
);
process.send({ ready: true });
process.on('message', (message) => {
  if (message.stop) void stop();
  else {
    waiting = { left: count, version: message.version };
    process.send({ armed: true });
  }
});

async function stop() {
  await Promise.all([
    ...clients.map((client) => client.close()),
    ...bare.map((one) => one.close()),
  ]);
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
