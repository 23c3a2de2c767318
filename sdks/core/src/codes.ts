// Made by `python protocol/generate.py` from relay/core/errors.py: change that file, not this one.

/** Every outcome a request can have instead of a result (protocol, section 7). */
export const OUTCOMES: Readonly<Record<string, { number: number; status: number; retryable: boolean; message: string }>> = {
  app_error: { number: 1, status: 422, retryable: false, message: 'The function failed.' },
  no_such_function: { number: 2, status: 404, retryable: false, message: 'No server has registered this function.' },
  no_such_peer: { number: 3, status: 404, retryable: false, message: 'No such peer is connected.' },
  no_server_online: { number: 4, status: 503, retryable: true, message: 'No server of this function is online.' },
  server_busy: { number: 5, status: 429, retryable: true, message: 'All servers of this function are busy.' },
  rejected: { number: 6, status: 403, retryable: false, message: 'An interceptor refused the call.' },
  callee_lost: { number: 7, status: 502, retryable: false, message: 'The server went away during the call.' },
  connection_lost: { number: 8, status: 502, retryable: false, message: 'The connection ended during the call.' },
  deadline_exceeded: { number: 9, status: 504, retryable: false, message: 'No answer came before the deadline.' },
  cancelled: { number: 10, status: 499, retryable: false, message: 'The caller cancelled the call.' },
  invalid_arguments: { number: 11, status: 422, retryable: false, message: 'The arguments are not what is expected.' },
  payload_too_large: { number: 12, status: 413, retryable: false, message: 'The frame is larger than the limit.' },
  unauthorized: { number: 13, status: 401, retryable: false, message: 'The key or the password is wrong.' },
  forbidden: { number: 14, status: 403, retryable: false, message: 'This is not allowed here.' },
  rate_limited: { number: 15, status: 429, retryable: true, message: 'Too many requests.' },
  quota_exceeded: { number: 16, status: 429, retryable: false, message: 'The plan has no requests left this month.' },
  bad_frame: { number: 17, status: 400, retryable: false, message: 'The frame is malformed.' },
  relay_unavailable: { number: 18, status: 503, retryable: true, message: 'The relay cannot be reached.' },
};

/** Every close code of the relay, and whether connecting again can help (protocol, section 7). */
export const CLOSE_CODES: Readonly<Record<number, { name: string; reconnect: boolean; message: string }>> = {
  1007: { name: 'not UTF-8', reconnect: false, message: 'A text frame was not UTF-8.' },
  1009: { name: 'beyond the read limit', reconnect: false, message: 'A frame was larger than the relay reads at all.' },
  1012: { name: 'restarting', reconnect: true, message: 'The relay restarts.' },
  4400: { name: 'bad frame', reconnect: false, message: 'A frame could not be read.' },
  4401: { name: 'unauthorized', reconnect: false, message: 'The project, key or password is wrong.' },
  4403: { name: 'forbidden', reconnect: false, message: 'This origin or key is not allowed.' },
  4408: { name: 'no hello', reconnect: true, message: 'No hello came in time.' },
  4409: { name: 'no pong', reconnect: true, message: 'No pong came in time.' },
  4410: { name: 'revoked', reconnect: false, message: 'The key was revoked, or the project is gone.' },
  4411: { name: 'token expired', reconnect: false, message: 'The token has expired.' },
  4413: { name: 'too large', reconnect: false, message: 'A frame was too large.' },
  4429: { name: 'too fast', reconnect: true, message: 'Too many frames or connections.' },
  4430: { name: 'slow consumer', reconnect: true, message: 'The client read too slowly.' },
};
