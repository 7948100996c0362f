import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  stack?.nats.resume();
  await stack?.stop();
});

it('/readyz says that NATS does not answer while it stands still', async () => {
  const ready = async () => {
    const answer = await stack.send({ path: '/readyz' });
    return { status: answer.status, nats: answer.json<{ checks: { nats: string } }>().checks.nats };
  };
  expect(await ready()).toEqual({ status: 200, nats: 'ok' });
  stack.nats.pause();
  // What the watch was answered last may be half a second old.
  const silent = { status: 503, nats: 'does not answer' };
  await eventually(async () => expect(await ready()).toEqual(silent));
  expect((await stack.send({ path: '/healthz' })).status).toBe(200);
  stack.nats.resume();
  await eventually(async () => expect(await ready()).toEqual({ status: 200, nats: 'ok' }));
});
