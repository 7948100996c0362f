import { describe, positionOfWrite } from './place-calls.js';
import type { PlacedCall } from './place-calls.js';
import type { Violation } from './history.js';

/** What had surely happened before a moment, by the calls that had been answered. */
export class CallOrder {
  /** By return, each with the latest position of it and all before. */
  private readonly returned: { readonly at: number; readonly latest: PlacedCall }[] = [];

  constructor(private readonly placed: readonly PlacedCall[]) {
    const byReturn = placed.toSorted((a, b) => a.call.returnedAt - b.call.returnedAt);
    let latest: PlacedCall | undefined;
    for (const one of byReturn) {
      if (latest === undefined || one.position > latest.position) latest = one;
      this.returned.push({ at: one.call.returnedAt, latest });
    }
  }

  /** The call with the latest position of those that returned before `moment`. */
  latestBefore(moment: number): PlacedCall | undefined {
    let [low, high] = [0, this.returned.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.returned[middle]?.at ?? Infinity) < moment) low = middle + 1;
      else high = middle;
    }
    return this.returned[low - 1]?.latest;
  }

  /** Whether the store had surely reached the state of `revision` before `moment`. */
  hadReached(revision: number, moment: number): boolean {
    return (this.latestBefore(moment)?.position ?? 0) >= positionOfWrite(revision);
  }

  /** No call takes effect before one that had returned when it was called. */
  violations(): Violation[] {
    const found: Violation[] = [];
    const byClient = new Map<string, PlacedCall[]>();
    for (const one of this.placed) {
      const { client } = one.call;
      const calls = byClient.get(client);
      if (calls === undefined) byClient.set(client, [one]);
      else calls.push(one);
    }
    for (const calls of byClient.values()) {
      const own = new CallOrder(calls);
      for (const one of calls) {
        const before = this.latestBefore(one.call.calledAt);
        if (before === undefined || before.position <= one.position) continue;
        const ownBefore = own.latestBefore(one.call.calledAt);
        const isOwn = ownBefore !== undefined && ownBefore.position > one.position;
        found.push({
          rule: isOwn ? 'A3' : 'A1',
          text: `${describe(one.call)}: older than ${describe((isOwn ? ownBefore : before).call)}`,
        });
      }
    }
    return found;
  }
}
