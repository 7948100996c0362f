import type { HistoryKv, HistoryRevision } from './history.js';

/** Puts and deletions, one revision each, from revision 2 on: `a=1`, `-a`; more of one with a space. */
export function written(...revisions: string[]): HistoryRevision[] {
  const kvs = new Map<string, { createRevision: number; version: number }>();
  return revisions.map((text, index) => {
    const revision = index + 2;
    const events = text.split(' ').map((change) => {
      if (change.startsWith('-')) {
        const key = change.slice(1);
        kvs.delete(key);
        return { kind: 'delete' as const, kv: kv(key, '', { modRevision: revision }) };
      }
      const [key = '', rest = ''] = change.split('=');
      const [value = '', lease = '0'] = rest.split('@');
      const before = kvs.get(key) ?? { createRevision: revision, version: 0 };
      const after = { ...before, version: before.version + 1 };
      kvs.set(key, after);
      return {
        kind: 'put' as const,
        kv: kv(key, value, { ...after, modRevision: revision, lease }),
      };
    });
    return { revision, events };
  });
}

export function kv(key: string, value: string, rest: Partial<HistoryKv>): HistoryKv {
  return { key, value, createRevision: 0, modRevision: 0, version: 0, lease: '0', ...rest };
}
