import type { Problem } from '@pawl/contracts';
import type { Violation } from '@pawl/engine';

/** What a worker is asked; it answers one request at a time, in order. */
export type WorkerRequest =
  /** Answered once the worker has loaded. */
  | { readonly kind: 'hello' }
  /** Compiles a schema from its JSON and keeps it under `hash`. */
  | { readonly kind: 'compile'; readonly hash: string; readonly schema: string }
  /** Validates a document's JSON against a schema that was compiled before. */
  | { readonly kind: 'validate'; readonly hash: string; readonly document: string }
  /** Drops schemas; not answered. */
  | { readonly kind: 'forget'; readonly hashes: readonly string[] };

export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'compiled' }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | { readonly kind: 'valid' }
  /** `final: false`: the verdict stands, and a longer list may follow. */
  | {
      readonly kind: 'invalid';
      readonly violations: readonly Violation[];
      readonly final: boolean;
    };
