import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isWebhookSecret, signWebhook } from './sign-webhook.js';

/** The example that the specification of Standard Webhooks is tested with everywhere. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const MESSAGE = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  sentAtMs: 1_614_265_330_999,
  body: '{"test": 2432232314}',
};

describe('signWebhook', () => {
  it('signs as others do', () => {
    expect(signWebhook(MESSAGE, [SECRET])).toEqual({
      'webhook-id': MESSAGE.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('signs with each of several secrets, and not at all without one', () => {
    const other = `whsec_${randomBytes(32).toString('base64')}`;
    const both = signWebhook(MESSAGE, [other, SECRET])['webhook-signature'] ?? '';
    expect(both.split(' ')).toEqual([
      signWebhook(MESSAGE, [other])['webhook-signature'],
      signWebhook(MESSAGE, [SECRET])['webhook-signature'],
    ]);
    expect(signWebhook(MESSAGE, [])).not.toHaveProperty('webhook-signature');
  });

  it('signs the bytes of the body', () => {
    const of = (body: string): unknown => signWebhook({ ...MESSAGE, body }, [SECRET]);
    expect(of('"ä"')).not.toEqual(of('"a"'));
  });
});

describe('isWebhookSecret', () => {
  const of = (bytes: number): string => `whsec_${randomBytes(bytes).toString('base64')}`;

  it.each([SECRET, of(24), of(64)])('takes %s', (secret) => {
    expect(isWebhookSecret(secret)).toBe(true);
  });

  it.each(['', 'whsec_', 'hunter2', SECRET.slice(6), of(23), of(65), `${SECRET} `, 'whsec_ä'])(
    'refuses %s',
    (secret) => expect(isWebhookSecret(secret)).toBe(false),
  );
});
