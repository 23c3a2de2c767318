import { callAddress } from '../../core/src/address.ts';
import { errorFrom, GluerError, messageOf } from '../../core/src/errors.ts';
import { isRecord } from '../../core/src/frames.ts';
import type { Guard } from '../../core/src/events.ts';
import { checkKey, checkTimeout, GRACE, infoOf, replyOf, type CallOptions, type ProgressInfo, type Reply } from '../../core/src/requests.ts';
import { framesOf } from './event_stream.ts';

/** One call over HTTP. */
export interface HttpCall extends CallOptions {
  readonly url: string;
  readonly key: string;
  readonly session: string;
  readonly cmd: string;
  /** JSON text. */
  readonly data: string;
  /** Runs onProgress. */
  readonly guarded: Guard;
}

/** Makes a call by `POST /v1/call/{cmd}` (section 6): the same reply and the same errors as over the socket. */
export async function httpCall(call: HttpCall): Promise<Reply> {
  const timeout = Math.ceil(checkTimeout(call.timeout));
  checkKey(call.idempotencyKey);
  const ends = new AbortController();
  const timer = setTimeout(() => { ends.abort(new GluerError('deadline_exceeded')); }, timeout + GRACE);
  const cancel = (): void => { ends.abort(new GluerError('cancelled')); };
  call.signal?.addEventListener('abort', cancel);
  if (call.signal?.aborted) cancel();
  try {
    return await exchange(call, timeout, ends.signal);
  } catch (thrown) {
    throw outcomeOf(thrown, ends.signal, call.url);
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener('abort', cancel);
  }
}

async function exchange(call: HttpCall, timeout: number, signal: AbortSignal): Promise<Reply> {
  const { url, key, session, cmd, data, idempotencyKey, onProgress, guarded } = call;
  const response = await fetch(callAddress(url, cmd), {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${key}`,
      'Content-Type': 'application/json',
      'Gluer-Session': session,
      'Gluer-Timeout': String(timeout),
      ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
      ...(onProgress ? { 'Accept': 'text/event-stream' } : {}),
    },
    body: data,
    signal,
  });
  if (response.body && response.headers.get('Content-Type')?.startsWith('text/event-stream')) return outcomeIn(response.body, (report, info) => { guarded('onProgress', () => onProgress?.(report, info)); });
  const body = parsed(await response.text());
  if (response.ok && body) return replyOf(body);
  throw refusal(url, response, body);
}

/** Reads a stream of progress to its outcome. */
async function outcomeIn(body: ReadableStream<Uint8Array>, onProgress: (report: unknown, info: ProgressInfo) => void): Promise<Reply> {
  for await (const frame of framesOf(body)) {
    if (frame.type === 'progress') onProgress(frame['data'], infoOf(frame));
    else if (frame.type === 'result') return replyOf(frame);
    else if (frame.type === 'error') throw errorFrom(frame);
  }
  throw new GluerError('connection_lost', 'The answer ended before the outcome.');
}

/** The error of a problem+json body; what a proxy says instead means that the relay was not reached. */
function refusal(url: string, response: Response, body: Record<string, unknown> | undefined): GluerError {
  if (typeof body?.['code'] === 'string') return errorFrom({ ...headerFields(response), ...body });
  return new GluerError('relay_unavailable', `${url} answered with HTTP ${String(response.status)} and no outcome.`);
}

function headerFields(response: Response): Record<string, unknown> {
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  return Number.isFinite(seconds) ? { retry_after: seconds * 1_000 } : {};
}

/** What ended the exchange: the deadline, the caller, the relay; or the network, and nobody knows whether the call ran. */
function outcomeOf(thrown: unknown, signal: AbortSignal, url: string): GluerError {
  if (signal.aborted) return signal.reason as GluerError;
  if (thrown instanceof GluerError) return thrown;
  return new GluerError('connection_lost', `The HTTP request to ${url} failed: ${messageOf(thrown)}`);
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
