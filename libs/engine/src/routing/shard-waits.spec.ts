import { ManualTime } from '@pawl/kernel';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ShardWaits } from './shard-waits.js';

/** Questions about a shard, each of which the test answers, or lets end without an answer. */
function quorum() {
  const time = new ManualTime();
  const asked: { answer: (token: bigint) => void; fail: () => void }[] = [];
  const claim = { shard: 0, owner: 'another', serving: true, since: null };
  const waits = new ShardWaits({
    ownership: {
      map: () => [],
      onChange: () => ({ stop: () => undefined }),
      lookUp: () =>
        new Promise((resolve, reject) =>
          asked.push({
            answer: (token) => resolve({ ...claim, token }),
            fail: () => reject(new Error('no majority')),
          }),
        ),
    },
    clock: time,
    timer: time,
  });
  return { time, asked, waits };
}

it('asks one question for all who want to know at the same time', async () => {
  const { asked, waits, time } = quorum();
  const tokens = Promise.all([waits.lookUp(0), waits.lookUp(0)]);
  asked[0]?.answer(2n);
  expect(await tokens).toEqual([2n, 2n]);
  time.advance(99);
  expect(await waits.lookUp(0)).toBe(2n);
  time.advance(1);
  void waits.lookUp(0);
  expect(asked).toHaveLength(2);
});

it('asks nothing more while the quorum is silent, and keeps nobody for longer than a second', async () => {
  const { asked, waits, time } = quorum();
  let told = 0;
  for (let ms = 0; ms < 5_000; ms += 50) {
    void waits.lookUp(0).then((token) => (told += token === 0n ? 1 : 0));
    time.advance(50);
    await turn();
  }
  expect([told, asked.length]).toEqual([100, 1]);
  void waits.lookUp(1);
  expect(asked).toHaveLength(2);
});

it.each(['answered', 'ended without an answer'])('asks anew once it has %s', async (how) => {
  const { asked, waits, time } = quorum();
  void waits.lookUp(0);
  time.advance(3_000);
  if (how === 'answered') asked[0]?.answer(2n);
  else asked[0]?.fail();
  await turn();
  const next = waits.lookUp(0);
  expect(asked).toHaveLength(2);
  asked[1]?.answer(3n);
  expect(await next).toBe(3n);
});
