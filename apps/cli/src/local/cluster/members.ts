import { parseHostPort } from '@pawl/platform';
import type { CliContext } from '../../context.js';
import { CliError, EXIT } from '../../exit-codes.js';
import { print, table } from '../../output.js';
import { ownCommand } from '../../own-command.js';
import { explainRefusal } from './explain-refusal.js';
import { startWords } from './start-words.js';
import { findMember, numberText, Quorum } from './reach-quorum.js';
import type { ReachedMember, ReachFlags } from './reach-quorum.js';

const NODE_ID = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** `cluster members`: who leads, who learns, who answers. */
export async function showMembers(context: CliContext, flags: ReachFlags): Promise<void> {
  const members = await (await Quorum.reach(context, flags)).members();
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

/** `cluster add`: lets a node in, and tells the command that starts it. */
export async function addMember(
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
  const quorum = await Quorum.reach(context, flags);
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

/** `cluster remove`: takes a member out. */
export async function removeMember(
  context: CliContext,
  node: string,
  flags: ReachFlags,
): Promise<void> {
  const quorum = await Quorum.reach(context, flags);
  const { members } = await quorum.ask((client) => client.members({ withIds: true }));
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

/** `cluster transfer`: makes a member the leader. */
export async function transferLeadership(
  context: CliContext,
  node: string,
  flags: ReachFlags,
): Promise<void> {
  const quorum = await Quorum.reach(context, flags);
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
