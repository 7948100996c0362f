import { refused, shardOf, type OwnerCommand } from '@pawl/contracts';
import type { ConfigEngine, OwnerTarget } from '@pawl/engine';
import { describe, expect, it } from 'vitest';
import { ownerCommands } from './owner-commands.js';

const SWEEP: OwnerCommand = { format: 1, kind: 'sweep', sweep: 'consumers' };
const READ: OwnerCommand = {
  format: 1,
  kind: 'call',
  operation: 'get-config',
  address: 'acme/shop',
  version: 3,
};

/** An owner of the shard of acme under token 9. */
const SHARDS = 64;
const SHARD = shardOf('acme', SHARDS);
function owner() {
  const asked: unknown[] = [];
  const strayed: unknown[] = [];
  const use = {
    getConfig: async (...read: unknown[]) => {
      asked.push(read);
      return refused('version-unknown', 'no version 3');
    },
  } as unknown as ConfigEngine;
  const commands = ownerCommands(
    {
      use,
      servesUnder: ({ shard, token }: OwnerTarget) => shard === SHARD && token === 9n,
      sweep: async (_, kind) => (kind === 'consumers' ? 2 : undefined),
    },
    { shards: SHARDS, onMisdirected: (address) => void strayed.push(address) },
  );
  return {
    asked,
    strayed,
    execute: (token: bigint, what: OwnerCommand) => commands.execute({ shard: SHARD, token }, what),
  };
}

describe('ownerCommands', () => {
  it('answers what the engine removed', async () => {
    expect(await owner().execute(9n, SWEEP)).toEqual({ format: 1, ok: true, value: 2 });
  });

  it('does what the engine is asked for, and tells its refusal', async () => {
    const { asked, execute } = owner();
    expect(await execute(9n, READ)).toMatchObject({
      ok: false,
      problem: { code: 'version-unknown' },
    });
    expect(asked).toMatchObject([[{ text: 'acme/shop' }, 3]]);
  });

  it('does nothing at an address that belongs to another shard than it was asked as', async () => {
    const { asked, strayed, execute } = owner();
    expect(shardOf('globex', SHARDS)).not.toBe(SHARD);
    expect(await execute(9n, { ...READ, address: 'globex/shop' })).toMatchObject({
      ok: false,
      problem: { code: 'malformed-request', detail: /globex\/shop does not belong to shard/ },
    });
    expect([asked, strayed]).toEqual([[], ['globex/shop']]);
  });

  it.each([SWEEP, READ])('does nothing under another token', async (command) => {
    const { asked, execute } = owner();
    expect(await execute(8n, command)).toMatchObject({ ok: false, problem: { code: 'no-owner' } });
    expect(asked).toEqual([]);
  });
});
