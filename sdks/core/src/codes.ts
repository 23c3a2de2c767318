// Made by `python protocol/generate.py` from relay/core/errors.py: change that file, not this one.

/** Every outcome a request can have instead of a result (protocol, section 7). */
export const OUTCOMES: Readonly<Record<string, { number: number; status: number; retryable: boolean; message: string }>> = {
  app_error: { number: 1, status: 422, retryable: false, message: 'The function failed; the message is its own.' },
  no_such_function: { number: 2, status: 404, retryable: false, message: 'No back end has registered a function of this name.' },
  no_such_peer: { number: 3, status: 404, retryable: false, message: 'Nobody with this session or connection is here.' },
  no_server_online: { number: 4, status: 503, retryable: true, message: 'The function is known, but none of its servers is connected.' },
  server_busy: { number: 5, status: 429, retryable: true, message: 'Every server of the function has all the calls it takes.' },
  rejected: { number: 6, status: 403, retryable: false, message: 'An interceptor of the back end refused the call.' },
  callee_lost: { number: 7, status: 502, retryable: true, message: "The server's connection ended before it answered; it may have run the call." },
  connection_lost: { number: 8, status: 502, retryable: true, message: 'Your own connection ended before the answer came (told by the SDK).' },
  deadline_exceeded: { number: 9, status: 504, retryable: true, message: "No answer came before the call's deadline." },
  cancelled: { number: 10, status: 499, retryable: false, message: 'The caller cancelled the call.' },
  invalid_arguments: { number: 11, status: 422, retryable: false, message: 'The data does not fit what the function takes.' },
  payload_too_large: { number: 12, status: 413, retryable: false, message: 'The frame or body is larger than the limit.' },
  unauthorized: { number: 13, status: 401, retryable: false, message: 'The key, project or password is wrong.' },
  forbidden: { number: 14, status: 403, retryable: false, message: 'This peer may not do that.' },
  rate_limited: { number: 15, status: 429, retryable: true, message: 'Too many requests; wait for `retry_after` ms.' },
  quota_exceeded: { number: 16, status: 429, retryable: true, message: "The plan's requests of this month are used up." },
  bad_frame: { number: 17, status: 400, retryable: false, message: 'The frame or request is not what the protocol asks for.' },
  relay_unavailable: { number: 18, status: 503, retryable: true, message: 'The relay cannot serve this now; try again.' },
};

/** Every close code of the relay, and whether connecting again can help (protocol, section 7). */
export const CLOSE_CODES: Readonly<Record<number, { name: string; reconnect: boolean; message: string }>> = {
  1007: { name: 'not_utf8', reconnect: false, message: 'A text frame was not valid UTF-8.' },
  1009: { name: 'unreadable_size', reconnect: false, message: 'A frame was larger than the server reads at all.' },
  1012: { name: 'restarting', reconnect: true, message: 'The relay restarts; connect again.' },
  4400: { name: 'bad_frame', reconnect: false, message: 'A frame could not be read, or the first one was no good hello.' },
  4401: { name: 'unauthorized', reconnect: false, message: 'The key, project or password is wrong.' },
  4403: { name: 'forbidden', reconnect: false, message: "The page's origin, or this kind of key, is not allowed here." },
  4408: { name: 'no_hello', reconnect: true, message: 'No hello came in time.' },
  4409: { name: 'no_pong', reconnect: true, message: 'No pong came in time.' },
  4410: { name: 'revoked', reconnect: false, message: 'The key was revoked, or the project is gone.' },
  4411: { name: 'token_expired', reconnect: true, message: "The user's token has expired; come back with a new one." },
  4413: { name: 'payload_too_large', reconnect: false, message: 'More was sent before the welcome than may be.' },
  4429: { name: 'rate_limited', reconnect: true, message: 'Too many connections or frames; come back later.' },
  4430: { name: 'slow_consumer', reconnect: true, message: 'Too much waited to be read by this client.' },
};
