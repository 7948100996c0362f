/** A place in the core's sources, and what a bug makes of it. `text` occurs there exactly once. */
export interface Edit {
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
}

/** A classic mistake, to be planted in a copy of the core: the simulation must find it. */
export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly Edit[];
}

function bug(name: string, ...edits: readonly Edit[]): PlantedBug {
  return { name, edits };
}

function inCore(text: string, replacement: string): Edit {
  return { file: 'raft-core.ts', text, replacement };
}

function inFollow(text: string, replacement: string): Edit {
  return { file: 'follow.ts', text, replacement };
}

function inLeader(text: string, replacement: string): Edit {
  return { file: 'leader.ts', text, replacement };
}

function inLog(text: string, replacement: string): Edit {
  return { file: 'raft-log.ts', text, replacement };
}

function inReads(text: string, replacement: string): Edit {
  return { file: 'read-rounds.ts', text, replacement };
}

function inConfiguration(text: string, replacement: string): Edit {
  return { file: 'configuration.ts', text, replacement };
}

function inWork(text: string, replacement: string): Edit {
  return { file: 'work.ts', text, replacement };
}

const ELECTIONS: readonly PlantedBug[] = [
  bug('pre-vote raises the term', inCore("if (message.type === 'pre-vote') return true;", '')),
  bug(
    'vote answered before it is durable',
    inCore(
      "this.#promise({ type: 'vote-response', to: from, granted });",
      "this.#send({ type: 'vote-response', to: from, granted });",
    ),
  ),
  bug(
    'own vote counted before it is durable',
    inCore("if (type === 'vote') return;\n    this.#votes.set", 'this.#votes.set'),
    inCore('assert(this.#work.durableTerm === this.#term,', 'assert(this.#term > 0,'),
    inCore('else if (this.#work.durableTerm === this.#term) this.#lead();', 'else this.#lead();'),
  ),
  bug(
    'vote forgotten by a restart',
    inCore('this.#vote = state.hardState.vote;', 'this.#vote = null;'),
  ),
  bug(
    'two votes in one term',
    inCore('(this.#vote === null && this.#leader === null) ||', 'this.#leader === null ||'),
  ),
  bug(
    'vote for a log that lacks entries',
    inCore('&& this.#log.isUpToDate(lastIndex, lastTerm);', ';'),
  ),
  bug(
    'vote for the longer log, whatever its last term',
    inLog('if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;', ''),
  ),
  bug(
    'vote of an earlier term counted',
    inCore(
      'if (message.term < this.#term) this.#meetLowerTerm(message);',
      "if (message.term < this.#term && message.type !== 'vote-response') this.#meetLowerTerm(message);",
    ),
  ),
  bug(
    'half of an even number elects',
    inConfiguration('Math.floor(nodes.length / 2) + 1;', 'Math.ceil(nodes.length / 2);'),
  ),
  bug('learner campaigns', inCore('return votes && !installing', 'return !installing')),
  bug(
    'removed node disturbs: a heard leader does not protect',
    inCore('if (hearsLeader && !message.transfer) return false;', ''),
  ),
  bug(
    'no pre-vote',
    inCore(
      "&& this.#mayCampaign) this.#campaign('pre-vote')",
      "&& this.#mayCampaign) this.#campaign('vote')",
    ),
  ),
  bug(
    'leader without a quorum stays',
    inLeader('if (!this.#hearsQuorumOf(this.#options.log.configuration)) return false;', ''),
  ),
  bug(
    'leader whose disk hangs stays',
    inCore('if (helpless || !this.#leading.tick())', 'if (!this.#leading.tick())'),
  ),
];

