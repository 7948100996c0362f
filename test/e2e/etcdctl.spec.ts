import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { etcdctlFor, type RunningEtcdctl } from '../support/etcdctl.js';
import { eventually } from '../support/eventually.js';
import { startQuorum, type EndpointStatus, type TestQuorum } from '../support/quorum-cluster.js';
import { makeTemporaryFolder } from '../support/temporary-folder.js';

/** Seconds: the shortest that is granted. */
const SHORT_TTL = '2';
/** Of a lease of that length: its time, and what an election in between adds. */
const EXPIRES_WITHIN_MS = 15_000;

let quorum: TestQuorum;
const running: RunningEtcdctl[] = [];

beforeAll(async () => {
  quorum = await startQuorum();
});

afterEach(async ({ task }) => {
  await Promise.all(running.splice(0).map((one) => one.stop('SIGKILL')));
  if (task.result?.state !== 'fail') return;
  for (const one of quorum.members) console.error(`--- ${one.name}\n${one.log()}`);
});

afterAll(async () => {
  await quorum?.stop();
});

/** Runs it to its end, which must be a good one; answers what it printed, without the last newline. */
async function etcdctl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await quorum.etcdctl.run(args);
  expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout.replace(/\n$/, '');
}

/** The last line that it complains with. */
async function refused(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await quorum.etcdctl.run(args);
  expect(code).not.toBe(0);
  return stderr.trimEnd().split('\n').at(-1) ?? '';
}

const lines = (...of: readonly string[]): string => of.join('\n');

/** Started, and stopped after the test at the latest. */
function start(...args: readonly string[]): RunningEtcdctl {
  const one = quorum.etcdctl.start(args);
  running.push(one);
  return one;
}

async function nextLines(of: RunningEtcdctl, count: number): Promise<readonly string[]> {
  const read: string[] = [];
  while (read.length < count) read.push(await of.line());
  return read;
}

/** Of the store now. */
async function revision(): Promise<number> {
  const { header } = JSON.parse(await etcdctl('get', '?', '-w', 'json')) as {
    readonly header: { readonly revision: number };
  };
  return header.revision;
}

async function grant(ttl: string): Promise<string> {
  const [, id = ''] = /^lease ([0-9a-f]{16}) granted with TTL\(\d+s\)$/.exec(
    await etcdctl('lease', 'grant', ttl),
  )!;
  return id;
}

async function statuses(): Promise<readonly EndpointStatus[]> {
  return JSON.parse(await etcdctl('endpoint', 'status', '-w', 'json')) as EndpointStatus[];
}

