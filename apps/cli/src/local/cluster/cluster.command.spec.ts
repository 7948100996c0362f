import { FakeCluster } from '@pawl/metadata/testing';
import { ownProcess } from '@pawl/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json } from '../../testing/cli-world.js';

let world: CliWorld;
let cluster: FakeCluster;

beforeEach(async () => {
  world = await CliWorld.start();
  cluster = await FakeCluster.start(['node-1', 'node-2', 'node-3']);
});

afterEach(async () => {
  cluster.stop();
  await world.stop();
});

const at = (name: string): readonly string[] => ['--endpoint', cluster.endpoint(name)];
/** Of a process that was started at another time than this one. */
const later = { ...ownProcess('quorum').processStart, startedAt: '1' };
const changes = (): string[] =>
  cluster.asked
    .map(({ method }) => method)
    .filter((method) => method !== 'MemberList' && method !== 'Status');

describe('pawl cluster members', () => {
  it('tells who leads, and who does not answer', async () => {
    cluster.kill('node-3');
    const { code, out } = await world.pawl('cluster', 'members', ...at('node-2'));
    expect(code).toBe(0);
    const lines = out.split('\n').map((line) => line.split(/ +/));
    expect(lines[0]).toContain('ROLE');
    expect(lines.slice(1, 4).map((cells) => [cells[1], cells[2], cells[5]])).toEqual([
      ['node-1', 'leader', 'yes'],
      ['node-2', 'voter', 'yes'],
      ['node-3', 'voter', 'no'],
    ]);
  });

  it('prints JSON, and asks the next endpoint when one does not answer', async () => {
    cluster.kill('node-1');
    const endpoints = `${cluster.endpoint('node-1')},${cluster.endpoint('node-2')}`;
    const ran = await world.pawl('-o', 'json', 'cluster', 'members', '--endpoint', endpoints);
    const rows = JSON.parse(ran.out) as Record<string, unknown>[];
    expect(rows[1]).toMatchObject({
      id: '12',
      name: 'node-2',
      peerAddress: '127.0.0.1:1018',
      answers: true,
      term: 7,
      revision: 12,
      appliedIndex: 41,
    });
  });

  it('says what to do when nobody answers', async () => {
    cluster.stop();
    const { code, err } = await world.pawl('cluster', 'members', ...at('node-1'));
    expect(code).toBe(1);
    expect(err).toMatch(
      /^pawl: no member of the quorum answers: .*\nname one that runs.*npm start/,
    );
    expect(err).not.toContain('Resolution note');
  });

  it('finds the member that runs in the data folder', async () => {
    const etcd = `http://${cluster.endpoint('node-1')}`;
    await world.file('endpoints.json', JSON.stringify({ etcd, processes: { quorum: 1 } }));
    const env = { PAWL_DATA_DIR: world.folder };
    expect((await world.run(['cluster', 'members'], { env })).out).toContain('node-2');
    expect((await world.run(['cluster'], { env })).out).toContain('node-2');
    expect((await world.run(['cluster', 'status'], { env })).out).toContain('node-2');
  });

  it('asks nobody else when nothing runs in the data folder that is named', async () => {
    const env = { PAWL_DATA_DIR: world.folder };
    for (const words of [['members'], ['remove', 'node-2']]) {
      const { code, err } = await world.run(['cluster', ...words], { env });
      expect(code).toBe(1);
      expect(err).toContain(`no Pawl runs on ${world.folder}, which PAWL_DATA_DIR names`);
    }
  });

  it('asks no quorum where the node of the data folder serves another installation now', async () => {
    const etcd = `http://${cluster.endpoint('node-1')}`;
    const endpoints = { http: world.env['PAWL_URL'], etcd, installation: 'main/one' };
    await world.file('endpoints.json', JSON.stringify(endpoints));
    world.answers.set('GET /healthz', json({ installation: 'main/two' }));
    const env = { PAWL_DATA_DIR: world.folder };
    const { code, err } = await world.run(['cluster', 'remove', 'node-2'], { env });
    expect([code, err]).toEqual([1, expect.stringContaining('serves main/two')]);
    expect(err).toContain('--endpoint HOST:PORT');
    expect(cluster.asked).toEqual([]);
    world.answers.set('GET /healthz', json({ installation: 'main/one' }));
    expect((await world.run(['cluster', 'members'], { env })).out).toContain('node-2');
  });

  it('asks no quorum where a node was killed before it served: somebody else may be there', async () => {
    const etcd = `http://${cluster.endpoint('node-1')}`;
    const starting = (controlPlane: number) =>
      world.file('endpoints.json', JSON.stringify({ etcd, processes: { controlPlane } }));
    const env = { PAWL_DATA_DIR: world.folder };
    await starting(2 ** 30);
    const { code, err } = await world.run(['cluster', 'remove', 'node-2'], { env });
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`no node of ${world.folder} runs: its process has ended; start it`),
    ]);
    expect(cluster.asked).toEqual([]);
    await starting(process.pid);
    expect((await world.run(['cluster', 'members'], { env })).out).toContain('node-2');
    // It has a control plane, which is asked, though it serves nothing yet.
    const { err: early } = await world.run(['cluster', 'status'], { env });
    expect(early).toContain('is starting');
    expect(early).toContain(
      `meanwhile \`PAWL_DATA_DIR=${world.folder} pawl cluster members\` tells of its quorum\n`,
    );
  });

  it.each([
    ['has ended', { processes: { quorum: 2 ** 30 } }],
    ['has ended, and another has its id', { ...ownProcess('quorum'), processStart: later }],
  ])('asks no quorum on the word of a member whose process %s', async (_, killed) => {
    const etcd = `http://${cluster.endpoint('node-1')}`;
    const env = { PAWL_DATA_DIR: world.folder };
    await world.file('endpoints.json', JSON.stringify({ etcd, ...killed }));
    for (const words of [['cluster', 'remove', 'node-2'], ['cluster']]) {
      const { code, err } = await world.run(words, { env });
      expect([code, err]).toEqual([
        1,
        `pawl: no node of ${world.folder} runs: its process has ended; start it with npm start -- --data-dir ${world.folder}, or name one that runs with --endpoint HOST:PORT\n`,
      ]);
    }
    expect(cluster.asked).toEqual([]);
    const second = { http: world.env['PAWL_URL'], installation: 'main/one', etcd };
    world.answers.set('GET /healthz', (request) => request.socket.destroy());
    await world.file('nodes/node-2/endpoints.json', JSON.stringify(second));
    expect((await world.run(['cluster', 'members'], { env })).err).toContain(
      `no control plane answers at ${second.http}, and the processes of the others have ended; start`,
    );
    await world.file('endpoints.json', JSON.stringify({ etcd, ...ownProcess('quorum') }));
    expect((await world.run(['cluster', 'members'], { env })).out).toContain('node-2');
  });

  it('finds another node of the data folder when the first is gone', async () => {
    const at = (etcd: string): string => JSON.stringify({ etcd, processes: { quorum: 1 } });
    await world.file('endpoints.json', at(`http://${cluster.endpoint('node-1')}`));
    await world.file('nodes/node-2/endpoints.json', at(`http://${cluster.endpoint('node-2')}`));
    cluster.kill('node-1');
    const env = { PAWL_DATA_DIR: world.folder };
    expect((await world.run(['cluster', 'members'], { env })).out).toContain('node-2');
  });
});

