import type { Configuration } from '@pawl/raft/core';

/** `voters a b c, learners d`; a joint one names those that leave too. */
export function configurationText(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext } = configuration;
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ['voters', voters],
    ['voters before', outgoing],
    ['learners', learners],
    ['learners next', learnersNext],
  ];
  const shown = parts.filter(([, ids]) => ids.length > 0);
  return shown.map(([what, ids]) => `${what} ${ids.join(' ')}`).join(', ') || 'nobody';
}
