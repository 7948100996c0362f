import { expect, it } from 'vitest';
import { AdminClient, UnreachableError } from './index.js';

/** Answers nothing, until it is told to stop. */
const silent: typeof fetch = (_url, init) =>
  new Promise((_resolve, reject) => {
    const { signal } = init ?? {};
    const stop = (): void => reject(signal?.reason as Error);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop);
  });

it('ends what is under way, and every later call, with its signal', async () => {
  const interrupt = new AbortController();
  const client = new AdminClient({ url: 'http://host', fetch: silent, signal: interrupt.signal });
  const [asked, followed] = [
    client.health(),
    client.watchRollout('acme', new AbortController().signal).next(),
  ];
  const ended = Promise.all(
    [asked, followed].map((call) => expect(call).rejects.toThrow(UnreachableError)),
  );
  interrupt.abort();
  await ended;
  await expect(client.health()).rejects.toThrow('http://host: it was interrupted');
});
