// Made by `python protocol/generate.py` from relay/core/errors.py: change that file, not this one.

/** The outcomes after which the same request may succeed later (protocol, section 7). */
export const RETRYABLE: readonly string[] = [
  'no_server_online',
  'server_busy',
  'callee_lost',
  'connection_lost',
  'deadline_exceeded',
  'rate_limited',
  'quota_exceeded',
  'relay_unavailable',
];

/** The sentences of the outcomes that a client itself raises. */
export const SENTENCES: Readonly<Record<string, string>> = {
  app_error: 'The function failed; the message is its own.',
  rejected: 'An interceptor of the back end refused the call.',
  connection_lost: 'Your own connection ended before the answer came (told by the SDK).',
  deadline_exceeded: "No answer came before the call's deadline.",
  cancelled: 'The caller cancelled the call.',
  invalid_arguments: 'The data does not fit what the function takes.',
  payload_too_large: 'The frame or body is larger than the limit.',
};

/** The outcomes that close codes stand for after which connecting again cannot help. */
export const FINAL_CLOSES: Readonly<Record<number, string>> = {
  1007: 'connection_lost',
  1009: 'connection_lost',
  4400: 'bad_frame',
  4401: 'unauthorized',
  4403: 'forbidden',
  4410: 'connection_lost',
  4413: 'payload_too_large',
};
