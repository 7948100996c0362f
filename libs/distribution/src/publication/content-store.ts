import { JetStreamApiError } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/transport-node';
import type { MsgHdrs } from '@nats-io/transport-node';
import { CONTENT_ENCODING_HEADER } from '@pawl/contracts';
import type { Subjects } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { DistributionUnavailableError } from '@pawl/engine';
import { assert } from '@pawl/kernel';
import type { Clock } from '@pawl/kernel';
import { describeError } from '../connection/logger.js';
import type { DistributionLogger } from '../connection/logger.js';
import { decodeContent, encodeContent } from './content-codec.js';
import { isStreamMissing } from './jetstream-access.js';
import type { JetStreamAccess, StoredMessage } from './jetstream-access.js';
import { RecentKeys } from './recent-keys.js';
import type { StreamKeeper } from './stream-keeper.js';

const REMEMBERED = 10_000;
/** A content seen intact in the stream is read again after this time; until then it must be there. */
const TRUSTED_MS = 60 * 60 * 1000;
/**
 * A content that is older is stored anew before another snapshot names it. What a collection may delete
 * is a day old, and is deleted by its sequence: whoever has looked for it under a former claim, and was
 * paused, then meets nothing.
 */
const RENEWED_MS = 12 * 60 * 60 * 1000;
const ATTEMPTS = 8;

interface Content {
  readonly subject: string;
  readonly hash: string;
  readonly text: string;
}

interface Storing {
  readonly done: Promise<void>;
  /** Whether an old content is stored anew. */
  readonly renews: boolean;
}

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
  readonly #storing = new Map<string, Storing>();
  readonly #removing = new Map<string, Promise<boolean>>();

  constructor(private readonly options: ContentStoreOptions) {
    this.#seen = new RecentKeys(REMEMBERED, options.clock);
    options.keeper.onRestored(() => this.#seen.clear());
  }

  /**
   * Resolves once the content can be read, and is young if the stream takes it; concurrent calls for one
   * content share the work. The stream is asked each time: contents can be lost without it, by a purge say.
   */
  store(root: string, hash: string, text: string): Promise<void> {
    return this.#share({ subject: this.options.subjects.content(root, hash), hash, text }, true);
  }

  /** The same for one that a stored snapshot names, which keeps it however old it is. */
  keep(root: string, hash: string, text: string): Promise<void> {
    return this.#share({ subject: this.options.subjects.content(root, hash), hash, text }, false);
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

  #share(content: Content, renews: boolean): Promise<void> {
    const { subject } = content;
    const running = this.#storing.get(subject);
    if (running !== undefined && (running.renews || !renews)) return running.done;
    const before = running?.done.catch(() => undefined);
    const done = this.#store(content, renews, before).finally(() => {
      if (this.#storing.get(subject)?.done === done) this.#storing.delete(subject);
    });
    this.#storing.set(subject, { done, renews });
    return done;
  }

  async #store(content: Content, renews: boolean, before?: Promise<void>): Promise<void> {
    const { subject, hash, text } = content;
    assert(sha256(text) === hash, 'a content is stored under its own hash');
    await before;
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
        const isIntact = held !== undefined && (await this.#isIntact(content, held));
        const isYoung = held !== undefined && this.#isYoung(held);
        // What is old is not trusted: a snapshot that is to name it would not store it anew.
        if (isIntact && (isYoung || !renews)) return isYoung;
        try {
          if (await this.#put(content, held?.sequence ?? 0)) return true;
        } catch (error) {
          if (!isIntact || !isRefusal(error)) throw error;
          const reason = describeError(error);
          this.options.logger.warn({ subject, reason }, 'an old content could not be stored anew');
          return true;
        }
        held = await access.newest(stream, subject);
      }
      throw new DistributionUnavailableError(`${subject} changed at every attempt to store it`);
    });
    if (isNews) this.#seen.note(subject);
  }

  /** Unless the subject holds another sequence by now; 0: nothing. */
  async #put({ subject, text }: Content, sequence: number): Promise<boolean> {
    const { access, subjects } = this.options;
    const { bytes, encoding } = await encodeContent(text);
    const expected = { stream: subjects.contentStream, sequence };
    return access.store(subject, bytes, expected, encodingHeaders(encoding));
  }

  /** Whether it is what its hash says. */
  async #isIntact({ subject, hash }: Content, held: StoredMessage): Promise<boolean> {
    const encoding = held.header(CONTENT_ENCODING_HEADER);
    const text = await decodeContent({ bytes: held.data, encoding });
    if (text !== undefined && sha256(text) === hash) return true;
    this.options.logger.warn({ subject }, 'a stored content was not what its hash says; replaced');
    return false;
  }

  #isYoung({ storedMs }: StoredMessage): boolean {
    return this.options.clock.wallMs() - storedMs < RENEWED_MS;
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

/** The stream takes no more: it is full, or the account is. */
function isRefusal(error: unknown): boolean {
  return error instanceof JetStreamApiError && !isStreamMissing(error);
}

function encodingHeaders(encoding: string): MsgHdrs | undefined {
  if (encoding === '') return undefined;
  const headers = newHeaders();
  headers.set(CONTENT_ENCODING_HEADER, encoding);
  return headers;
}
