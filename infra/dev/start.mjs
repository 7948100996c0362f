#!/usr/bin/env node
// `npm start`. This file parses on any Node, so that one that is too old hears so in one sentence.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Error: Pawl needs Node 20.19 or newer, this is ${process.versions.node}: install a newer one (nodejs.org).`,
  );
  process.exitCode = 1;
} else {
  import('./lib/launcher.mjs')
    .then(({ launch }) => launch(process.argv.slice(2)))
    .then((code) => process.exit(code));
}
