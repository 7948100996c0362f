import { isReal, planFleet } from './lib/asked-fleet.mjs';
import { processorTime } from './lib/processor-time.mjs';
import { median, printTable } from './lib/report.mjs';
import { call, promote, startChild } from './lib/stack.mjs';
import { benchGates } from './gates.mjs';

/** It takes minutes until the owner knows all. */
const CONSUMERS = Number(process.env.BENCH_CONSUMERS ?? 10_000);
const REJECTING = 50;
const PASSES = 5;
/** Passes that wait as long as may be: nobody counts as silent because the machine is busy. */
const PATIENT_PASSES = 2;
const PATIENT_MS = 30_000;
const LIVE_WITHIN_MS = 300_000;
/** Who applied something would have said so by then. */
const TOLD_MS = 1_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a preflight finds and takes, and what the gates of a release cost the owner. */
export async function benchPreflight(stack) {
  await benchVotes(stack);
  await benchGates(stack);
}

async function benchVotes(stack) {
  const address = 'asked/app';
  const plan = planFleet(CONSUMERS, REJECTING);
  await call(stack.url, 'PUT', `/v1/config/${address}`, { bad: false, text: 'x'.repeat(900) });
  await promote(stack.url, address);
  const fleet = startChild('preflight-fleet.mjs', [
    ...[stack.natsUrl, address, String(CONSUMERS), String(REJECTING)],
  ]);
  const passes = [];
  const patient = [];
  try {
    await fleet.receive();
    await allLive(stack, address);
    const path = `/v1/config/${address}`;
    const bad = { bad: true, text: 'x'.repeat(900) };
    await call(stack.url, 'PUT', path, bad, { 'if-match': '*' });
    for (let pass = 0; pass < PASSES; pass += 1) {
      passes.push(await onePreflight({ stack, fleet, address, plan, request: {} }));
    }
    for (let pass = 0; pass < PATIENT_PASSES; pass += 1) {
      const request = { timeoutMs: PATIENT_MS };
      patient.push(await onePreflight({ stack, fleet, address, plan, request }));
    }
  } finally {
    await fleet.stop();
  }
  printVotes(plan, passes, patient);
}

async function onePreflight({ stack, fleet, address, plan, request }) {
  const before = await tell(fleet);
  const ownerBefore = await processorTime(stack);
  const startedAt = performance.now();
  const answer = await call(stack.url, 'POST', `/v1/preflight/${address}`, request);
  const seconds = (performance.now() - startedAt) / 1_000;
  const ownerMs = (await processorTime(stack)) - ownerBefore;
  await pause(TOLD_MS);
  const after = await tell(fleet);
  const named = new Set(answer.rejections.map(({ consumerId }) => consumerId));
  const wanted = new Set(plan.filter(({ rejects }) => rejects).map(({ consumerId }) => consumerId));
  return {
    ...{ seconds, ownerMs, fleetMs: after.cpuMs - before.cpuMs },
    right: [...named].filter((one) => wanted.has(one)).length,
    others: [...named].filter((one) => !wanted.has(one)).length,
    accepted: answer.consumers.accepted,
    unheard: answer.consumers.silent + answer.consumers.cannotSay,
    changed: after.applied - before.applied,
  };
}

function printVotes(plan, passes, patient) {
  const real = plan.filter(isReal).length;
  const over = (all, key) => all.map((pass) => pass[key]);
  const row = (what, key) => [
    ...[what, median(over(passes, key)), Math.max(...over(passes, key))],
    Math.max(...over(patient, key)),
  ];
  printTable(
    `A preflight of ${CONSUMERS} consumers on three builds (${real} of the SDK, the others on the wire as it), ` +
      `one build rejects on ${REJECTING}; ${PASSES} passes with the time that is preset, ` +
      `${PATIENT_PASSES} with ${PATIENT_MS / 1_000} s`,
    ['what', 'median', 'most', `most with ${PATIENT_MS / 1_000} s`],
    [
      row('seconds until it is answered (aim: below 3)', 'seconds'),
      row('processor time of the owner, ms', 'ownerMs'),
      row('processor time of all consumers, ms', 'fleetMs'),
      row('accepted', 'accepted'),
      row('silent, or cannot say', 'unheard'),
      row('instances that applied something (aim: 0)', 'changed'),
    ],
  );
  for (const [name, all] of [
    ['preset', passes],
    [`${PATIENT_MS / 1_000} s`, patient],
  ]) {
    const least = Math.min(...over(all, 'right'));
    const others = Math.max(...over(all, 'others'));
    console.log(`  ${name}: named ${least} of ${REJECTING}, others ${others}`);
  }
}

async function tell(fleet) {
  fleet.send({ tell: true });
  return fleet.receive();
}

/** Once the owner knows everybody, and what they run. */
async function allLive({ url }, address) {
  const untilMs = performance.now() + LIVE_WITHIN_MS;
  while (performance.now() < untilMs) {
    const { consumers, converged } = await call(url, 'GET', `/v1/rollout/${address}`);
    if (converged && consumers.live === CONSUMERS) return;
    await pause(200);
  }
  throw new Error(`${address} did not have ${CONSUMERS} consumers in time`);
}
