import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Prints the closing line that continuous integration reads: `N passed, N failed`. Where
 * `PAWL_TEST_COUNTS` names a file, the counts go there instead, for whoever adds them up.
 */
export default class PlainLineReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<unknown>): void {
    let passed = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      if (!module.ok() && module.errors().length > 0) failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        if (state === 'failed') failed += 1;
      }
    }
    const file = process.env['PAWL_TEST_COUNTS'];
    if (file === undefined) process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
    else writeFileSync(file, JSON.stringify({ passed, failed }));
  }
}
