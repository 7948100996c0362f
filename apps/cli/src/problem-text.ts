import type { ProblemDocument } from '@pawl/contracts';
import { plainText } from './output.js';

const SHOWN_ERRORS = 20;

/** A problem as people read it: what happened, what is wrong where, and what to do next. */
export function problemText(problem: ProblemDocument): string {
  const errors = problem.errors ?? [];
  const shown = errors
    .slice(0, SHOWN_ERRORS)
    .map(
      ({ address, pointer, message }) =>
        `${address}${pointer === '' ? '' : ` ${pointer}`}: ${message}`,
    );
  const words = inCliWords(problem);
  // What the only error says is not said twice.
  const [only = ''] = shown.length === 1 && errors[0]?.message === words ? shown.splice(0) : [];
  const lines = [`${problem.title}: ${only || words}`, ...shown.map((line) => `  ${line}`)];
  if (errors.length > SHOWN_ERRORS) lines.push(`  … and ${errors.length - SHOWN_ERRORS} more`);
  return plainText(lines.join('\n'));
}

/** What a precondition's detail says in headers, said in options. */
function inCliWords(problem: ProblemDocument): string {
  const { code, currentVersion: newest, currentReleaseVersion, detail } = problem;
  if (code === 'precondition-required' && newest !== undefined) {
    return `version ${newest} is there already; say which you have seen: --expect ${newest} (or --expect any)`;
  }
  if (code === 'merge-base-required') return `${detail}; here: --base N`;
  if (code !== 'version-mismatch' || currentReleaseVersion !== undefined) return detail;
  return newest === undefined
    ? 'no version is there yet; leave --expect out, or say --expect none'
    : `version ${newest} is the newest, which you did not expect; read it, redo the change and say --expect ${newest}`;
}
