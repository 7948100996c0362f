import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestAuthority } from '@pawl/raft/testing';
import { eventually } from '../support/eventually.js';
import { QuorumProcess } from '../support/quorum-process.js';
import { runPawl } from '../support/run-pawl.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

let folder: TemporaryFolder;
let founders: readonly QuorumProcess[];
let client: readonly string[];

/** Writes certificate, key and authority; answers the options that name them. */
async function files(
  authority: TestAuthority,
  name: string,
  options: readonly [cert: string, key: string, ca: string],
): Promise<string[]> {
  const { cert, key } = authority.issue(name);
  const texts = [cert, key, authority.certificate];
  const args: string[] = [];
  for (const [at, option] of options.entries()) {
    const file = join(folder.path, `${name}-${option.slice(2)}.pem`);
    await writeFile(file, texts[at] ?? '');
    args.push(option, file);
  }
  return args;
}

const PEER = ['--peer-cert', '--peer-key', '--peer-ca'] as const;
const ETCD = ['--etcd-cert', '--etcd-key', '--etcd-ca'] as const;
const CLIENT = ['--cert', '--key', '--cacert'] as const;

beforeAll(async () => {
  folder = await makeTemporaryFolder('quorum-tls');
  const members = new TestAuthority('members');
  const api = new TestAuthority('coordination');
  const prepare = async (name: string): Promise<QuorumProcess> =>
    QuorumProcess.prepare(name, folder.path, [
      ...(await files(members, name, PEER)),
      ...(await files(api, name, ETCD)),
    ]);
  founders = [await prepare('n1'), await prepare('n2')];
  const peers = founders.map((one) => `${one.name}=${one.peerAddress}`).join(',');
  await Promise.all(founders.map((one) => one.start(['--peers', peers])));
  client = await files(api, 'client', CLIENT);
});

afterAll(async () => {
  await Promise.all(founders.map((one) => one.kill()));
  await folder.remove();
});

const membersBy = (args: readonly string[]) =>
  runPawl(['-o', 'json', 'cluster', 'members', '--endpoint', founders[0]?.endpoint ?? '', ...args]);

it('forms a quorum, and serves clients, over TLS with certificates on both sides', async () => {
  await eventually(async () => {
    const { code, out } = await membersBy(client);
    expect(code).toBe(0);
    const roles = (JSON.parse(out) as { role: string; answers: boolean }[]).map(
      ({ role, answers }) => `${role} ${answers}`,
    );
    expect(roles.sort()).toEqual(['leader true', 'voter true']);
  });
});

it('refuses clients without a certificate, and those that speak in the clear', async () => {
  const authority = client.slice(-2);
  expect(authority[0]).toBe('--cacert');
  expect((await membersBy(authority)).code).toBe(1);
  expect((await membersBy([])).code).toBe(1);
});

it('does not speak with a member of another authority', async () => {
  const [first] = founders;
  const strange = await QuorumProcess.prepare(
    'n3',
    folder.path,
    await files(new TestAuthority('strangers'), 'n3', PEER),
  );
  try {
    const known = `${first?.name}=${first?.peerAddress}`;
    await strange.start(['--peers', `${known},n3=${strange.peerAddress}`]);
    await eventually(async () => expect((await strange.health()).status).toBe(503));
    expect(await first?.health()).toEqual({ status: 200, reason: '' });
  } finally {
    await strange.kill();
  }
});

it('says in one sentence which file it cannot use', async () => {
  const missing = join(folder.path, 'missing.pem');
  const args = ['--etcd-cert', missing, '--etcd-key', missing, '--data-dir', `${folder.path}/x`];
  const { code, err } = await runPawl(['quorum', ...args, '--peer-port', '0', '--http-port', '0']);
  expect(code).toBe(1);
  expect(err).toMatch(
    /^pawl: --etcd-cert \(PAWL_ETCD_CERT\) names \S+missing\.pem, which cannot be read/,
  );
});
