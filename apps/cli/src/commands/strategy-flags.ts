import { parseJson, STRATEGY_NAMES, strategySchema } from '@pawl/contracts';
import type { Strategy, StrategyName } from '@pawl/contracts';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { readValue } from '../read-value.js';
import { parseBake } from './duration.js';

/** What `promote` takes to release in stages. */
export interface StrategyFlags {
  readonly strategy?: string;
  readonly strategyFile?: string;
  readonly percent?: number;
  readonly step?: number;
  readonly start?: number;
  readonly factor?: number;
  readonly bake?: number;
  readonly finalBake?: number;
}

interface NumberFlag {
  readonly flag: Exclude<keyof StrategyFlags, 'strategy' | 'strategyFile'>;
  /** As it is typed. */
  readonly option: string;
  /** Its name in the strategy that is sent. */
  readonly key: string;
  readonly of: readonly StrategyName[];
}

const STAGED: readonly StrategyName[] = ['canary', 'linear', 'exponential'];
const NUMBER_FLAGS: readonly NumberFlag[] = [
  { flag: 'percent', option: '--percent', key: 'percent', of: ['canary'] },
  { flag: 'step', option: '--step', key: 'stepPercent', of: ['linear'] },
  { flag: 'start', option: '--start', key: 'startPercent', of: ['exponential'] },
  { flag: 'factor', option: '--factor', key: 'factor', of: ['exponential'] },
  { flag: 'bake', option: '--bake', key: 'bakeMs', of: STAGED },
  { flag: 'finalBake', option: '--final-bake', key: 'finalBakeMs', of: STRATEGY_NAMES },
];

/** Adds the options that {@link strategyOf} reads. */
export function addStrategyOptions(command: Command): Command {
  return command
    .option('--strategy <name>', `in stages, or to everybody: ${STRATEGY_NAMES.join(', ')}`)
    .option('--percent <share>', 'canary: share of the second stage; else 10%', parsePercent)
    .option('--step <share>', 'linear: what each stage adds; else 20%', parsePercent)
    .option('--start <share>', 'exponential: share of the first stage; else 1%', parsePercent)
    .option('--factor <n>', 'exponential: how much each stage grows; else 3', parseFactor)
    .option('--bake <duration>', 'how long each stage is watched; else 5m', parseBake)
    .option(
      '--final-bake <duration>',
      'how long the last one is; else 10m, all-at-once: none',
      parseBake,
    )
    .option('--strategy-file <file>', 'a strategy written out, JSON or YAML; - for standard input');
}

/**
 * The strategy that the options stand for; `undefined` without any. Throws a CliError for options that
 * do not go together and for a file that no control plane would take.
 */
export async function strategyOf(
  { terminal }: CliContext,
  address: string,
  flags: StrategyFlags,
): Promise<Strategy | undefined> {
  const { strategy, strategyFile } = flags;
  const given = NUMBER_FLAGS.filter(({ flag }) => flags[flag] !== undefined);
  const [first] = given;
  if (strategyFile !== undefined) {
    const beside = strategy === undefined ? first?.option : '--strategy';
    if (beside !== undefined) {
      throw usage(`${beside} does not go with --strategy-file, which is the whole strategy`);
    }
    return readStrategy(address, strategyFile, await readValue(terminal, strategyFile));
  }
  if (first === undefined) return strategy;
  if (strategy === undefined) {
    throw usage(`${first.option} needs a strategy: --strategy ${first.of.join(' or ')}`);
  }
  const odd = given.find(({ of }) => !(of as readonly string[]).includes(strategy));
  if (odd !== undefined) {
    throw usage(`${strategy} takes no ${odd.option}, which is for ${odd.of.join(', ')}`);
  }
  const numbers = given.map(({ flag, key }) => [key, flags[flag]] as const);
  return { preset: strategy, ...Object.fromEntries(numbers) } as Strategy;
}

async function readStrategy(address: string, file: string, text: string): Promise<Strategy> {
  const name = file === '-' ? 'standard input' : file;
  const parsed = parseJson(text.replace(/^\uFEFF/, ''), { numbers: 'exact', address });
  if (!parsed.ok) throw usage(`${name}: ${parsed.problem.detail}`);
  // What judges it is large, and no other command needs it.
  const { compileShape } = await import('@pawl/contracts/validate');
  const [fault] = compileShape(strategySchema)(parsed.value);
  if (fault !== undefined) {
    throw usage(`${name}: ${fault.pointer === '' ? 'a strategy' : fault.pointer} ${fault.message}`);
  }
  return parsed.value as Strategy;
}

/** `10`, `10%`, `0.5%`: per cent. */
function parsePercent(text: string): number {
  const percent = Number(/^([0-9]{1,3}(?:\.[0-9]{1,2})?)%?$/.exec(text)?.[1]);
  if (!(percent > 0 && percent <= 100)) {
    throw new InvalidArgumentError('a share is above 0% and at most 100%');
  }
  return percent;
}

function parseFactor(text: string): number {
  const factor = Number(/^[0-9]{1,3}(?:\.[0-9]{1,6})?$/.exec(text)?.[0]);
  if (!(factor > 1 && factor <= 100)) {
    throw new InvalidArgumentError('a factor is above 1 and at most 100');
  }
  return factor;
}

function usage(message: string): CliError {
  return new CliError(message, EXIT.usage);
}
