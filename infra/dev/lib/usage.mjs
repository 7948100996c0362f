/** What `--help` prints of the scripts that build first: it is to come at once, on a bare clone too. */

export const CHAOS = `Usage: npm run chaos [-- --minutes M] [--times N] [--seed N] [--only FAULT] [--book FILE] [-o json]

Three control planes, PostgreSQL, nats-server and consumers of the SDK, each in processes of their
own, are harmed in turn while writers race; what everybody was told and saw is judged after each harm.
  --minutes M    how long (default 10)
  --times N      ends after each fault came so many times, whatever the time
  --seed N       of the first case (default: by chance); fault, targets and times follow from it
  --only FAULT   that fault, or those with this in their name
  --book FILE    goes on with the cases that FILE holds, a JSON line each, and adds its own
  --list         names every fault and says what it does
  --consumers N  how many (default 200)
  --scopes N     how many scopes the writers race on (default 50)
  -o json        the report as JSON, on standard output`;

export const CHAOS_QUORUM = `Usage: npm run chaos:quorum [-- --minutes M] [--seed N] [--nodes N] [--only NAME] [--etcd PROGRAM]

Runs clients against a quorum of processes that are harmed in turn, and judges all that they saw.
  --minutes M     how long (default 10)
  --seed N        of the first history (default: by chance); its faults and its requests follow from it
  --histories N   ends after so many, whatever the time
  --nodes N       1, 3, 5 or 7 (default: 3 and 5 by turns)
  --only NAME     only faults with this in their name (--only ? lists them)
  --etcd PROGRAM  a real etcd in the place of pawl quorum`;

export const SIM = `Usage: npm run sim [-- --seed N | --minutes M] [--of WORLD] [--events N]

Runs simulated worlds and checks their invariants after every step; ends with 1 at the first broken one.
  --seed N     replays that seed
  --minutes M  how long fresh seeds are run, all worlds together (default 1)
  --of WORLD   log: the consensus core; quorum: its members with clients; nodes: the whole with
               consumers and writers; releases: the same with releases in stages; all (default)
  --events N   of a seed (default 20000)`;

export const TEST = `Usage: npm test [-- --node24] [-- FILE … and other arguments of vitest run]

Installs what it needs and builds, then runs lint, types and every test; ends with N passed, N failed.
  FILE …    runs only the tests in these files, without lint and types
  --node24  repeats the unit tests on Node 24, which npx fetches`;

/**
 * Prints the text where help is asked for, which is all that is to be done then.
 *
 * @param {string} text
 * @param {readonly string[]} args
 */
export function printUsage(text, args) {
  const asked = args.includes('--help') || args.includes('-h');
  if (asked) console.log(text);
  return asked;
}
