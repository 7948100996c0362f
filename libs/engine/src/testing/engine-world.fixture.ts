import { setImmediate as turn } from 'node:timers/promises';
import type { Outcome } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { createSchemaValidator } from '@pawl/validation';
import { afterAll } from 'vitest';
import type { EngineSettings } from '../engine-context.js';
import { EngineWorld } from './engine-world.js';

/** A world with the real validator, whose shards are all claimed. */
export async function claimedWorld(settings: Partial<EngineSettings> = {}): Promise<EngineWorld> {
  const validator = createSchemaValidator();
  const world = new EngineWorld({
    sha256,
    validator,
    formatTime: (ms) => new Date(ms).toISOString(),
    parseTime: (text) => Date.parse(text),
    settings,
    settle: async () => {
      for (let index = 0; index < 8; index += 1) await turn();
    },
  });
  await world.claimAll();
  open.push(() => validator.close());
  return world;
}

const open: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of open.splice(0)) await close();
});

/** `ok`, or the problem's code. */
export function code(outcome: Outcome<unknown>): string {
  return outcome.ok ? 'ok' : outcome.problem.code;
}