describe('pawl cluster add', () => {
  it('prints the command that starts the new member', async () => {
    const { code, out } = await world.pawl(
      'cluster',
      'add',
      'node-4=10.0.0.4:7480',
      ...at('node-1'),
    );
    expect(code).toBe(0);
    expect(cluster.asked.at(-1)).toEqual({
      method: 'MemberAdd',
      request: { peerURLs: ['http://10.0.0.4:7480'], isLearner: false },
      id: 'node-4',
    });
    expect(out).toContain(
      '\n  pawl quorum --join --node-id node-4 --peers node-1=127.0.0.1:1017,node-2=127.0.0.1:1018,node-3=127.0.0.1:1019,node-4=10.0.0.4:7480 --peer-host 10.0.0.4 --peer-port 7480\n',
    );
  });

  it('gives a neighbour on the same host its own folder and ports', async () => {
    const added = ['cluster', 'add', 'b=[::1]:7481', '--learner', ...at('node-1')];
    const { out } = await world.pawl('-o', 'json', ...added);
    const { command, learner } = JSON.parse(out) as { command: string; learner: boolean };
    expect(learner).toBe(true);
    expect(command).toContain('--peer-host ::1 --peer-port 7481 --data-dir .pawl-b');
    expect(cluster.members.at(-1)).toMatchObject({ isLearner: true });
  });

  it.each(['node-4', 'node-4=', 'node-4=h', 'Node=h:1', '=h:1', 'n=h:99999'])(
    'refuses %s',
    async (text) => {
      expect((await world.pawl('cluster', 'add', text, ...at('node-1'))).code).toBe(2);
      expect(changes()).toEqual([]);
    },
  );

  it.each([
    ['member ID already exist', 'b is a member already: give the new one another name, or'],
    ['Peer URLs already exists', 'another member is at h:1 already: give the new one an address'],
    ['unhealthy cluster', 'the quorum cannot change now: another change is under way, or'],
    ['of another mind', 'of another mind\n'],
  ])('says what to do when the quorum refuses: %s', async (refusal, sentence) => {
    cluster.refusal = `etcdserver: ${refusal}`;
    const ran = await world.pawl('cluster', 'add', 'b=h:1', ...at('node-1'));
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err.startsWith(`pawl: ${sentence}`)).toBe(true);
  });
});

