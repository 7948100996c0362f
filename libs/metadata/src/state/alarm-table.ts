import type { Alarm, AlarmKind } from './types.js';

export const ALARM_KINDS: readonly AlarmKind[] = ['nospace', 'corrupt'];

/** Alarms that are on. */
export class AlarmTable {
  readonly #alarms = new Map<string, Alarm>();

  /** By member and kind. */
  list(): Alarm[] {
    return [...this.#alarms.values()].sort((a, b) => {
      if (a.member !== b.member) return a.member < b.member ? -1 : 1;
      return ALARM_KINDS.indexOf(a.alarm) - ALARM_KINDS.indexOf(b.alarm);
    });
  }

  raise({ member, alarm }: Alarm): void {
    this.#alarms.set(`${member} ${alarm}`, { member, alarm });
  }

  clear({ member, alarm }: Alarm): void {
    this.#alarms.delete(`${member} ${alarm}`);
  }

  has(kind: AlarmKind): boolean {
    for (const { alarm } of this.#alarms.values()) if (alarm === kind) return true;
    return false;
  }
}
