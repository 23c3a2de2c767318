// Runs the functions that others call, here or in a page. Its rules:
// 1. A call is answered at most once, and only on the connection it came by.
// 2. A function that nothing stands before starts in the frame's own turn: calls of one caller start in order (GP-17).
// 3. No stack and no path leaves this process: only a thrown error's message does, and of a mistake in the program not even that.
import type { Context, Header } from './context.ts';
import { errorFrom, GluerError, isMistake, messageOf, mistake } from './errors.ts';
import { bytesOver, encode, type Frame } from './frames.ts';
import { payload } from './json.ts';
import { checkName } from './names.ts';

/** What runs, and where answers go. */
export interface CalleePorts {
  /** Bytes of a frame that the relay takes. */
  readonly frameLimit: number;
  write(text: string): void;
  /** Runs the command's function; its return, or promise, is the answer. Raises what the caller is told. */
  perform(cmd: string, data: unknown, context: Context): unknown;
  /** A function failed in a way that its author has to know. */
  failed(error: GluerError, cmd: string, thrown: unknown): void;
}

const MOST_RUNNING = 10_000; // calls and sends at once
const LONGEST_MESSAGE = 256; // bytes (section 3)
const OWN_CODES = new Set(['app_error', 'rejected', 'invalid_arguments']); // what a function may throw (GP-5A)
const HIDDEN = 'The function failed: why is told where it runs.';

interface Run {
  readonly cmd: string;
  /** Undefined for a send. */
  readonly id: string | undefined;
  readonly ends: AbortController;
}

/** Of one link. */
export class Callee {
  readonly #ports: CalleePorts;
  readonly #calls = new Map<string, Run>();
  #sends = 0; // that run
  #running = 0; // also those that nobody waits for any more
  #rest: (() => void) | undefined; // is called when nothing is left to wait for

  constructor(ports: CalleePorts) {
    this.#ports = ports;
  }

  /** Takes a `call`, `send` or `cancel` frame; others are ignored. */
  received(frame: Frame): void {
    const id = typeof frame['id'] === 'string' ? frame['id'] : undefined;
    if (frame.type === 'cancel') this.#cancel(id);
    else if (frame.type === 'send' || (frame.type === 'call' && id !== undefined)) void this.#take(frame, frame.type === 'call' ? id : undefined);
  }

  /** The connection ended: nobody waits for the answers any more. */
  abandon(): void {
    for (const { ends } of this.#calls.values()) ends.abort(new GluerError('connection_lost'));
    this.#calls.clear();
    this.#settle();
  }

  /** Whether a call waits for its answer, or a send runs. */
  get busy(): boolean {
    return this.#calls.size + this.#sends > 0;
  }

  /** Resolves when no call waits for its answer and no send runs. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#rest = resolve;
      this.#settle();
    });
  }

  #cancel(id = ''): void {
    this.#calls.get(id)?.ends.abort(new GluerError('cancelled'));
    this.#calls.delete(id);
    this.#settle();
  }

  #settle(): void {
    if (!this.busy) this.#rest?.();
  }

  async #take(frame: Frame, id: string | undefined): Promise<void> {
    const run: Run = { cmd: String(frame['cmd']), id, ends: new AbortController() };
    if (id === undefined) this.#sends++;
    else this.#calls.set(id, run);
    const context = this.#context(run, (frame['header'] ?? {}) as Header);
    this.#running++;
    try {
      if (this.#running > MOST_RUNNING) throw new GluerError('app_error', { message: 'The callee runs too many calls at once.', retryable: true });
      const data = await this.#ports.perform(run.cmd, frame['data'], context);
      this.#finish(run, context.outcome, data ?? null);
    } catch (thrown) {
      this.#fail(run, thrown);
    } finally {
      this.#running--;
      if (id === undefined) this.#sends--;
      this.#settle();
    }
  }

  #context(run: Run, header: Header): Context {
    const progress = (data: unknown): void => {
      try {
        if (this.#awaited(run)) this.#ports.write(this.#text({ type: 'progress', id: run.id }, data));
      } catch (thrown) { // not into the function: it may be in a timer, where a throw ends the process
        this.#fail(run, thrown);
        run.ends.abort(thrown);
        this.#settle();
      }
    };
    return { header, signal: run.ends.signal, progress };
  }

  #awaited({ id, ends }: Run): boolean {
    return id !== undefined && this.#calls.get(id)?.ends === ends;
  }

  /** Answers, when somebody still waits. */
  #finish(run: Run, outcome: unknown, data: unknown): void {
    if (!this.#awaited(run)) return;
    const name = outcome === undefined ? outcome : checkName('named outcome', outcome);
    this.#ports.write(this.#text({ type: 'result', id: run.id, outcome: name }, data));
    this.#calls.delete(run.id ?? '');
  }

  /** The frame's text. Raises a mistake for data that JSON or the relay does not take. */
  #text(head: Frame, data: unknown): string {
    const text = encode(head, payload(data));
    const bytes = bytesOver(text, this.#ports.frameLimit);
    if (bytes !== undefined) throw mistake(`The answer has ${String(bytes)} bytes, and the relay takes ${String(this.#ports.frameLimit)}.`, 'payload_too_large');
    return text;
  }

  #fail(run: Run, thrown: unknown): void {
    const error = errorOf(thrown);
    const hidden = isMistake(thrown);
    if ((hidden || error.code === 'app_error') && !run.ends.signal.aborted) this.#ports.failed(error, run.cmd, thrown);
    if (!this.#awaited(run)) return;
    this.#ports.write(this.#errorFrame(run, hidden ? new GluerError(error.code, HIDDEN) : error));
    this.#calls.delete(run.id ?? '');
  }

  /** The `error` frame; data that JSON or the relay does not take stays here, and its author is told. */
  #errorFrame({ id, cmd }: Run, { code, message, retryable, retry_after, data }: GluerError): string {
    const head = { type: 'error', id, code, message: shortened(message), retryable, retry_after };
    try {
      if (data !== undefined) return this.#text(head, data);
    } catch (thrown) {
      this.#ports.failed(errorOf(thrown), cmd, thrown);
    }
    return encode(head);
  }
}

/** What was thrown, as an outcome: a code of a function's own, the message, and the fields of a GluerError. A mistake is `app_error` or `payload_too_large`. */
function errorOf(thrown: unknown): GluerError {
  const message = messageOf(thrown);
  if (isMistake(thrown)) return new GluerError(thrown.code === 'payload_too_large' ? thrown.code : 'app_error', message);
  try {
    const { code, retryable, retry_after, data } = thrown as Record<string, unknown>;
    if (OWN_CODES.has(code as string)) return errorFrom({ code, message, retryable, retry_after, data });
  } catch { /* it has no fields, or they cannot be read */ }
  return new GluerError('app_error', message);
}

/** The message cut to 256 bytes, at a character. */
function shortened(message: string): string {
  if (bytesOver(message, LONGEST_MESSAGE) === undefined) return message;
  const bytes = new TextEncoder().encode(message).subarray(0, LONGEST_MESSAGE);
  return new TextDecoder().decode(bytes, { stream: true }); // streaming keeps back a character that was cut in two
}
