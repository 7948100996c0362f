import type { Rng } from '@pawl/kernel';

/** Growing, jittered delays: each between half of and the whole of `base × 2^n`, at most `cap`. */
export class Backoff {
  #attempt = 0;

  constructor(
    private readonly rng: Rng,
    private readonly bounds: { readonly baseMs: number; readonly capMs: number },
  ) {}

  nextMs(): number {
    const { baseMs, capMs } = this.bounds;
    const wholeMs = Math.min(capMs, baseMs * 2 ** this.#attempt);
    if (wholeMs < capMs) this.#attempt += 1;
    return wholeMs * (0.5 + this.rng.next() / 2);
  }

  reset(): void {
    this.#attempt = 0;
  }
}
