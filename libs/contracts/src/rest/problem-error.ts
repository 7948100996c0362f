/** One thing that is wrong, in answers and problems. */
export const problemErrorSchema = {
  type: 'object',
  required: ['address', 'pointer', 'message'],
  properties: {
    address: { type: 'string' },
    pointer: { type: 'string' },
    keyword: { type: 'string' },
    message: { type: 'string' },
  },
} as const;
