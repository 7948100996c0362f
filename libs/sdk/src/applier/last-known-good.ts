import { canonicalize } from '@pawl/contracts';
import type {
  AddressText,
  HeldSnapshot,
  JsonObject,
  Snapshot,
  SnapshotVariant,
} from '@pawl/contracts';

/** A variant's content as it was fetched and verified; `text` is `''` when absent. */
export interface VariantContent {
  readonly hash: string;
  /** UTF-8 bytes of `text`. */
  readonly size: number;
  readonly absent: boolean;
  /** Canonical JSON. */
  readonly text: string;
}

/** The content of a document that was verified before. Its text is made when it is asked for: by a file. */
export function contentOf(
  { hash, size }: Pick<VariantContent, 'hash' | 'size'>,
  document: JsonObject,
): VariantContent {
  return {
    ...{ hash, size, absent: false },
    get text() {
      return canonicalize(document);
    },
  };
}

export function absentContent({
  hash,
  size,
}: Pick<SnapshotVariant, 'hash' | 'size'>): VariantContent {
  return { hash, size, absent: true, text: '' };
}

/** What a consumer keeps to start from when nobody answers: enough to judge the next snapshot too. */
export interface LastKnownGood {
  readonly address: AddressText;
  readonly head: HeldSnapshot;
  readonly content: VariantContent;
}

/** A snapshot, and as which cohort it runs. */
export type SnapshotName = Pick<
  HeldSnapshot,
  'generation' | 'version' | 'hash' | 'cohort' | 'identity'
>;

/** What a process starts from. */
export interface Restored extends LastKnownGood {
  /** What ran after it, is not to run again in this process, and why. */
  readonly refused?: {
    readonly of: SnapshotName;
    readonly reason: string;
    /** Hash of its content, which is not to run under another version either; where it is known. */
    readonly content?: string | undefined;
  };
}

/** What runs: the document, not its text, which is as large again. */
export interface Running {
  readonly head: HeldSnapshot;
  readonly content: Omit<VariantContent, 'text'>;
  /** `undefined`: the address is absent. */
  readonly document: JsonObject | undefined;
  /** With the variants of other cohorts; `null`: it came from the file and was not seen yet. */
  readonly snapshot: Snapshot | null;
}

/** What runs as a record to be kept. */
export function recordOf(
  address: AddressText,
  { head, content, document }: Running,
): LastKnownGood {
  const isAbsent = document === undefined;
  return {
    address,
    head,
    content: isAbsent ? absentContent(content) : contentOf(content, document),
  };
}