const REPLICATION: readonly PlantedBug[] = [
  bug(
    'everything in the log taken for committed at the start',
    inCore(
      'state.entries, state.hardState.commit)',
      'state.entries, state.entries.at(-1)?.index ?? state.hardState.commit)',
    ),
  ),
  bug(
    'what is not known to be committed forgotten by a restart',
    inLog(
      'for (const entry of entries) this.append(entry);',
      'for (const entry of entries) if (entry.index <= commit) this.append(entry);',
    ),
  ),
  bug(
    'entry of an earlier term committed by counting',
    inLeader(
      'if (index <= log.committed || log.termAt(index) !== term) return;',
      'if (index <= log.committed) return;',
    ),
  ),
  bug(
    'half of an even number commits',
    inConfiguration(
      'held[Math.floor(nodes.length / 2)]',
      'held[Math.floor((nodes.length - 1) / 2)]',
    ),
  ),
  bug(
    'majority less one commits',
    inConfiguration(
      'held[Math.floor(nodes.length / 2)]',
      'held[Math.max(0, Math.floor(nodes.length / 2) - 1)]',
    ),
  ),
  bug(
    'own entries counted before they are durable',
    inLeader('? log.stable :', '? log.lastIndex :'),
  ),
  bug(
    'append acknowledged before it is written',
    inCore(
      "return this.#promise({ type: 'append-response', to, ...takeAppend(log, message) });",
      "return this.#send({ type: 'append-response', to, ...takeAppend(log, message) });",
    ),
  ),
  bug(
    'hint of a refusal taken for an acknowledgement',
    inLeader(
      'progress.refused(message.index,',
      'progress.acknowledged(log.lastAtOrBelow(hint.index, hint.term));\n      progress.refused(message.index,',
    ),
  ),
  bug(
    'heartbeat commits beyond what matched',
    inLeader('Math.min(log.committed, progress.counted)', 'log.committed'),
  ),
  bug(
    'heartbeat answered before its term is durable',
    inCore(
      'if (this.#work.durableTerm === this.#term) this.#send(response);',
      'if (response) this.#send(response);',
    ),
  ),
  bug(
    'old append truncates entries that match',
    inLog(
      'entries.findIndex(({ index, term }) => !this.has(index, term));',
      'entries.length > 0 ? 0 : -1;',
    ),
  ),
  bug(
    'old append truncates committed entries',
    inLog(
      'entries.findIndex(({ index, term }) => !this.has(index, term));',
      'entries.length > 0 ? 0 : -1;',
    ),
    inLog("assert(index > this.#committed, 'what is committed is never replaced');", ''),
    inFollow('if (previousIndex < log.committed)', 'if (previousIndex < log.compacted.index)'),
  ),
  bug(
    'what replaced written entries is never written',
    inLog('this.#stable = Math.min(this.#stable, index - 1);', ''),
  ),
  bug(
    'write reported for entries that were replaced meanwhile',
    inWork('.findLast(({ index, term }) => this.#log.has(index, term))', '.at(-1)'),
    inLog(
      'this.#stable = Math.max(this.#stable, index);',
      'this.#stable = Math.max(this.#stable, Math.min(index, this.lastIndex));',
    ),
  ),
  bug(
    'written entries forgotten because later ones were replaced meanwhile',
    inWork(
      '.findLast(({ index, term }) => this.#log.has(index, term))',
      '.slice(-1).find(({ index, term }) => this.#log.has(index, term))',
    ),
  ),
];

const READS: readonly PlantedBug[] = [
  bug(
    'read without a quorum',
    inReads(
      'if (begun === null || !confirmed(begun.round)) return [];',
      'if (begun === null) return [];',
    ),
  ),
  bug(
    'round confirmed by an older answer',
    inReads(
      '(this.#answers.get(node) ?? 0) >= round;',
      '(this.#answers.get(node) ?? 0) >= round - 1;',
    ),
  ),
  bug(
    'read joins a round that is out already',
    inReads('this.#unbegun.push(read);', '(this.#begun?.reads ?? this.#unbegun).push(read);'),
  ),
  bug(
    'read before the first commit of the term',
    inLeader('if (log.committed < this.#opening) return;', ''),
  ),
];

const MEMBERSHIP: readonly PlantedBug[] = [
  bug(
    'progress of a removed node kept',
    inLeader('if (!wanted.includes(node)) this.#progress.delete(node);', ''),
  ),
  bug(
    'second change begun while one is under way',
    inLeader(
      'const settling = isJoint(log.configuration) || log.configurationIndex > log.committed;',
      'const settling = isJoint(log.configuration);',
    ),
  ),
  bug(
    'learner counted',
    inLeader(
      'const index = quorumIndex(log.configuration, held);',
      `const { voters, learners } = log.configuration;
    const index = quorumIndex({ ...log.configuration, voters: [...voters, ...learners] }, held);`,
    ),
  ),
  bug(
    'joint configuration commits by its new half alone',
    inConfiguration('return Math.min(of(voters), of(outgoing));', 'return of(voters);'),
  ),
  bug(
    'joint configuration elects by its new half alone',
    inConfiguration('const results = [of(voters), of(outgoing)];', 'const results = [of(voters)];'),
  ),
  bug(
    'end of a change proposed before the joint configuration is committed',
    inLeader(
      'if (!isJoint(log.configuration) || log.configurationIndex > log.committed) return;',
      'if (!isJoint(log.configuration)) return;',
    ),
  ),
  bug(
    'configuration kept whose entry was truncated',
    inLog('this.#configurations = this.#configurations.filter((each) => each.index < index);', ''),
  ),
  bug(
    'configuration of the log ignored at the start',
    inLog(
      'this.#stable = this.lastIndex;\n    assert',
      'this.#configurations.length = 1;\n    this.#stable = this.lastIndex;\n    assert',
    ),
  ),
];

