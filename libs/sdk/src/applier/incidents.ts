import type { PawlErrorCode } from '../errors.js';
import type { VersionPoint } from './version-point.js';

const REMEMBERED = 64;

/** Incidents that were reported, so that each is reported once. */
export class Incidents {
  readonly #reported = new Set<string>();

  /** Says whether it is news. */
  add(code: PawlErrorCode, detail: string): boolean {
    const key = `${code} ${detail}`;
    if (this.#reported.has(key)) return false;
    if (this.#reported.size >= REMEMBERED) this.#reported.clear();
    this.#reported.add(key);
    return true;
  }

  has(code: PawlErrorCode, detail: string): boolean {
    return this.#reported.has(`${code} ${detail}`);
  }
}

/** A snapshot as a detail of an incident. */
export function detailOf({ generation, version }: VersionPoint, hash: string): string {
  return `${generation}.${version}.${hash}`;
}
