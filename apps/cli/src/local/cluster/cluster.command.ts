import type { ClusterView } from '@pawl/contracts';
import { listEndpoints, parseHostPort } from '@pawl/platform';
import type { Command } from 'commander';
import type { CliContext } from '../../context.js';
import { CliError, EXIT } from '../../exit-codes.js';
import { print, table } from '../../output.js';
import { ownCommand } from '../../own-command.js';
import { dataFolder } from '../server-url.js';
import { explainRefusal } from './explain-refusal.js';
import { startWords } from './start-words.js';
import { findMember, numberText, Quorum } from './reach-quorum.js';
import type { ReachedMember, ReachFlags } from './reach-quorum.js';

const NODE_ID = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** `pawl cluster`: nodes, quorum and shards, and changes of the quorum's membership. */
export function addCluster(program: Command, context: CliContext): void {
  const cluster = program
    .command('cluster')
    .description('nodes, quorum and shards; members of the quorum and their changes')
    .action(() => showStatus(context, {}));
  reaching(cluster.command('status'))
    .description('nodes, quorum and shards, of the control plane; with --endpoint the quorum alone')
    .action((flags: ReachFlags) => showStatus(context, flags));
  reaching(cluster.command('members'))
    .description('members of the quorum: who leads, who learns, who answers')
    .action((flags: ReachFlags) => showMembers(context, flags));
  reaching(cluster.command('add <id=host:port>'))
    .description('let a node in, which is then started with the command that this prints')
    .option('--learner', 'receive the log without voting')
    .action((member: string, flags: ReachFlags & { learner?: true }) =>
      add(context, member, flags),
    );
  reaching(cluster.command('remove <node>'))
    .description('take a member out, running or lost for good')
    .action((node: string, flags: ReachFlags) => remove(context, node, flags));
  reaching(cluster.command('transfer <node>'))
    .description('make a member the leader')
    .action((node: string, flags: ReachFlags) => transfer(context, node, flags));
}

function reaching(command: Command): Command {
  return command
    .option(
      '--endpoint <host:port>',
      'coordination API of a member, several with commas; else the running node of this folder',
    )
    .option('--cacert <file>', 'PEM certificates of the authority of the coordination API')
    .option('--cert <file>', 'PEM certificate to show, with --key')
    .option('--key <file>', 'PEM key of --cert');
}

async function showStatus(context: CliContext, flags: ReachFlags): Promise<void> {
  if (flags.endpoint !== undefined || (await isQuorumAlone(context))) {
    await showMembers(context, flags);
    return;
  }
  const view = await (await context.client()).cluster();
  print(context.terminal, context.format(), view, () => statusText(view));
}

/** What runs in this folder is a quorum member without a control plane. */
async function isQuorumAlone({ env }: CliContext): Promise<boolean> {
  if (env['PAWL_URL']) return false;
  const nodes = await listEndpoints(dataFolder(env));
  return nodes.length > 0 && nodes.every((node) => node.etcd !== undefined && !node.http);
}

function statusText(view: ClusterView): string {
  const nodes = table(
    ['node', 'state', 'shards', 'since', 'address', 'problem'],
    view.nodes.map(({ id, state, shards, since, address, problem }) => [
      id,
      state,
      shards,
      since,
      address,
      problem,
    ]),
  );
  const shards = table(
    ['shard', 'owner', 'token', 'serving', 'since'],
    view.shards.map(({ shard, owner, fencingToken, serving, since }) => [
      shard,
      owner,
      fencingToken,
      serving ? 'yes' : 'no',
      since,
    ]),
  );
  const { leader, term, revision, members } = view.quorum;
  const serving = view.shards.filter((shard) => shard.serving).length;
  return [
    `${view.installation}\n${nodes}`,
    `quorum: ${members.join(', ')}; leader ${leader ?? 'none'}, term ${term}, revision ${revision}${lagText(view)}\n`,
    `shards: ${serving} of ${view.shards.length} served\n${shards}`,
  ].join('');
}

/** Who of the quorum is behind its leader; nothing where nobody is, or another node leads. */
function lagText({ quorum }: ClusterView): string {
  const late = (quorum.replication ?? []).filter(({ behind }) => behind > 0);
  return late.map(({ id, behind }) => `; ${id} is ${behind} entries behind`).join('');
}

