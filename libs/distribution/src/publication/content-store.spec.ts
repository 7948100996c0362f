import { JetStreamApiError } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import { subjectsOf } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { DistributionUnavailableError } from '@pawl/engine';
import { recordingLogger, signal } from '../testing/recording.js';
import { ContentStore } from './content-store.js';
import type { JetStreamAccess, StoredMessage } from './jetstream-access.js';

const TEXT = '{"a":1}';
const HASH = sha256(TEXT);
const HOUR_MS = 60 * 60 * 1000;
const subjects = subjectsOf('main');
/** As a server says it whose stream holds as many bytes as it may. */
const FULL = new JetStreamApiError({
  code: 400,
  err_code: 10077,
  description: 'maximum bytes exceeded',
});
const SUBJECT = subjects.content('acme', HASH);

/** A stream in memory whose deletions the test lets through, and that counts its reads. */
function memoryStream(clock: ManualTime) {
  const messages = new Map<string, StoredMessage>();
  const deletion = signal();
  let sequence = 0;
  let reads = 0;
  const read = (subject: string): Promise<StoredMessage | undefined> => {
    reads += 1;
    return Promise.resolve(messages.get(subject));
  };
  const access: Pick<JetStreamAccess, 'direct' | 'newest' | 'store' | 'holds' | 'call'> = {
    holds: (_, subject) => Promise.resolve(messages.has(subject)),
    direct: (_, subject) => read(subject),
    newest: (_, subject) => read(subject),
    store: (subject, payload, expected) => {
      const held = messages.get(subject)?.sequence ?? 0;
      if (held !== expected.sequence) return Promise.resolve(false);
      sequence += 1;
      const data = Buffer.from(payload);
      messages.set(subject, { sequence, storedMs: clock.wallMs(), data, header: () => '' });
      return Promise.resolve(true);
    },
    call: async () => {
      await deletion.promise;
      messages.delete(SUBJECT);
      return true as never;
    },
  };
  return { access, messages, deletion, reads: () => reads };
}

function make() {
  const clock = new ManualTime();
  const stream = memoryStream(clock);
  let restored = (): void => undefined;
  const logger = recordingLogger();
  const store = new ContentStore({
    access: stream.access,
    keeper: {
      run: (_, work) => work(),
      onRestored: (listener) => (restored = listener),
    },
    subjects,
    clock,
    logger,
  });
  return { ...stream, clock, store, lines: logger.lines, restored: () => restored() };
}

