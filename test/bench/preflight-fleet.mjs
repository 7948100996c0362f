// A fleet of which some reject what is bad: one of ten of the SDK, the others only on the wire. Tells how
// many applied something, and how much processor time it took.
import { connect as connectNats } from '@nats-io/transport-node';
import { connect } from '@pawl/sdk';
import { isReal, planFleet } from './lib/asked-fleet.mjs';
import { LightConsumer, startLight } from './lib/light-consumer.mjs';

const [natsUrl, address] = process.argv.slice(2);
const plan = planFleet(Number(process.argv[4]), Number(process.argv[5]));
/** Light consumers on a connection. */
const SHARING = 500;

let applied = 0;
const validateAs =
  ({ rejects }) =>
  ({ bad }) => {
    if (bad && rejects) throw new Error('bad is true');
  };

const clients = [];
const real = plan.filter(isReal);
for (let from = 0; from < real.length; from += 100) {
  clients.push(...(await Promise.all(real.slice(from, from + 100).map(openReal))));
}
const light = plan.filter((one) => !isReal(one));
const connections = await Promise.all(
  Array.from({ length: Math.ceil(light.length / SHARING) }, () =>
    connectNats({ servers: natsUrl }),
  ),
);
const consumers = light.map(
  (one, index) =>
    new LightConsumer({
      ...{ connection: connections[index % connections.length], address, ...one },
      validate: validateAs(one),
    }),
);
await startLight(consumers);
process.send({ ready: true });

async function openReal(one) {
  const { consumerId, build } = one;
  const client = await connect({ servers: natsUrl, workload: 'bench', consumerId, build });
  const scope = await client.open(address, { startTimeoutMs: 60_000, validate: validateAs(one) });
  scope.on('applied', () => (applied += 1));
  return client;
}

process.on('message', (message) => {
  if (message.stop) return void stop();
  const { user, system } = process.cpuUsage();
  process.send({
    applied: consumers.reduce((sum, one) => sum + one.applied, applied),
    cpuMs: (user + system) / 1_000,
  });
});

async function stop() {
  for (const one of consumers) one.close();
  await Promise.all([
    ...clients.map((client) => client.close()),
    ...connections.map((one) => one.drain()),
  ]);
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
process.on('disconnect', () => process.exit(1));
