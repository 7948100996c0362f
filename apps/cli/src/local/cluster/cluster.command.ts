import type { ClusterView } from '@pawl/contracts';
import { listEndpoints } from '@pawl/platform/local';
import type { Command } from 'commander';
import type { CliContext } from '../../context.js';
import { print, table } from '../../output.js';
import { dataFolder } from '../data-folder.js';
import type { ReachFlags } from './reach-quorum.js';

interface StatusFlags extends ReachFlags {
  readonly shards?: true;
}

/** `pawl cluster`: nodes, quorum and shards, and changes of the quorum's membership. */
export function addCluster(program: Command, context: CliContext): void {
  const cluster = program
    .command('cluster')
    .description('nodes, quorum and shards; members of the quorum and their changes')
    .action(() => showStatus(context, {}));
  reaching(cluster.command('status'))
    .description('nodes, quorum and shards, of the control plane; with --endpoint the quorum alone')
    .option('--shards', 'list every shard; else only those that are not well')
    .action((flags: StatusFlags) => showStatus(context, flags));
  reaching(cluster.command('members'))
    .description('members of the quorum: who leads, who learns, who answers')
    .action(async (flags: ReachFlags) => (await members()).showMembers(context, flags));
  reaching(cluster.command('add <id=host:port>'))
    .description('let a node in, which is then started with the command that this prints')
    .option('--learner', 'receive the log without voting')
    .action(async (member: string, flags: ReachFlags & { learner?: true }) =>
      (await members()).addMember(context, member, flags),
    );
  reaching(cluster.command('remove <node>'))
    .description('take a member out, running or lost for good: by its name, peer address or id')
    .action(async (node: string, flags: ReachFlags) =>
      (await members()).removeMember(context, node, flags),
    );
  reaching(cluster.command('transfer <node>'))
    .description('make a member the leader: by its name, peer address or id')
    .action(async (node: string, flags: ReachFlags) =>
      (await members()).transferLeadership(context, node, flags),
    );
}

/** Loaded when it is asked for: gRPC takes longer to load than most commands run. */
function members(): Promise<typeof import('./members.js')> {
  return import('./members.js');
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

async function showStatus(context: CliContext, flags: StatusFlags): Promise<void> {
  if (flags.endpoint !== undefined || (await isQuorumAlone(context))) {
    await (await members()).showMembers(context, flags);
    return;
  }
  const view = await (await context.client()).cluster();
  print(context.terminal, context.format(), view, () => statusText(view, flags));
}

/** What runs in this folder is a quorum member without a control plane. */
async function isQuorumAlone({ env }: CliContext): Promise<boolean> {
  if (env['PAWL_URL']) return false;
  const nodes = await listEndpoints(dataFolder(env));
  return (
    nodes.length > 0 &&
    nodes.every(({ etcd, processes }) => etcd !== undefined && !('controlPlane' in processes))
  );
}

function statusText(view: ClusterView, flags: StatusFlags): string {
  const served = view.shards.filter(({ serving }) => serving);
  const nodes = table(
    ['node', 'state', 'serves', 'since', 'address', 'problem'],
    view.nodes.map(({ id, state, since, address, problem, stale }) => [
      id,
      stale === true ? `not known (was ${state})` : state,
      served.filter(({ owner }) => owner === id).length,
      since,
      address,
      problem,
    ]),
  );
  const { leader, term, revision, learners = [], addresses } = view.quorum;
  const members = view.quorum.members.map((id) => (learners.includes(id) ? `${id} (learner)` : id));
  // Members of etcd are nodes of its own.
  const missing = (addresses ?? []).filter(({ id }) => !view.nodes.some((node) => node.id === id));
  return [
    `${view.installation}\n${nodes}`,
    missing.length === 0
      ? ''
      : `missing: ${missing.map(({ id }) => id).join(', ')} (in the quorum, without a control plane that lives)\n`,
    `quorum: ${members.join(', ')}; leader ${leader ?? 'none'}, term ${term}, revision ${revision}${lagText(view)}\n`,
    leader === null ? NO_LEADER : '',
    `shards: ${served.length} of ${view.shards.length} served${leader === null ? ' when last known' : ''}${behindText(view)}\n`,
    shardsText(
      flags.shards === true
        ? view.shards
        : view.shards.filter((shard) => stateOf(shard) !== SERVED),
    ),
  ].join('');
}

/** Only a majority ends leases: without one, who is gone still counts as there. */
const NO_LEADER =
  'NO MAJORITY of the quorum answers: nodes and shards are as they were known last, and nothing moves\n';

type Shard = ClusterView['shards'][number];

const SERVED = 'served';

function shardsText(shards: readonly Shard[]): string {
  if (shards.length === 0) return '';
  return table(
    ['shard', 'owner', 'token', 'state', 'since'],
    shards.map((shard) => [
      shard.shard,
      shard.owner,
      shard.fencingToken,
      stateOf(shard),
      shard.since,
    ]),
  );
}

function stateOf({ owner, serving, behind }: Shard): string {
  if (owner === null) return 'no owner';
  if (!serving) return 'not served';
  return behind === undefined ? SERVED : 'read-only';
}

/** How many shards can only be read; nothing where none is. */
function behindText({ shards }: ClusterView): string {
  const readOnly = shards.filter(({ behind }) => behind !== undefined).length;
  if (readOnly === 0) return '';
  return `; ${readOnly} ${readOnly === 1 ? 'is' : 'are'} read-only: PostgreSQL lacks what was seen elsewhere, see pawl restore status`;
}

/** Who of the quorum is behind its leader; nothing where nobody is, or another node leads. */
function lagText({ quorum }: ClusterView): string {
  const late = (quorum.replication ?? []).filter(({ behind }) => behind > 0);
  return late.map(({ id, behind }) => `; ${id} is ${behind} entries behind`).join('');
}
