import type { JsonObject, Sha256, Snapshot } from '@pawl/contracts';
import { adoptInline, decodeContent } from './decode-content.js';
import { absentContent, contentOf } from './last-known-good.js';
import type { Running, VariantContent } from './last-known-good.js';
import type { Refusals } from './refusals.js';

/** What of a cohort's content is there already. */
export type ContentAtHand =
  | { readonly kind: 'absent'; readonly content: VariantContent }
  | { readonly kind: 'here'; readonly content: VariantContent; readonly document: JsonObject }
  | { readonly kind: 'wrong'; readonly reason: string }
  /** It is to be fetched by its hash. */
  | { readonly kind: 'elsewhere'; readonly hash: string; readonly size: number };

/** Looks into the snapshot itself, at what runs, and at what the file holds. */
export function contentAtHand(
  { variants }: Snapshot,
  cohort: string,
  here: {
    readonly running: Pick<Running, 'content' | 'document'> | null;
    readonly kept: VariantContent | undefined;
    readonly refusals: Pick<Refusals, 'reasonAgainst'>;
  },
  sha256: Sha256,
): ContentAtHand {
  const variant = Object.hasOwn(variants, cohort) ? variants[cohort] : undefined;
  if (variant === undefined) {
    const wanted = JSON.stringify(cohort);
    return { kind: 'wrong', reason: `the snapshot has no variant for cohort ${wanted}` };
  }
  const { hash, size, inline } = variant;
  const barred = here.refusals.reasonAgainst(hash);
  if (barred !== null) return { kind: 'wrong', reason: barred };
  if (variant.absent === true) return { kind: 'absent', content: absentContent(variant) };
  if (inline !== undefined) {
    const adopted = adoptInline(inline as JsonObject, variant, sha256);
    if (adopted.ok) return { kind: 'here', content: adopted.content, document: adopted.document };
    return { kind: 'wrong', reason: `the inline content ${adopted.message}` };
  }
  const { content, document } = here.running ?? {};
  if (document !== undefined && content?.hash === hash) {
    return { kind: 'here', content: contentOf(content, document), document };
  }
  if (here.kept?.hash === hash) {
    const decoded = decodeContent(here.kept.text, variant, sha256);
    if (decoded.ok) return { kind: 'here', content: decoded.content, document: decoded.document };
  }
  return { kind: 'elsewhere', hash, size };
}
