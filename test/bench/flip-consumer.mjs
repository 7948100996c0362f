// One consumer of the SDK, and a bare subscriber; tells when a message has come, and when it was applied.
import { connect as connectNats } from '@nats-io/transport-node';
import { connect } from '@pawl/sdk';
import { machineMs } from './lib/tap.mjs';

const [natsUrl, address, bareSubject] = process.argv.slice(2);
const client = await connect({
  ...{ servers: natsUrl, workload: 'bench', consumerId: 'flip', build: '1' },
});
const scope = await client.open(address);
scope.on('applied', () => {
  const atMs = machineMs();
  process.send({ atMs, round: scope.get('round') });
});
const subscriber = await connectNats({ servers: natsUrl });
subscriber.subscribe(bareSubject, {
  callback: () => {
    const atMs = machineMs();
    process.send({ atMs });
  },
});
await subscriber.flush();
process.send({ ready: true });

async function stop() {
  await Promise.all([client.close(), subscriber.close()]);
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
process.on('disconnect', () => process.exit(1));
