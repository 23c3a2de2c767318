import { RETRYABLE, SENTENCES } from './codes.ts';

/** What a GluerError may say beside its code. */
export interface ErrorFields {
  /** A sentence for people; default: the code's own sentence. */
  message?: string | undefined;
  /** Whether the same request may succeed later; default: as the code's table says. */
  retryable?: boolean | undefined;
  /** Milliseconds to wait before trying again. */
  retry_after?: number | undefined;
  /** Whatever the refusing side added, such as `{limit, used, resets_at}`. */
  data?: unknown;
}

/** The one error of the SDKs: an outcome of section 7 of the protocol. */
export class GluerError extends Error {
  override readonly name = 'GluerError';
  readonly code: string;
  readonly retryable: boolean;
  readonly retry_after: number | undefined;
  readonly data: unknown;

  constructor(code: string, fields: ErrorFields | string = {}) {
    const { message, retryable, retry_after, data } = typeof fields === 'string' ? { message: fields } : fields;
    super(message ?? SENTENCES[code] ?? code);
    this.code = code;
    this.retryable = retryable ?? RETRYABLE.includes(code);
    this.retry_after = retry_after;
    this.data = data;
  }
}

const MISTAKE = Symbol.for('gluer.mistake'); // the same in all copies of the SDKs that a process has loaded

/** A mistake in the program that uses the SDK: the sentence says what to do. */
export function mistake(message: string, code = 'invalid_arguments'): GluerError {
  return Object.defineProperty(new GluerError(code, message), MISTAKE, { value: true });
}

/** Whether mistake() made it: then it concerns this program, and nobody who calls it. */
export function isMistake(thrown: unknown): thrown is GluerError {
  return thrown instanceof Error && MISTAKE in thrown;
}

/** The error that an `error` frame or a problem+json body describes; what is missing or of a wrong type gets its default. */
export function errorFrom(fields: Record<string, unknown>, fallback = 'app_error'): GluerError {
  const { code, message, detail, retryable, retry_after, data } = fields;
  const sentence = [message, detail].find((text) => typeof text === 'string');
  return new GluerError(typeof code === 'string' ? code : fallback, {
    message: sentence,
    retryable: typeof retryable === 'boolean' ? retryable : undefined,
    retry_after: typeof retry_after === 'number' ? retry_after : undefined,
    data,
  });
}

/** The sentence of anything thrown. */
export function messageOf(thrown: unknown): string {
  try {
    const text: unknown = thrown instanceof Error ? thrown.message || thrown.name : thrown;
    if (typeof text === 'string') return text;
  } catch { /* its fields cannot be read */ }
  return 'Something that is no Error was thrown.';
}
