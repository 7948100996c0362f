import { withClient } from '../world/audit.js';
import { Holder } from '../world/holder.js';
import {
  allShards,
  between,
  LEASE_TTL_MS,
  someWrites,
  wait,
  type FaultContext,
  type NodesFault,
} from './fault.js';

/** Harms a service that all nodes share: the measure is from the end of the harm on. */
function service(
  name: string,
  does: string,
  harm: (context: FaultContext) => Promise<void>,
): NodesFault {
  return {
    name,
    does,
    strike: async (context) => {
      await harm(context);
      return { shards: allShards(context), since: performance.now() };
    },
  };
}

const moment = ({ rng }: FaultContext) => wait(between(rng, 0, LEASE_TTL_MS));

export const SERVICE_FAULTS: readonly NodesFault[] = [
  service(
    'PostgreSQL immediate stop',
    'ends PostgreSQL at once and starts it again',
    async (context) => {
      const { truth } = context.world;
      await truth.crash();
      await moment(context);
      await truth.start();
    },
  ),
  service(
    'PostgreSQL paused',
    'holds PostgreSQL and all its sessions still for up to two leases',
    async (context) => {
      const { truth } = context.world;
      await truth.pause();
      await wait(between(context.rng, 0.3 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
      truth.resume();
    },
  ),
  service(
    'PostgreSQL sessions ended',
    'ends every session of the nodes, anywhere in what they do, twenty times within a moment',
    async (context) => {
      await withClient(context.world.truth.url, async (client) => {
        for (let left = 20; left > 0; left -= 1) {
          await client.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND backend_type = 'client backend'`,
          );
          await wait(between(context.rng, 0, 200));
        }
      });
    },
  ),
  service(
    'long DDL',
    'holds a table that every commit writes, as a long ALTER TABLE does, for up to two leases',
    async (context) => {
      const holder = await Holder.open(context.world.truth.url);
      await holder.hold('ALTER TABLE history_entry ADD COLUMN chaos integer');
      await wait(between(context.rng, 0.3 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
      await holder.release();
    },
  ),
  service(
    'NATS restart',
    'ends NATS at once and starts it again with its streams',
    async (context) => {
      const { broker } = context.world;
      await broker.kill();
      await moment(context);
      await broker.start();
    },
  ),
  service('NATS paused', 'holds NATS still for up to two leases', async (context) => {
    const { broker } = context.world;
    broker.pause();
    await wait(between(context.rng, 0.3 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
    broker.resume();
  }),
  service(
    'stream deleted',
    'deletes the stream of snapshots while writes go on',
    async (context) => {
      await context.world.broker.deleteSnapshots();
      await someWrites(context, 10);
    },
  ),
  service(
    'NATS emptied',
    'ends NATS at once and starts it again without its streams',
    async (context) => {
      const { broker } = context.world;
      await broker.kill();
      await broker.emptyStore();
      await broker.start();
    },
  ),
  service(
    'NATS truncated',
    'ends NATS at once and starts it again with half of the bytes of each file of messages',
    async (context) => {
      const { broker } = context.world;
      await broker.kill();
      await broker.truncateStore();
      await broker.start();
    },
  ),
];
