import { beforeEach, describe, expect, it } from 'vitest';
import { snapshotHash } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ApplierWorld } from '../testing/applier-world.js';
import { decodeContent } from './decode-content.js';
import { ADDRESS, asReceived, makeSnapshot } from '../testing/make-snapshot.js';

const pushed = (recipe: Parameters<typeof makeSnapshot>[0]) =>
  ({ kind: 'pushed', snapshot: asReceived(makeSnapshot(recipe)) }) as const;
const versions = (world: ApplierWorld) => world.applied.map(({ head }) => head.version);

describe('Applier', () => {
  it('validates, stores and only then applies', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 3, document: { a: { b: 1 } } }));
    expect(world.waiting.map(({ kind }) => kind)).toEqual(['validate']);
    world.answer(0);
    expect(world.waiting.map(({ kind }) => kind)).toEqual(['store']);
    expect(world.applied).toEqual([]);
    world.answer(0);
    const [applied] = world.applied;
    expect(applied).toMatchObject({ document: { a: { b: 1 } }, previous: null, lowered: false });
    expect(world.disk?.head.version).toBe(3);
    expect(Object.isFrozen(applied?.document?.['a'])).toBe(true);
  });

  it('ignores what is older or the same and skips what was overtaken', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 3 }));
    for (const version of [2, 3, 4, 6, 5]) world.give(pushed({ version }));
    world.settle();
    expect(versions(world)).toEqual([3, 6]);
    expect(world.reports).toEqual([]);
  });

  it('drops a fetch for a newer snapshot and ignores its late answer', () => {
    const world = new ApplierWorld();
    world.keep({ version: 1 });
    world.give(pushed({ version: 1, byHash: true }));
    const [late] = world.waiting;
    world.give(pushed({ version: 2 }));
    world.settle();
    expect(late?.kind).toBe('fetch');
    expect(versions(world)).toEqual([2]);
  });

  it('does not leave a fetch for an older snapshot', () => {
    const world = new ApplierWorld();
    world.keep({ version: 3 });
    world.give(pushed({ version: 3, byHash: true }));
    world.give(pushed({ version: 2 }));
    expect(world.waiting).toMatchObject([{ kind: 'fetch', version: 3 }]);
    world.settle();
    expect(versions(world)).toEqual([3]);
  });

  it('goes back only with a rollback that says so', () => {
    const world = new ApplierWorld();
    const layer = (definitionVersion: number, releaseVersion: number, loweredAt: number | null) => [
      { address: ADDRESS, definitionVersion, releaseVersion, loweredAt },
    ];
    world.give(pushed({ version: 1, inputs: layer(2, 2, null) }));
    world.settle();
    world.give(pushed({ version: 2, inputs: layer(1, 3, null) }));
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.rejections).toMatchObject([{ version: 2 }]);
    world.give(pushed({ version: 3, inputs: layer(1, 3, 3) }));
    world.settle();
    expect(versions(world)).toEqual([1, 3]);
    expect(world.applied[1]).toMatchObject({ lowered: true, previous: 1 });
    expect(world.applier.rejected).toBeNull();
  });

  it('forgets what it rejected once something is applied, however new that pretended to be', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 1, definitionVersion: 5 }));
    world.settle();
    world.give(pushed({ version: 900, definitionVersion: 4 }));
    expect(world.applier.rejected).toMatchObject({ version: 900 });
    world.give(pushed({ version: 2, definitionVersion: 5 }));
    world.settle();
    expect(world.applier.rejected).toBeNull();
  });

  describe('whose disk is late', () => {
    let world: ApplierWorld;
    beforeEach(() => {
      world = new ApplierWorld();
      world.give(pushed({ version: 3 }));
      world.settle();
      world.restart('is late');
    });

    it('runs what that held once nobody else answers', () => {
      world.give({ kind: 'settle' });
      expect(versions(world)).toEqual([]);
      world.answerDisk();
      world.settle();
      expect(versions(world)).toEqual([3]);
    });

    it('does not wait for a content any longer', () => {
      world.give({ kind: 'settle' });
      world.give(pushed({ version: 4, byHash: true }));
      world.answer(0);
      world.answerDisk();
      world.keep({ version: 4 });
      world.settle();
      expect(versions(world)).toEqual([3, 4]);
    });

    it('goes on with what is under way, and behind it takes what is newer', () => {
      world.give(pushed({ version: 4 }));
      world.give(pushed({ version: 5 }));
      world.answerDisk();
      world.settle();
      expect(versions(world)).toEqual([4, 5]);
    });

    it('runs what that held where what is under way is rejected', () => {
      world.refuses = (_, version) => (version === 4 ? 'refused' : null);
      world.give(pushed({ version: 4 }));
      world.give(pushed({ version: 2 }));
      world.answerDisk();
      world.settle();
      expect(versions(world)).toEqual([3]);
      expect(world.rejections).toMatchObject([{ version: 4 }]);
    });

    it('drops what is under way and older', () => {
      world.give(pushed({ version: 2 }));
      world.answerDisk();
      world.give({ kind: 'settle' });
      world.settle();
      expect(versions(world)).toEqual([3]);
      expect(world.disk?.head.version).toBe(3);
    });

    it('reports what that held of another installation, also when something runs', () => {
      world.give(pushed({ version: 2, installation: 'main/other' }));
      world.settle();
      world.answerDisk();
      expect(world.reports).toEqual(['foreign-installation']);
      expect(versions(world)).toEqual([2]);
    });

    it('goes on with what runs already', () => {
      world.give(pushed({ version: 2 }));
      world.settle();
      world.answerDisk();
      world.give({ kind: 'settle' });
      world.settle();
      expect(versions(world)).toEqual([2]);
    });
  });

  it('reports another installation, and pins the id it saw first', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 9, installation: 'other/1' }));
    world.give(pushed({ version: 1, installation: 'main/a' }));
    world.give(pushed({ version: 2, installation: 'main/b' }));
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.reports).toEqual(['foreign-installation', 'foreign-installation']);
  });

  it('reads again when a snapshot does not hash to what it claims', () => {
    const world = new ApplierWorld();
    const { snapshot } = pushed({ version: 1 });
    world.give({ kind: 'pushed', snapshot: { ...snapshot, version: 2 } });
    expect(world.waiting).toEqual([]);
    expect(world.reports).toEqual(['hash-mismatch']);
    expect(world.reads).toBe(1);
  });

  it('rejects an inline content that is not what the variant says', () => {
    const world = new ApplierWorld();
    const honest = makeSnapshot({ version: 1, document: { a: 1 } });
    const variant = { ...honest.variants[''], inline: { a: 2 } } as never;
    world.give(pushed({ version: 1, document: { a: 1 } }));
    world.settle();
    const forged = { ...makeSnapshot({ version: 2 }), variants: { '': variant } };
    const { hash: _, ...body } = forged;
    world.give({ kind: 'pushed', snapshot: asReceived(rehash(body)) });
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.rejections[0]?.reason).toContain('hashes to');
  });

  it('reports an equal version with another hash once and keeps what runs', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 1, document: { a: 1 } }));
    world.settle();
    const other = pushed({ version: 1, document: { a: 2 } });
    world.give(other);
    world.give({ kind: 'named', point: { generation: 1, version: 1 }, hash: other.snapshot.hash });
    world.give(other);
    world.settle();
    expect(world.reports).toEqual(['version-conflict']);
    expect(world.reads).toBe(0);
    expect(world.applied).toHaveLength(1);
  });

  it('stays on the last good one while the newest is rejected, and tries it once', () => {
    const world = new ApplierWorld();
    world.refuses = (_, version) => (version === 2 ? 'no twos' : null);
    for (const version of [1, 2, 2]) {
      world.give(pushed({ version }));
      world.settle();
    }
    expect(versions(world)).toEqual([1]);
    expect(world.rejections).toMatchObject([{ version: 2, reason: 'no twos' }]);
    expect(world.applier.rejected).toMatchObject({ version: 2 });
    world.give(pushed({ version: 3 }));
    world.settle();
    expect(versions(world)).toEqual([1, 3]);
    expect(world.applier.rejected).toBeNull();
  });

  it('applies absence without validation', () => {
    const world = new ApplierWorld();
    world.refuses = () => 'nothing is good enough';
    world.give(pushed({ version: 1, document: null }));
    world.settle();
    expect(world.applied).toMatchObject([{ document: undefined }]);
    expect(world.disk?.content.absent).toBe(true);
  });

  it('a higher generation starts the comparison anew', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 9, definitionVersion: 7 }));
    world.settle();
    world.give(pushed({ version: 2, generation: 2, definitionVersion: 1 }));
    world.settle();
    expect(versions(world)).toEqual([9, 2]);
    expect(world.applier.highest).toEqual({ generation: 2, version: 2 });
  });
});

