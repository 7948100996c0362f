import { JetStreamApiError } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/transport-node';
import type { MsgHdrs } from '@nats-io/transport-node';
import { CONTENT_ENCODING_HEADER } from '@pawl/contracts';
import type { Subjects } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { DistributionUnavailableError } from '@pawl/engine';
import { assert } from '@pawl/kernel';
import type { Clock } from '@pawl/kernel';
import type { DistributionLogger } from '../connection/logger.js';
import { decodeContent, encodeContent } from './content-codec.js';
import type { JetStreamAccess, StoredMessage } from './jetstream-access.js';
import { RecentKeys } from './recent-keys.js';
import type { StreamKeeper } from './stream-keeper.js';

const REMEMBERED = 10_000;
/** A content seen intact in the stream is read again after this time; until then it must be there. */
const TRUSTED_MS = 60 * 60 * 1000;
/**
 * A content that is older is stored anew. What a collection may delete is a day old, and is deleted by
 * its sequence: whoever has looked for it under a former claim, and was paused, then meets nothing.
 */
const RENEWED_MS = 12 * 60 * 60 * 1000;
const ATTEMPTS = 8;

interface ContentStoreOptions {
  readonly access: Pick<JetStreamAccess, 'direct' | 'newest' | 'store' | 'holds' | 'call'>;
  readonly keeper: Pick<StreamKeeper, 'run' | 'onRestored'>;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly logger: DistributionLogger;
}

/** Keeps each content once per root and hash. Storing and removing one content never overlap. */
export class ContentStore {
  /** Subjects of contents that were seen intact in the stream. */
  readonly #seen: RecentKeys;
  readonly #storing = new Map<string, Promise<void>>();
  readonly #removing = new Map<string, Promise<boolean>>();

  constructor(private readonly options: ContentStoreOptions) {
    this.#seen = new RecentKeys(REMEMBERED, options.clock);
    options.keeper.onRestored(() => this.#seen.clear());
  }

  /**
   * Resolves once the content can be read; concurrent calls for one content share the work. The stream
   * is asked each time: contents can be lost without it, by a purge say.
   */
  store(root: string, hash: string, text: string): Promise<void> {
    const subject = this.options.subjects.content(root, hash);
    const running = this.#storing.get(subject);
    if (running !== undefined) return running;
    const storing = this.#store(subject, hash, text).finally(() => this.#storing.delete(subject));
    this.#storing.set(subject, storing);
    return storing;
  }

  /**
   * Deletes the message that holds a content, unless the content is being stored or was seen or
   * stored within `olderThanMs`. Answers whether it was deleted.
   */
  async remove(subject: string, sequence: number, olderThanMs: number): Promise<boolean> {
    if (this.#storing.has(subject) || this.#seen.notedWithin(subject, olderThanMs)) return false;
    this.#seen.forget(subject);
    const removing = this.#delete(subject, sequence).finally(() => this.#removing.delete(subject));
    this.#removing.set(subject, removing);
    return removing;
  }

  async #store(subject: string, hash: string, text: string): Promise<void> {
    assert(sha256(text) === hash, 'a content is stored under its own hash');
    await this.#removing.get(subject)?.catch(() => false);
    const isTrusted = this.#seen.notedWithin(subject, TRUSTED_MS);
    const isNews = await this.options.keeper.run(`storing ${subject}`, async () => {
      const { access, subjects } = this.options;
      const stream = subjects.contentStream;
      if (isTrusted && (await access.holds(stream, subject))) return false;
      let held = isTrusted ? undefined : await access.direct(stream, subject);
      // A replica may be behind, and show what was removed: only the leader knows.
      if (held !== undefined && !(await access.holds(stream, subject))) held = undefined;
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        if (held !== undefined && (await this.#mayStay(subject, hash, held))) return true;
        const content = await encodeContent(text);
        const expected = { stream, sequence: held?.sequence ?? 0 };
        const headers = encodingHeaders(content.encoding);
        if (await access.store(subject, content.bytes, expected, headers)) return true;
        held = await access.newest(stream, subject);
      }
      throw new DistributionUnavailableError(`${subject} changed at every attempt to store it`);
    });
    if (isNews) this.#seen.note(subject);
  }

  /** Whether it is what its hash says, and young. */
  async #mayStay(subject: string, hash: string, held: StoredMessage): Promise<boolean> {
    const encoding = held.header(CONTENT_ENCODING_HEADER);
    const text = await decodeContent({ bytes: held.data, encoding });
    const { clock, logger } = this.options;
    if (text !== undefined && sha256(text) === hash) {
      return clock.wallMs() - held.storedMs < RENEWED_MS;
    }
    logger.warn({ subject }, 'a stored content was not what its hash says; replaced');
    return false;
  }

  async #delete(subject: string, sequence: number): Promise<boolean> {
    const stream = this.options.subjects.contentStream;
    try {
      return await this.options.access.call(`deleting ${subject}`, ({ manager }) =>
        manager.streams.deleteMessage(stream, sequence, false),
      );
    } catch (error) {
      // Gone already, or replaced by a newer message.
      if (error instanceof JetStreamApiError) return false;
      throw error;
    }
  }
}

function encodingHeaders(encoding: string): MsgHdrs | undefined {
  if (encoding === '') return undefined;
  const headers = newHeaders();
  headers.set(CONTENT_ENCODING_HEADER, encoding);
  return headers;
}