describe('keys', () => {
  it('puts and gets, one key, a prefix, a range and all from a key on', async () => {
    for (const [key, value] of ['a/1:x', 'a/2:z', 'a/3:y', 'b:w'].map((pair) => pair.split(':'))) {
      expect(await etcdctl('put', key!, value!)).toBe('OK');
    }
    expect(await etcdctl('get', 'a/1')).toBe(lines('a/1', 'x'));
    expect(await etcdctl('get', 'a')).toBe('');
    expect(await etcdctl('get', '--prefix', 'a/')).toBe(lines('a/1', 'x', 'a/2', 'z', 'a/3', 'y'));
    expect(await etcdctl('get', 'a/2', 'b')).toBe(lines('a/2', 'z', 'a/3', 'y'));
    expect(await etcdctl('get', '--from-key', 'a/3')).toBe(lines('a/3', 'y', 'b', 'w'));
    expect(await etcdctl('get', '--prefix', 'a/', '--limit=1')).toBe(lines('a/1', 'x'));
    expect(await etcdctl('get', '--prefix', 'a/', '--print-value-only')).toBe(lines('x', 'z', 'y'));
    expect(await etcdctl('get', '--prefix', 'a/', '--keys-only')).toBe(
      lines('a/1', '', 'a/2', '', 'a/3', ''),
    );
    expect(await etcdctl('get', 'b', '--consistency=s')).toBe(lines('b', 'w'));
  });

  it('sorts by each field, either way', async () => {
    const sorted = (by: string, order: string) =>
      etcdctl('get', '--prefix', 'a/', '--print-value-only', `--sort-by=${by}`, `--order=${order}`);
    expect(await etcdctl('put', '--prev-kv', 'a/2', 'zz')).toBe(lines('OK', 'a/2', 'z'));
    expect(await sorted('KEY', 'DESCEND')).toBe(lines('y', 'zz', 'x'));
    expect(await sorted('VALUE', 'ASCEND')).toBe(lines('x', 'y', 'zz'));
    expect(await sorted('CREATE', 'DESCEND')).toBe(lines('y', 'zz', 'x'));
    expect(await sorted('MODIFY', 'DESCEND')).toBe(lines('zz', 'y', 'x'));
    expect(await sorted('VERSION', 'DESCEND')).toMatch(/^zz\n/);
  });

  it('reads as of a revision until that is compacted', async () => {
    await etcdctl('put', 'old', '1');
    const then = await revision();
    await etcdctl('put', 'old', '2');
    expect(await etcdctl('get', 'old', `--rev=${then}`)).toBe(lines('old', '1'));
    expect(await refused('get', 'old', `--rev=${then + 100}`)).toBe(
      'Error: etcdserver: mvcc: required revision is a future revision',
    );
    expect(await etcdctl('compaction', `${then + 1}`, '--physical')).toBe(
      `compacted revision ${then + 1}`,
    );
    for (const again of [
      ['get', 'old', `--rev=${then}`],
      ['compaction', `${then}`],
    ]) {
      expect(await refused(...again)).toBe(
        'Error: etcdserver: mvcc: required revision has been compacted',
      );
    }
    expect(await etcdctl('get', 'old', `--rev=${then + 1}`)).toBe(lines('old', '2'));
  });

  it('deletes one key, a prefix and a range, and says what was there', async () => {
    for (const key of ['d/1', 'd/2', 'd/3', 'd/4']) await etcdctl('put', key, 'v');
    expect(await etcdctl('del', 'd/1', '--prev-kv')).toBe(lines('1', 'd/1', 'v'));
    expect(await etcdctl('del', 'd/1')).toBe('0');
    expect(await etcdctl('del', 'd/2', 'd/4')).toBe('2');
    expect(await etcdctl('del', '--prefix', 'd/')).toBe('1');
    expect(await etcdctl('get', '--prefix', 'd/')).toBe('');
  });

  it('compares, and does one thing or the other', async () => {
    await etcdctl('put', 't', '1');
    const input = 'value("t") = "1"\nversion("none") = "0"\n\nput t 2\nget t\n\nget t\ndel t\n\n';
    const run = async () => (await quorum.etcdctl.run(['txn'], { input })).stdout;
    expect(await run()).toBe(lines('SUCCESS', '', 'OK', '', 't', '2', ''));
    expect(await run()).toBe(lines('FAILURE', '', 't', '2', '', '1', ''));
    expect(await etcdctl('get', 't')).toBe('');
  });
});

describe('watches', () => {
  it('tells of puts and deletions below a prefix, from a revision on, and of what was before', async () => {
    await etcdctl('put', 'w/1', 'a');
    const from = await revision();
    await etcdctl('put', 'w/1', 'b');
    await etcdctl('del', 'w/1');
    const watch = start('watch', '--prefix', 'w/', `--rev=${from}`, '--prev-kv');
    expect(await nextLines(watch, 3)).toEqual(['PUT', 'w/1', 'a']);
    expect(await nextLines(watch, 5)).toEqual(['PUT', 'w/1', 'a', 'w/1', 'b']);
    expect(await nextLines(watch, 5)).toEqual(['DELETE', 'w/1', 'b', 'w/1', '']);
    await etcdctl('put', 'w/2', 'c');
    expect(await nextLines(watch, 3)).toEqual(['PUT', 'w/2', 'c']);
  });

  it('runs a command at each event', async () => {
    const command = 'echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"';
    const from = (await revision()) + 1;
    const watch = start('watch', 'hook', `--rev=${from}`, '--', 'sh', '-c', command);
    await etcdctl('put', 'hook', 'x');
    expect(await nextLines(watch, 4)).toEqual(['PUT', 'hook', 'x', '"PUT" "hook" "x"']);
  });

  it('ends with the reason where the revisions are compacted', async () => {
    await etcdctl('put', 'c', '1');
    const then = await revision();
    await etcdctl('put', 'c', '2');
    await etcdctl('compaction', `${then + 1}`);
    const { code, stdout, stderr } = await quorum.etcdctl.run(['watch', 'c', `--rev=${then}`]);
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toContain('required revision has been compacted');
  });

  it('mirrors a prefix into another', async () => {
    await etcdctl('put', 'm/1', 'x');
    const to = quorum.endpoints[1]!;
    start('make-mirror', '--prefix=m/', '--dest-prefix=copy/', to);
    const copy = () => etcdctl('get', '--prefix', 'copy/', '--print-value-only');
    await eventually(async () => expect(await copy()).toBe('x'));
    await etcdctl('put', 'm/2', 'y');
    await eventually(async () => expect(await copy()).toBe(lines('x', 'y')));
  });
});