async function showMembers(context: CliContext, flags: ReachFlags): Promise<void> {
  const members = await (await Quorum.reach(context.env, flags)).members();
  const rows = members.map((member) => ({
    id: numberText(member.number),
    name: member.name,
    role: roleOf(member, members),
    peerAddress: member.peerAddress,
    clientAddresses: member.clientAddresses,
    answers: member.state !== null,
    term: numeric(member.state?.term),
    revision: numeric(member.state?.revision),
    appliedIndex: numeric(member.state?.appliedIndex),
    sizeBytes: numeric(member.state?.sizeBytes),
  }));
  print(context.terminal, context.format(), rows, () =>
    table(
      ['id', 'name', 'role', 'peers at', 'clients at', 'answers', 'term', 'revision', 'applied'],
      rows.map((row) => [
        row.id,
        row.name || null,
        row.role,
        row.peerAddress,
        row.clientAddresses.join(' ') || null,
        row.answers ? 'yes' : 'no',
        row.term,
        row.revision,
        row.appliedIndex,
      ]),
    ),
  );
}

/** JSON has no integers beyond 2^53; the store gives none. */
function numeric(value: bigint | undefined): number | null {
  return value === undefined ? null : Number(value);
}

function roleOf(member: ReachedMember, members: readonly ReachedMember[]): string {
  if (member.learner) return 'learner';
  return leaderOf(members)?.number === member.number ? 'leader' : 'voter';
}

/** Whom most recently a member called its leader; the newest term counts. */
function leaderOf(members: readonly ReachedMember[]): ReachedMember | undefined {
  const states = members
    .flatMap(({ state }) => (state === null || state.leader === null ? [] : [state]))
    .sort((left, right) => Number(right.term - left.term));
  return members.find(({ number }) => number === states[0]?.leader);
}

async function add(
  context: CliContext,
  text: string,
  flags: ReachFlags & { readonly learner?: true },
): Promise<void> {
  const [id = '', peerAddress = ''] = text.split(/=(.*)/s);
  const address = parseHostPort(peerAddress);
  if (!NODE_ID.test(id) || address === undefined) {
    throw new CliError(
      `a new member is named id=host:port, such as node-4=10.0.0.4:7480, not ${text}`,
      EXIT.usage,
    );
  }
  const quorum = await Quorum.reach(context.env, flags);
  const learner = flags.learner === true;
  const { members } = await quorum
    .ask((client) => client.add({ id, peerAddress, learner }))
    .catch((error: unknown) =>
      Promise.reject(explainRefusal(error, { node: id, peerAddress }) as Error),
    );
  const command = `${ownCommand(context.env)} ${startWords(id, address, members)}`;
  print(context.terminal, context.format(), { id, peerAddress, learner, command }, () =>
    [
      `${id} is let in at ${peerAddress}${learner ? ' and will not vote' : '; it votes once it has caught up'}\n`,
      `start it with an empty data folder:\n  ${command}\n`,
    ].join(''),
  );
}

async function remove(context: CliContext, node: string, flags: ReachFlags): Promise<void> {
  const quorum = await Quorum.reach(context.env, flags);
  const { members } = await quorum.ask((client) => client.members());
  const member = findMember(members, node);
  const left = await quorum
    .ask((client) => client.remove(member.number))
    .catch((error: unknown) => Promise.reject(explainRefusal(error, { node }) as Error));
  const names = left.members.map(({ name, number }) => name || numberText(number));
  print(context.terminal, context.format(), { removed: node, members: names }, () =>
    [
      `${node} is no member any more; the quorum is ${names.join(', ')}\n`,
      `its data folder is of no more use: a node comes back by \`cluster add\` with an empty one\n`,
    ].join(''),
  );
}

async function transfer(context: CliContext, node: string, flags: ReachFlags): Promise<void> {
  const quorum = await Quorum.reach(context.env, flags);
  const members = await quorum.members();
  const target = findMember(members, node);
  const leader = leaderOf(members);
  const [address] = leader?.clientAddresses ?? [];
  if (leader === undefined || address === undefined) {
    throw new CliError('nobody leads the quorum: there is no leadership to hand over');
  }
  if (leader.number !== target.number) await quorum.moveLeader(address, target.number);
  print(context.terminal, context.format(), { leader: node }, () => `${node} leads\n`);
}
