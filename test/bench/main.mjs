import { cpus } from 'node:os';
import { benchFanOut } from './fan-out.mjs';
import { benchFlip } from './flip.mjs';
import { startStack } from './lib/stack.mjs';
import { benchNodes } from './nodes.mjs';
import { benchPreflight } from './preflight.mjs';
import { benchPut } from './put.mjs';
import { benchReads } from './reads.mjs';
import { benchRecompute } from './recompute.mjs';
import { benchReleases } from './releases.mjs';
import { benchWire } from './wire.mjs';

const BENCHES = {
  put: benchPut,
  fanout: benchFanOut,
  reads: benchReads,
  recompute: benchRecompute,
  wire: benchWire,
  releases: benchReleases,
  preflight: benchPreflight,
  flip: benchFlip,
  nodes: benchNodes,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'processor'}; absolute times drift, ratios are what counts`,
);
const stack = await startStack();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
}
try {
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    process.stderr.write(`… ${name}\n`);
    await bench(stack);
  }
} finally {
  await stack.stop();
}
