import { ManualTime } from '@pawl/kernel';

/** Time moved by hand, whose wall clock may be set, and whose process may be suspended. */
export class WorldTime extends ManualTime {
  #setMs = 0;
  #suspendedMs = 0;

  override wallMs(): number {
    return super.wallMs() + this.#setMs + this.#suspendedMs;
  }

  override monotonicMs(): number {
    return super.monotonicMs() + this.#suspendedMs;
  }

  /** Somebody sets the wall clock, forward or back. */
  setWall(byMs: number): void {
    this.#setMs += byMs;
  }

  /** Time passes and no timer runs: what was due is late. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }
}
