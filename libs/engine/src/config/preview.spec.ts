import { address } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { EngineWorld } from '../testing/engine-world.js';
import type { SchemaValidator } from './schema-validator.port.js';

const BELOW = 120;
/** The one being checked, its ancestors, and what the engine has not let go of yet. */
const FEW = 8;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Finds everything valid, and counts how many of the documents it was shown are still held. */
class CountingValidator implements SchemaValidator {
  isCounting = false;
  checked = 0;
  mostHeld = 0;
  readonly #shown: WeakRef<JsonObject>[] = [];

  prepare(): ReturnType<SchemaValidator['prepare']> {
    return Promise.resolve({ ok: true, value: undefined });
  }

  async validate(
    ...[, document]: Parameters<SchemaValidator['validate']>
  ): ReturnType<SchemaValidator['validate']> {
    if (this.isCounting) await this.#count(document.value);
    return { kind: 'valid' };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #count(document: JsonObject): Promise<void> {
    this.checked += 1;
    this.#shown.push(new WeakRef(document));
    if (this.checked % 20 !== 0) return;
    await turn();
    collectGarbage();
    const held = this.#shown.filter((shown) => shown.deref() !== undefined).length;
    this.mostHeld = Math.max(this.mostHeld, held);
  }
}

it('holds on to no document of the addresses below while it looks at them', async () => {
  const validator = new CountingValidator();
  const world = new EngineWorld({
    sha256,
    validator,
    formatTime: (ms) => new Date(ms).toISOString(),
    parseTime: (text) => Date.parse(text),
    settle: () => turn(),
  });
  await world.claimAll();
  await world.put('acme', { a: 1 });
  await world.putSchema('acme', { type: 'object' }, { kind: 'match-any' });
  await world.promote('acme');
  for (let n = 0; n < BELOW; n += 1) {
    await world.put(`acme/b${n}`, { n });
    await world.promote(`acme/b${n}`);
  }
  validator.isCounting = true;
  const preview = await world.use.preview(address('acme'), { document: { a: 2 } });
  expect(preview).toMatchObject({
    value: { valid: true, patch: [{ op: 'replace', path: '/a', value: 2 }] },
  });
  expect(preview.ok && preview.value.addresses).toHaveLength(BELOW + 1);
  expect(validator.checked).toBe(BELOW + 1);
  expect(validator.mostHeld).toBeLessThanOrEqual(FEW);
  await world.engine.stop();
});
