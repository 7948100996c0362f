import type { Alarm, AlarmKind } from './types.js';

export const ALARM_KINDS: readonly AlarmKind[] = ['nospace', 'corrupt'];

/** Every member of the largest quorum may raise each. */
const MOST_ALARMS = 128;

/** Alarms that are on. */
export class AlarmTable {
  readonly #alarms = new Map<string, Alarm>();
  readonly #counts: Record<AlarmKind, number> = { nospace: 0, corrupt: 0 };

  /** By member and kind. */
  list(): Alarm[] {
    return [...this.#alarms.values()].sort((a, b) => {
      if (a.member !== b.member) return a.member < b.member ? -1 : 1;
      return ALARM_KINDS.indexOf(a.alarm) - ALARM_KINDS.indexOf(b.alarm);
    });
  }

  /** Answers whether there was room for it, as for those of the store itself there always is. */
  raise({ member, alarm }: Alarm): boolean {
    const name = `${member} ${alarm}`;
    if (this.#alarms.has(name)) return true;
    if (this.#alarms.size >= MOST_ALARMS && member !== 0n) return false;
    this.#alarms.set(name, { member, alarm });
    this.#counts[alarm] += 1;
    return true;
  }

  clear({ member, alarm }: Alarm): void {
    if (this.#alarms.delete(`${member} ${alarm}`)) this.#counts[alarm] -= 1;
  }

  has(kind: AlarmKind): boolean {
    return this.#counts[kind] > 0;
  }
}
