import { LIMITS } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import { contentOf } from '../applier/index.js';
import type { VariantContent } from '../applier/index.js';

/** What runs, what ran before it, and two that were asked about. */
const KEPT = 4;

/** A document with the content that it was read from. */
export interface ShelvedContent {
  readonly content: VariantContent;
  readonly document: JsonObject;
}

/**
 * Documents that need not be fetched: the last few that ran or that a preflight asked about, by hash. So
 * neither a release that was prepared nor its rollback waits for a fetch. Those that snapshots carry
 * themselves are not kept.
 */
export class ContentShelf {
  /** The last one used last. */
  readonly #documents = new Map<string, { readonly size: number; readonly document: JsonObject }>();

  put({ hash, size }: Pick<VariantContent, 'hash' | 'size'>, document: JsonObject): void {
    if (size <= LIMITS.inlineBytes) return;
    this.#documents.delete(hash);
    this.#documents.set(hash, { size, document });
    const [oldest] = this.#documents.keys();
    if (this.#documents.size > KEPT && oldest !== undefined) this.#documents.delete(oldest);
  }

  get(hash: string): ShelvedContent | null {
    const known = this.#documents.get(hash);
    if (known === undefined) return null;
    const { size, document } = known;
    this.put({ hash, size }, document);
    return { content: contentOf({ hash, size }, document), document };
  }

  clear(): void {
    this.#documents.clear();
  }
}