describe('pawl cluster remove and transfer', () => {
  it.each(['node-3', '13', '127.0.0.1:1019'])('takes out %s', async (node) => {
    const { code, out } = await world.pawl('cluster', 'remove', node, ...at('node-1'));
    expect(code).toBe(0);
    expect(out).toContain('the quorum is node-1, node-2\n');
    expect(cluster.members.map(({ name }) => name)).toEqual(['node-1', 'node-2']);
  });

  it('takes out one that never started by the name that it was added under', async () => {
    await world.pawl('cluster', 'add', 'node-4=10.0.0.4:7480', ...at('node-1'));
    expect((await world.pawl('cluster', 'members', ...at('node-1'))).out).toMatch(/^63 +node-4 /m);
    const { out } = await world.pawl('cluster', 'remove', 'node-4', ...at('node-1'));
    expect(out).toContain('node-4 is no member any more');
    expect(cluster.members).toHaveLength(3);
  });

  it('changes nothing for a node that is no member', async () => {
    const { code, err } = await world.pawl('cluster', 'remove', 'node-9', ...at('node-1'));
    expect(code).toBe(1);
    expect(err).toContain(
      'node-9 is no member of the quorum; name one by its name, its peer address or its id: node-1 (127.0.0.1:1017, 11), node-2 (',
    );
    expect(changes()).toEqual([]);
  });

  it('says that nobody leads where no member knows of a leader, and asks those that may first', async () => {
    cluster.leaderless.add('node-1');
    const { code, err } = await world.pawl('cluster', 'remove', 'node-3', ...at('node-1'));
    expect([code, err]).toEqual([
      1,
      'pawl: nobody leads the quorum now: see that a majority of its members runs (`cluster members`), then try again\n',
    ]);
    const both = `${cluster.endpoint('node-1')},${cluster.endpoint('node-2')}`;
    const { out } = await world.pawl('cluster', 'remove', 'node-3', '--endpoint', both);
    expect(out).toContain('node-3 is no member any more');
  });

  it('says what to do instead of taking out the last voter', async () => {
    cluster.refusal = 'etcdserver: re-configuration failed due to not enough started members';
    const { code, err } = await world.pawl('cluster', 'remove', 'node-1', ...at('node-1'));
    expect(code).toBe(1);
    expect(err).toMatch(/^pawl: node-1 is the last member that votes: .*`cluster add` another/);
  });

  it('asks the leader to hand over, wherever it was sent', async () => {
    expect((await world.pawl('cluster', 'transfer', 'node-2', ...at('node-3'))).out).toBe(
      'node-2 leads\n',
    );
    expect(cluster.leader).toBe('18');
    await world.pawl('cluster', 'transfer', 'node-2', ...at('node-3'));
    expect(changes()).toEqual(['MoveLeader']);
  });
});

