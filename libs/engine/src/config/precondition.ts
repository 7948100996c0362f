import { problem } from '@pawl/contracts';
import type { Problem } from '@pawl/contracts';
import type { Precondition } from '../config-engine.js';

/** Judges a write's precondition against the newest version (0: none); `undefined`: go on. */
export function judgePrecondition(given: Precondition, newest: number): Problem | undefined {
  const current = newest === 0 ? {} : { currentVersion: newest };
  switch (given.kind) {
    case 'none-given':
      return newest === 0
        ? undefined
        : problem(
            'precondition-required',
            `version ${newest} is there already; say which version you have seen: add the header If-Match: "${newest}"`,
            current,
          );
    case 'match':
      return given.versions.includes(newest) && newest !== 0
        ? undefined
        : problem('version-mismatch', expectation(given.versions, newest), current);
    case 'match-any':
      return newest > 0
        ? undefined
        : problem('version-mismatch', 'If-Match: * expects a version, and there is none');
    case 'match-none':
      return newest === 0
        ? undefined
        : problem(
            'version-mismatch',
            `If-None-Match: * expects no version, and version ${newest} is there; read it and send If-Match: "${newest}"`,
            current,
          );
  }
}

function expectation(expected: readonly number[], newest: number): string {
  const wanted =
    expected.length === 0
      ? 'the precondition holds for no version'
      : `expected version ${expected.join(' or ')}`;
  return newest === 0
    ? `${wanted}, and there is none; leave If-Match out to write the first`
    : `${wanted}, and ${newest} is the newest; read it, redo the change and send If-Match: "${newest}"`;
}
