import { createLogger } from '@pawl/platform';
import { expect, it } from 'vitest';
import { CloseStack } from './close-stack.js';

it('closes in the reverse order, past parts that fail or hang, once', async () => {
  const lines: string[] = [];
  const closed: string[] = [];
  const logger = createLogger({
    level: 'warn',
    destination: { write: (line) => void lines.push(line) },
  });
  const stack = new CloseStack(logger, 20);
  stack.push('first', () => void closed.push('first'));
  stack.push('hangs', () => new Promise(() => undefined));
  stack.push('rejects', () => Promise.reject(new Error('broken')));
  stack.push('throws', () => {
    throw new Error('broken');
  });
  stack.push('last', async () => void closed.push('last'));
  await stack.closeAll();
  expect(closed).toEqual(['last', 'first']);
  expect(lines.map((line) => (JSON.parse(line) as { part: string }).part)).toEqual([
    'throws',
    'rejects',
    'hangs',
  ]);
  await stack.closeAll();
  expect(closed).toEqual(['last', 'first']);
});

it('closes one part after the other, also when it is asked twice', async () => {
  const events: string[] = [];
  const stack = new CloseStack(createLogger({ level: 'silent' }), 1_000);
  for (const name of ['first', 'second']) {
    stack.push(name, async () => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} ends`);
    });
  }
  await Promise.all([stack.closeAll(), stack.closeAll()]);
  expect(events).toEqual(['second begins', 'second ends', 'first begins', 'first ends']);
});