describe('ContentStore', () => {
  it('stores what only a replica that is behind still shows', async () => {
    const { store, messages, access } = make();
    const data = Buffer.from(TEXT);
    const removed: StoredMessage = { sequence: 1, storedMs: 0, data, header: () => '' };
    access.direct = () => Promise.resolve(removed);
    await store.store('acme', HASH, TEXT);
    expect(messages.has(SUBJECT)).toBe(true);
  });

  it('stores only after a deletion of the same content that has begun', async () => {
    const { store, messages, deletion } = make();
    await store.store('acme', HASH, TEXT);
    const removing = store.remove(SUBJECT, 1, 0);
    const storing = store.store('acme', HASH, TEXT);
    deletion.fire();
    await storing;
    expect(await removing).toBe(true);
    expect(messages.has(SUBJECT)).toBe(true);
  });

  it('deletes nothing that is being stored', async () => {
    const { store, messages, deletion } = make();
    deletion.fire();
    const storing = store.store('acme', HASH, TEXT);
    expect(await store.remove(SUBJECT, 1, 0)).toBe(false);
    await storing;
    expect(messages.has(SUBJECT)).toBe(true);
  });

  it('deletes nothing that it saw more recently than asked', async () => {
    const { store, clock, deletion } = make();
    deletion.fire();
    await store.store('acme', HASH, TEXT);
    clock.advance(10 * HOUR_MS);
    expect(await store.remove(SUBJECT, 1, 11 * HOUR_MS)).toBe(false);
    expect(await store.remove(SUBJECT, 1, 10 * HOUR_MS)).toBe(true);
  });

  it('stores again what is gone', async () => {
    const { store, messages } = make();
    await store.store('acme', HASH, TEXT);
    messages.clear();
    await store.store('acme', HASH, TEXT);
    expect(messages.has(SUBJECT)).toBe(true);
  });

  it('reads a content that is there once an hour, and again after a restoration', async () => {
    const { store, clock, reads, restored } = make();
    await Promise.all([store.store('acme', HASH, TEXT), store.store('acme', HASH, TEXT)]);
    await store.store('acme', HASH, TEXT);
    expect(reads()).toBe(1);
    clock.advance(HOUR_MS);
    await store.store('acme', HASH, TEXT);
    expect(reads()).toBe(2);
    restored();
    await store.store('acme', HASH, TEXT);
    expect(reads()).toBe(3);
  });

  it('stores anew what is half as old as what is collected, and nothing that is younger', async () => {
    const { store, clock, messages, deletion } = make();
    deletion.fire();
    await store.store('acme', HASH, TEXT);
    clock.advance(12 * HOUR_MS - 1);
    await store.store('acme', HASH, TEXT);
    expect(messages.get(SUBJECT)?.sequence).toBe(1);
    clock.advance(HOUR_MS);
    await store.store('acme', HASH, TEXT);
    expect(messages.get(SUBJECT)).toMatchObject({ sequence: 2, storedMs: 13 * HOUR_MS - 1 });
    await store.store('acme', HASH, TEXT);
    expect(messages.get(SUBJECT)?.sequence).toBe(2);
  });

  it('keeps what a stored snapshot names as it is, however old, and stores it where it is gone', async () => {
    const { store, clock, messages } = make();
    await store.store('acme', HASH, TEXT);
    clock.advance(30 * HOUR_MS);
    await store.keep('acme', HASH, TEXT);
    expect(messages.get(SUBJECT)?.sequence).toBe(1);
    messages.clear();
    await store.keep('acme', HASH, TEXT);
    expect(messages.get(SUBJECT)?.sequence).toBe(2);
  });

  it.each([
    ['after it was', async (keeping: Promise<void>) => keeping],
    ['while it is', () => Promise.resolve()],
  ])('stores anew what another snapshot is to name, %s looked at to be kept', async (_, first) => {
    const { store, clock, messages } = make();
    await store.store('acme', HASH, TEXT);
    clock.advance(13 * HOUR_MS);
    const keeping = store.keep('acme', HASH, TEXT);
    await first(keeping);
    await store.store('acme', HASH, TEXT);
    await keeping;
    expect(messages.get(SUBJECT)?.sequence).toBe(2);
  });

  it('is content with an old one, and warns, where the stream takes no more', async () => {
    const { store, access, clock, messages, lines } = make();
    await store.store('acme', HASH, TEXT);
    clock.advance(13 * HOUR_MS);
    access.store = () => Promise.reject(FULL);
    await store.store('acme', HASH, TEXT);
    expect(messages.get(SUBJECT)?.sequence).toBe(1);
    expect(lines).toEqual([expect.stringMatching(/^warn an old content could not be stored anew/)]);
    messages.clear();
    await expect(store.store('acme', HASH, TEXT)).rejects.toThrow('maximum bytes exceeded');
  });

  it('is not content with an old one that is not what its hash says, nor where nobody answers', async () => {
    const { store, access, clock, messages } = make();
    await store.store('acme', HASH, TEXT);
    clock.advance(13 * HOUR_MS);
    access.store = () => Promise.reject(new DistributionUnavailableError('no answer'));
    await expect(store.store('acme', HASH, TEXT)).rejects.toThrow('no answer');
    const broken = { sequence: 1, storedMs: 0, data: Buffer.from('{}'), header: () => '' };
    messages.set(SUBJECT, broken);
    access.store = () => Promise.reject(FULL);
    await expect(store.store('acme', HASH, TEXT)).rejects.toThrow('maximum bytes exceeded');
  });

  it('stores nothing under a hash that is not its own', async () => {
    const { store, messages } = make();
    await expect(store.store('acme', sha256('else'), TEXT)).rejects.toThrow(/its own hash/);
    expect(messages.size).toBe(0);
  });
});