describe('Applier, reads', () => {
  it('is behind until the stream shows something, and while less than was named', () => {
    const world = new ApplierWorld();
    world.give({ kind: 'read', snapshot: null });
    expect(world.applier.behind).toBe(true);
    world.give({ kind: 'named', point: { generation: 1, version: 3 }, hash: 'x' });
    expect(world.reads).toBe(1);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 2 }) });
    expect(world.applier.behind).toBe(true);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 3 }) });
    expect(world.applier.behind).toBe(false);
    world.settle();
    expect(versions(world)).toEqual([2, 3]);
  });

  it('forgets a name that never appears, with a report', () => {
    const world = new ApplierWorld();
    world.give({ kind: 'named', point: { generation: 1, version: 1e9 }, hash: 'x' });
    for (let read = 0; read < 40 && world.applier.behind; read += 1) {
      world.give({ kind: 'read', snapshot: makeSnapshot({ version: 1 }) });
    }
    expect(world.applier.behind).toBe(false);
    expect(world.reports).toEqual(['snapshot-missing']);
  });
});

describe('Applier, restart', () => {
  const restarted = (version = 5) => {
    const world = new ApplierWorld();
    world.give(pushed({ version }));
    world.settle();
    world.restart();
    return world;
  };

  it('runs the file only when told to, or when the network has nothing newer', () => {
    const settled = restarted();
    expect(settled.waiting).toEqual([]);
    settled.give({ kind: 'settle' });
    settled.settle();
    expect(versions(settled)).toEqual([5]);
    for (const version of [4, 5]) {
      const world = restarted();
      world.give({ kind: 'read', snapshot: makeSnapshot({ version }) });
      world.settle();
      expect(versions(world)).toEqual([5]);
    }
  });

  it('takes the newer one from the network', () => {
    const world = restarted();
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 6 }) });
    world.settle();
    expect(versions(world)).toEqual([6]);
  });

  it('starts one lower together with the rejection of the higher', () => {
    const world = restarted();
    world.refuses = (_, version) => (version === 6 ? 'no' : null);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 6 }) });
    world.settle();
    expect(versions(world)).toEqual([5]);
    expect(world.applier.rejected).toMatchObject({ version: 6 });
  });

  it('runs the file while a content cannot be fetched, and goes on when it can', () => {
    const world = restarted();
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 6, byHash: true }) });
    world.answer(0);
    world.give({ kind: 'settle' });
    world.keep({ version: 6 });
    world.settle();
    expect(versions(world)).toEqual([5, 6]);
  });

  it('lets what the stream holds replace an announcement of the same version', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 1, document: { forged: true }, byHash: true }));
    world.answer(0);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 1, document: { real: true } }) });
    world.settle();
    expect(world.applied.map(({ document }) => document)).toEqual([{ real: true }]);
    expect(world.reports).toEqual(['version-conflict']);
  });

  it('lets a lower version of the stream replace an announcement whose content is missing', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 900, byHash: true }));
    const [fetch] = world.waiting;
    world.answer(0);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 1 }) });
    world.settle();
    expect(versions(world)).toEqual([]);
    world.give({ kind: 'missing', job: fetch!.job });
    expect(world.reads).toBe(1);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 1 }) });
    world.settle();
    world.give({ kind: 'named', point: { generation: 1, version: 2 }, hash: 'b'.repeat(64) });
    expect(world.reads).toBe(2);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 2 }) });
    world.settle();
    expect(versions(world)).toEqual([1, 2]);
  });

  it('keeps an announcement over what the stream holds of another installation, or damaged', () => {
    const world = new ApplierWorld();
    const { snapshot } = pushed({ version: 2, byHash: true });
    world.give({ kind: 'pushed', snapshot });
    const [fetch] = world.waiting;
    world.give({ kind: 'missing', job: fetch!.job });
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 2, installation: 'other/1' }) });
    world.give({
      kind: 'read',
      snapshot: { ...makeSnapshot({ version: 2 }), hash: 'c'.repeat(64) },
    });
    world.keep({ version: 2 });
    world.settle();
    expect(versions(world)).toEqual([2]);
  });

  it('does not run a file that validate refuses, nor anything older', () => {
    const world = restarted();
    world.refuses = (_, version) => (version === 5 ? 'no' : null);
    world.give({ kind: 'settle' });
    world.settle();
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 4 }) });
    world.settle();
    expect(world.applied).toEqual([]);
    expect(world.rejections).toMatchObject([{ version: 5 }]);
    world.give({ kind: 'read', snapshot: makeSnapshot({ version: 6 }) });
    world.settle();
    expect(versions(world)).toEqual([6]);
  });

  it('ignores a file of another installation', () => {
    const world = new ApplierWorld();
    world.give(pushed({ version: 5 }));
    world.settle();
    const record = { ...world.disk!, head: { ...world.disk!.head, installation: 'other/1' } };
    world.disk = record;
    world.restart();
    world.give({ kind: 'settle' });
    expect(world.waiting).toEqual([]);
    expect(world.reports).toEqual(['foreign-installation']);
  });
});

describe('decodeContent', () => {
  const decode = (text: string, size = Buffer.byteLength(text)) =>
    decodeContent(text, { hash: sha256(text), size }, sha256);

  it('takes canonical objects only, even when hash and size are right', () => {
    expect(decode('{"a":1}')).toMatchObject({ ok: true, document: { a: 1 } });
    for (const text of ['{"a": 1}', '{"b":1,"a":2}', '{"a":1,"a":1}', '[]', '1', '{', '']) {
      expect(decode(text).ok).toBe(false);
    }
    expect(decode('{"a":1}', 8).ok).toBe(false);
    expect(decode(`{"a":"${'x'.repeat(960 * 1024)}"}`).ok).toBe(false);
    expect(decode(`{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`).ok).toBe(false);
  });
});

function rehash(body: Omit<ReturnType<typeof makeSnapshot>, 'hash'>) {
  return { ...body, hash: snapshotHash(body, sha256) };
}
