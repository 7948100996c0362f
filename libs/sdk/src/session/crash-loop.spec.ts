import type { Hello } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { ClientWorld } from '../testing/client-world.js';
import { ADDRESS } from '../testing/make-snapshot.js';

const REASON = 'crash-loop: the process ended uncleanly twice';

describe('a client whose disk says that the newest is not to run again', () => {
  it('starts from the one before, and tells its user, the ack and every heartbeat why', async () => {
    const world = new ClientWorld();
    world.link.become('up');
    world.put({ version: 1 });
    const first = world.client();
    await first.open(ADDRESS);
    await first.close();
    world.link.become('up');
    const kept = world.store.records.get(ADDRESS)!;
    const { generation, version, hash } = world.put({ version: 2 });
    const refused = { of: { generation, version, hash }, reason: REASON };
    world.store.load = async () => ({ ...kept, refused });

    const pawl = world.client({ identity: { ...IDENTITY, incarnation: 'i2' } });
    const scope = await pawl.open(ADDRESS);
    const told: unknown[] = [];
    scope.on('rejected', (event) => told.push(event));
    await world.after(1_000);
    expect(scope.version).toBe(1);
    expect(told).toEqual([{ version: 2, reason: REASON }]);
    const items = world.acks().flatMap((ack) => (ack.incarnation === 'i2' ? ack.items : []));
    expect(items).toMatchObject([
      { version: 2, hash, state: 'rejected', reason: REASON },
      { version: 1, state: 'applied' },
    ]);
    const hellos = world.link.requested.map(({ message }) => message as Hello);
    expect(hellos.at(-1)?.runs).toMatchObject([
      { version: 1, highestVersion: 1, rejected: { version: 2, reason: REASON } },
    ]);

    world.put({ version: 3 });
    world.push({ version: 3 });
    await world.after(1_000);
    expect(scope.version).toBe(3);
    await pawl.close();
  });
});

const IDENTITY = { consumerId: 'c1', labels: {}, build: undefined };
