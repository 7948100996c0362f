import { address } from '@pawl/contracts';
import type { ProbedRelease } from '@pawl/engine';

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;
/** Addresses, ids and numbers: nothing that means anything in a query, in a quoted text or outside. */
const HARMLESS = /^[A-Za-z0-9_/:-]+$/;

type Filler = (about: ProbedRelease) => string | number;

const FILLERS: Readonly<Record<string, Filler>> = {
  address: (about) => about.address,
  scope: (about) => address(about.address).scope,
  release: (about) => about.releaseId,
  version: (about) => about.version,
  stage: (about) => about.stage,
};

/** How the placeholders are written, for people. */
export const PLACEHOLDERS = Object.keys(FILLERS).map((name) => `{{${name}}}`);

/** A placeholder in a query that nothing is known for, as it is written. */
export function unknownPlaceholder(query: string): string | undefined {
  for (const [written, name = ''] of query.matchAll(PLACEHOLDER)) {
    if (!Object.hasOwn(FILLERS, name)) return written;
  }
  return undefined;
}

/** The query of one release. Throws where a value could mean something to Prometheus. */
export function fillPlaceholders(query: string, about: ProbedRelease): string {
  return query.replace(PLACEHOLDER, (written, name: string) => {
    const value = String(FILLERS[name]?.(about));
    if (HARMLESS.test(value) && Object.hasOwn(FILLERS, name)) return value;
    throw new Error(`${written} cannot be filled in`);
  });
}
