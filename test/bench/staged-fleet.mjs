// N consumers of the SDK that tell how many read which round, and when the first rejected what is bad.
import { connect } from '@pawl/sdk';

const [natsUrl, address] = process.argv.slice(2);
const count = Number(process.argv[4]);
/** Of so many consumers one rejects what is bad. */
const rejecting = Number(process.argv[5]);
const now = () => performance.timeOrigin + performance.now();

let rounds = new Map();
let reached = new Set();
let wanted;
let rejectedAt = null;

function look(index) {
  if (wanted === undefined) return;
  const { round, of, from } = wanted;
  if (rounds.get(index) !== round && rounds.get(index) !== from) reached.add(index);
  const there = [...rounds.values()].filter((one) => one === round).length;
  if (there < of || (wanted.afterRejection && rejectedAt === null)) return;
  process.send({ lastAt: now(), rejectedAt, reached: reached.size });
  wanted = undefined;
}

const clients = await Promise.all(
  Array.from({ length: count }, async (_, index) => {
    const client = await connect({
      servers: natsUrl,
      workload: 'bench',
      consumerId: `bench-${index}`,
    });
    const scope = await client.open(address, {
      startTimeoutMs: 60_000,
      validate: ({ bad }) => {
        if (bad && index % rejecting === 0) throw new Error('bad is true');
      },
    });
    const note = () => {
      rounds.set(index, scope.current.round);
      look(index);
    };
    scope.on('applied', note);
    scope.on('rejected', () => {
      rejectedAt ??= now();
      look(index);
    });
    note();
    return client;
  }),
);
process.send({ ready: true });
process.on('message', (message) => {
  if (message.stop) return void stop();
  wanted = message.wanted;
  rejectedAt = null;
  reached = new Set();
  process.send({ armed: true });
});

async function stop() {
  await Promise.all(clients.map((client) => client.close()));
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