describe('leases', () => {
  it('grants, renews, tells and revokes, with the keys', async () => {
    const id = await grant('60');
    expect(await etcdctl('put', '--lease', id, 'l/1', 'x')).toBe('OK');
    expect(await etcdctl('put', '--lease', id, 'l/2', 'y')).toBe('OK');
    expect(await etcdctl('lease', 'timetolive', id, '--keys')).toMatch(
      new RegExp(
        `^lease ${id} granted with TTL\\(60s\\), remaining\\(\\d+s\\), attached keys\\(\\[l/1 l/2\\]\\)$`,
      ),
    );
    expect(await etcdctl('lease', 'keep-alive', '--once', id)).toBe(
      `lease ${id} keepalived with TTL(60)`,
    );
    expect((await etcdctl('lease', 'list')).split('\n')).toContain(id);
    expect(await etcdctl('lease', 'revoke', id)).toBe(`lease ${id} revoked`);
    expect(await etcdctl('get', '--prefix', 'l/')).toBe('');
    expect(await etcdctl('lease', 'timetolive', id)).toBe(`lease ${id} already expired`);
    expect((await etcdctl('lease', 'list')).split('\n')).not.toContain(id);
    const gone = 'etcdserver: requested lease not found';
    expect(await refused('lease', 'revoke', id)).toBe(`Error: failed to revoke lease (${gone})`);
    expect(await refused('put', '--lease', id, 'l/1', 'x')).toBe(`Error: ${gone}`);
  });

  it('keeps one alive for as long as it runs; then it expires, with its keys', async () => {
    const id = await grant(SHORT_TTL);
    await etcdctl('put', '--lease', id, 'e', 'x');
    const kept = start('lease', 'keep-alive', id);
    for (let times = 0; times < 5; times += 1) {
      expect(await kept.line()).toBe(`lease ${id} keepalived with TTL(${SHORT_TTL})`);
    }
    expect(await etcdctl('get', 'e')).toBe(lines('e', 'x'));
    await kept.stop('SIGKILL');
    await eventually(async () => expect(await etcdctl('get', 'e')).toBe(''), EXPIRES_WITHIN_MS);
    expect(await refused('lease', 'keep-alive', '--once', id)).toBe(
      'Error: etcdserver: requested lease not found',
    );
  });
});

describe('locks and elections', () => {
  it.each([
    ['gives it back', 'SIGINT'],
    ['is killed', 'SIGKILL'],
  ] as const)('gives a lock to the second when the first %s', async (_, signal) => {
    const [name, ttl] = [`lock-${signal}`, `--ttl=${SHORT_TTL}`];
    const first = start('lock', name, ttl);
    const held = await first.line();
    expect(held).toMatch(new RegExp(`^${name}/[0-9a-f]+$`));
    const second = start('lock', name, ttl);
    const keys = async () => (await etcdctl('get', '--prefix', name, '--keys-only')).split(/\n+/);
    const waiting = await eventually(async () => {
      const [other, ...more] = (await keys()).filter((key) => key !== held && key !== '');
      expect(other).toBeDefined();
      expect(more).toEqual([]);
      return other;
    });
    await first.stop(signal);
    expect(await second.line()).toBe(waiting);
    expect((await keys()).filter((key) => key !== '')).toEqual([waiting]);
    expect(await second.stop()).toMatchObject({ stderr: '' });
    expect(await etcdctl('get', '--prefix', name)).toBe('');
  });

  it('runs a command under a lock, with its key and revision, and ends as that does', async () => {
    const command = ['sh', '-c', 'echo "$ETCD_LOCK_KEY $ETCD_LOCK_REV"; exit 7'];
    const { stdout, stderr } = await quorum.etcdctl.run(['lock', 'run', '--', ...command]);
    expect(stdout).toMatch(/^run\/[0-9a-f]+ \d+\n$/);
    expect(stderr).toBe('Error: exit status 7\n');
    expect(await etcdctl('get', '--prefix', 'run/')).toBe('');
  });

  it('elects the second when the first resigns or dies, and tells who listens', async () => {
    const candidate = (value: string) => start('elect', 'e', value);
    const first = candidate('one');
    const elected = await nextLines(first, 2);
    expect(elected[1]).toBe('one');
    const observer = start('elect', '--listen', 'e');
    expect(await nextLines(observer, 2)).toEqual(elected);
    const second = candidate('two');
    await eventually(async () => {
      expect(await etcdctl('get', '--prefix', 'e/', '--print-value-only')).toBe(
        lines('one', 'two'),
      );
    });
    await first.stop();
    const after = await nextLines(second, 2);
    expect(after[1]).toBe('two');
    expect(await nextLines(observer, 2)).toEqual(after);
  });
});

