import type { Problem } from '@pawl/contracts';

/** A problem in one line, with the first of its errors. */
export function problemLine({ code, detail, errors = [] }: Problem): string {
  const [first] = errors;
  const where = first === undefined ? '' : ` (${first.address}${first.pointer}: ${first.message})`;
  return `${code}: ${detail}${where}`;
}
