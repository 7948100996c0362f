/** However often consumers are heard: looks come each second, and may be late. */
const LEAST_BREAK_MS = 2_000;

/** Whether consumers could be heard, as far as NATS and this process were there; in monotonic milliseconds. */
export class Listening {
  /** When they could be last. */
  #lastMs = -Infinity;
  /** When that began again after a break. */
  #backMs = -Infinity;

  begin(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** Told each second whether they can be heard now. */
  look(nowMs: number, intervalMs: number, isConnected: boolean): void {
    if (this.#isBreak(nowMs, intervalMs)) this.#backMs = nowMs;
    if (isConnected) this.#lastMs = nowMs;
  }

  /** Whether there is a break of more than a heartbeat, or one has not been over for more than `silentMs`. */
  wasAway(
    nowMs: number,
    { intervalMs, silentMs }: { readonly intervalMs: number; readonly silentMs: number },
  ): boolean {
    return this.#isBreak(nowMs, intervalMs) || nowMs - this.#backMs <= silentMs;
  }

  #isBreak(nowMs: number, intervalMs: number): boolean {
    return nowMs - this.#lastMs > Math.max(intervalMs, LEAST_BREAK_MS);
  }
}