describe('the cluster', () => {
  it('lists the members, with names, addresses and who learns', async () => {
    const rows = (await etcdctl('member', 'list')).split('\n').map((row) => row.split(', '));
    expect(rows.map(([, ...rest]) => rest).sort()).toEqual(
      quorum.members.map(({ name, peerAddress, endpoint }) => {
        return ['started', name, `http://${peerAddress}`, `http://${endpoint}`, 'false'];
      }),
    );
  });

  it('adds a learner and removes it', async () => {
    const added = await etcdctl(
      'member',
      'add',
      'n4',
      '--peer-urls=http://127.0.0.1:1',
      '--learner',
    );
    const [, id = ''] = /^Member +([0-9a-f]+) added to cluster /.exec(added)!;
    const row = `${id}, unstarted, , http://127.0.0.1:1, , true`;
    expect((await etcdctl('member', 'list')).split('\n')).toContain(row);
    expect(await etcdctl('member', 'remove', id)).toMatch(
      new RegExp(`^Member +${id} removed from cluster `),
    );
    expect((await etcdctl('member', 'list')).split('\n')).toHaveLength(3);
  });

  it('says of each member how it is', async () => {
    const { code, stderr } = await quorum.etcdctl.run(['endpoint', 'health']);
    expect(code).toBe(0);
    for (const endpoint of quorum.endpoints) expect(stderr).toContain(`${endpoint} is healthy: `);
    const rows = await statuses();
    expect(rows.map(({ Endpoint }) => Endpoint)).toEqual(quorum.endpoints);
    expect(new Set(rows.map(({ Status }) => `${Status.leader} ${Status.raftTerm}`)).size).toBe(1);
  });

  it('hashes alike on all members', async () => {
    const hash = async () => {
      const rows = (await etcdctl('endpoint', 'hashkv')).split('\n').map((row) => row.split(', '));
      expect(rows.map(([endpoint]) => endpoint)).toEqual(quorum.endpoints);
      const [one, ...others] = [...new Set(rows.map(([, number]) => number))];
      expect(others).toEqual([]);
      return one;
    };
    const before = await eventually(hash);
    await etcdctl('put', 'hashed', 'x');
    await eventually(async () => expect(await hash()).not.toBe(before));
  });

  it('moves the leadership to the member that it is told', async () => {
    const leader = await quorum.settled();
    const [other] = (await etcdctl('member', 'list'))
      .split('\n')
      .map((row) => row.split(', '))
      .filter(([, , name]) => name !== leader.name);
    expect(await etcdctl('move-leader', other![0]!)).toMatch(
      new RegExp(`^Leadership transferred from [0-9a-f]+ to ${other![0]}$`),
    );
    expect((await quorum.settled()).name).toBe(other![2]);
  });

  it('defragments, and knows of no alarm', async () => {
    expect((await etcdctl('defrag')).split('\n')).toEqual(
      quorum.endpoints.map((endpoint) => `Finished defragmenting etcd member[${endpoint}]`),
    );
    expect(await etcdctl('alarm', 'list')).toBe('');
    expect(await etcdctl('alarm', 'disarm')).toBe('');
  });

  it('saves a snapshot with a sum that holds, which etcdctl itself cannot read', async () => {
    const folder = await makeTemporaryFolder('snapshot');
    try {
      const path = join(folder.path, 'snapshot.db');
      const one = etcdctlFor(quorum.endpoints.slice(0, 1));
      expect(await one.run(['snapshot', 'save', path])).toMatchObject({
        code: 0,
        stdout: `Snapshot saved at ${path}\n`,
      });
      const file = await readFile(path);
      const [content, sum] = [file.subarray(0, -32), file.subarray(-32)];
      expect(content.length % 512).toBe(0);
      expect(content.includes('hashed')).toBe(true);
      expect(createHash('sha256').update(content).digest()).toEqual(sum);
      expect(await refused('snapshot', 'status', path)).toBe('Error: invalid database');
    } finally {
      await folder.remove();
    }
  });

  it('answers that users and roles are not there, rather than wrongly', async () => {
    for (const args of [
      ['user', 'list'],
      ['role', 'add', 'r'],
      ['auth', 'enable'],
    ]) {
      expect(await refused(...args)).toContain('code = Unimplemented');
    }
  });
});