const SNAPSHOTS: readonly PlantedBug[] = [
  bug(
    'snapshot taken for applied before it is installed',
    inLog(
      'this.#uncommittedBytes = 0;\n    this.#committed = index;',
      'this.#uncommittedBytes = 0;\n    this.#committed = index;\n    this.#applied = mark;',
    ),
  ),
  bug(
    'configuration of a snapshot ignored',
    inLog(
      '[...committed, { index, configuration }]',
      '[...committed, { index, configuration: this.configuration }]',
    ),
  ),
  bug(
    'snapshot takes back what is committed',
    inFollow('if (snapshot.index <= log.committed)', 'if (snapshot.index <= log.compacted.index)'),
    inFollow('if (log.has(snapshot.index, snapshot.term)) {', 'if (log.installing) {'),
    inLog(
      "assert(mark.index > this.#committed, 'a snapshot never takes back what is committed');",
      '',
    ),
  ),
  bug(
    'snapshot deletes newer entries that match',
    inFollow('if (log.has(snapshot.index, snapshot.term)) {', 'if (log.installing) {'),
  ),
  bug(
    'snapshot keeps a suffix that conflicts',
    inLog(
      'this.#compacted = mark;\n    this.#entries = [];',
      `this.#entries = this.#entries.slice(Math.max(0, mark.index - this.#compacted.index));
    this.#compacted = mark;`,
    ),
  ),
  bug(
    'snapshot acknowledged before it is durable',
    inCore(
      "this.#promise({ type: 'append-response', to, index: log.committed });",
      "this.#send({ type: 'append-response', to, index: log.committed });",
    ),
  ),
];

/** In what is done while a write is outstanding, and in what is applied beside everything else. */
const AHEAD: readonly PlantedBug[] = [
  bug(
    'applied while writing: all that is durable, committed or not',
    inWork('this.#handOut(this.#log.applicable)', 'this.#handOut(this.#log.stable)'),
  ),
  bug(
    'applied while writing: what is not durable yet',
    inWork('this.#handOut(this.#log.applicable)', 'this.#handOut(this.#log.committed)'),
  ),
  bug(
    'applied twice: what is being applied already',
    inWork('this.#log.slice(this.#handedOutTo,', 'this.#log.slice(this.#log.applied,'),
  ),
  bug('applied, and not reported', inWork('this.#log.appliedTo(last);', '')),
  bug(
    'applied as soon as it is handed out',
    inWork(
      'this.#handedOutTo += entries.length;',
      `this.#handedOutTo += entries.length;
    const last = entries.at(-1);
    if (last !== undefined) this.#log.appliedTo(last);`,
    ),
    inLog('assert(index >= this.#applied.index && index', 'assert(index'),
  ),
  bug(
    'what is being applied counted as the time of the disk',
    inWork(
      'const waits = this.#outstanding !== null ||',
      'const waits = this.#outstanding !== null || this.#applying.length > 0 ||',
    ),
  ),
  bug(
    'all that is committed handed out at once',
    inWork('this.#applyingBytes < this.#maxApplyBytes;', 'this.#maxApplyBytes > 0;'),
    inWork('const room = this.#maxApplyBytes - this.#applyingBytes;', 'const room = Infinity;'),
  ),
  bug(
    'entries before an installed snapshot handed out after it',
    inWork('this.#handedOutTo = snapshot.index;', ''),
  ),
  bug(
    'read answered while writing as of what is applied',
    inWork(
      'return { committedEntries, reads };',
      'return { committedEntries, reads: reads.map(({ id }) => ({ id, index: this.#log.applied })) };',
    ),
  ),
  bug(
    'read answered while writing without a quorum',
    inCore('return this.#work.further(', 'this.#leading?.hurry();\n    return this.#work.further('),
    inLeader(
      '#confirmReads(): void {',
      'hurry(): void {\n    this.#confirmReads(true);\n  }\n\n  #confirmReads(hurried = false): void {',
    ),
    inLeader('this.#reads.take(confirmed)', 'this.#reads.take(hurried ? () => true : confirmed)'),
  ),
];

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...ELECTIONS,
  ...REPLICATION,
  ...READS,
  ...MEMBERSHIP,
  ...SNAPSHOTS,
  ...AHEAD,
];