describe('pawl cluster', () => {
  it('shows the control plane’s view when there is one', async () => {
    const quorum = { members: ['node-1'], leader: 'node-1', term: 3, revision: 9 };
    const since = '2026-01-02T03:04:05.678Z';
    const behind = { since, addresses: [] };
    const shards = [
      { shard: 0, owner: 'node-1', fencingToken: '281474976710660', serving: true, since },
      { shard: 1, owner: null, fencingToken: null, serving: false, since: null },
      { shard: 2, owner: 'node-1', fencingToken: '12', serving: false, since: null },
      { shard: 3, owner: 'node-1', fencingToken: '13', serving: true, since, behind },
      { shard: 4, owner: 'node-1', fencingToken: '14', serving: true, since },
    ];
    const away = { state: 'unready', shards: 0, problem: 'PostgreSQL does not answer' };
    const nodes = [
      { id: 'node-1', state: 'ready', shards: 4, since, address: 'http://10.0.0.1:7400' },
      { id: 'node-2', ...away },
    ];
    const view = { installation: 'main/x', nodes, quorum, shards };
    world.answers.set('GET /v1/cluster', json(view));
    const { out } = await world.pawl('cluster');
    expect(out).toContain('quorum: node-1; leader node-1, term 3, revision 9\n');
    expect(out).toContain('shards: 3 of 5 served; 1 is read-only');
    expect(out).not.toContain('NO MAJORITY');
    const stale = nodes.map((node) => ({ ...node, stale: true }));
    const headless = { ...view, nodes: stale, quorum: { ...quorum, leader: null } };
    world.answers.set('GET /v1/cluster', json(headless));
    const unknown = (await world.pawl('cluster')).out;
    expect(unknown).toContain('NO MAJORITY of the quorum answers');
    expect(unknown).toMatch(/^node-1 +not known \(was ready\) /m);
    expect(unknown).toMatch(/^node-2 +not known \(was unready\) /m);
    expect(unknown).toContain('shards: 3 of 5 served when last known; 1 is read-only');
    world.answers.set('GET /v1/cluster', json(view));
    const rowsOf = (text: string) => text.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
    const rows = rowsOf(out);
    expect(rows).toContain(`node-1 ready 3 ${since} http://10.0.0.1:7400 -`);
    expect(rows).toContain('node-2 unready 0 - - PostgreSQL does not answer');
    const notWell = [
      '1 - - no owner -',
      '2 node-1 12 not served -',
      `3 node-1 13 read-only ${since}`,
    ];
    expect(rows.slice(-5)).toEqual(['SHARD OWNER TOKEN STATE SINCE', ...notWell, '']);
    expect((await world.pawl('cluster', 'status')).out).toBe(out);
    expect(rowsOf((await world.pawl('cluster', 'status', '--shards')).out).slice(-6)).toEqual([
      `0 node-1 281474976710660 served ${since}`,
      ...notWell,
      `4 node-1 14 served ${since}`,
      '',
    ]);
    expect((await world.pawl('cluster', 'frobnicate')).code).toBe(2);
    const asked = await world.pawl('-o', 'json', 'cluster', 'status');
    expect(JSON.parse(asked.out)).toEqual(view);
    const well = { ...view, shards: [shards[0], shards[4]] };
    world.answers.set('GET /v1/cluster', json(well));
    expect((await world.pawl('cluster')).out).toMatch(/\nshards: 2 of 2 served\n$/);
    const replication = [
      { id: 'node-2', behind: 0 },
      { id: 'node-3', behind: 12 },
    ];
    const late = { ...view, quorum: { ...quorum, replication } };
    world.answers.set('GET /v1/cluster', json(late));
    const lines = (await world.pawl('cluster')).out;
    expect(lines).toContain('term 3, revision 9; node-3 is 12 entries behind\n');
    expect(lines).not.toContain('missing');
  });

  it('marks learners, and tells which members have no control plane that lives', async () => {
    const place = { peer: 'h:1', clients: [] };
    const quorum = {
      members: ['node-1', 'node-2', 'node-3'],
      learners: ['node-3'],
      leader: 'node-1',
      term: 3,
      revision: 9,
      addresses: ['node-1', 'node-2', 'node-3'].map((id) => ({ id, ...place })),
    };
    const nodes = [{ id: 'node-1', state: 'ready', shards: 0 }];
    world.answers.set('GET /v1/cluster', json({ installation: 'x', nodes, quorum, shards: [] }));
    const { out } = await world.pawl('cluster');
    expect(out).toContain('\nmissing: node-2, node-3 (');
    expect(out).toContain('quorum: node-1, node-2, node-3 (learner); leader node-1');
  });
});
