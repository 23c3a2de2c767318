// A connection that comes back by itself (GP-2, GP-3), and moves before the relay ends it (GP-6). Its rules:
// 1. It is in one of four states; in each one link stands or is being made, and at most one timer watches it. While
//    connected it may be moving to a next link, which has a timer of its own, and old links may linger.
// 2. State changes first, timers second, others are told last: whoever is told may call connect() or disconnect().
// 3. A connection is believed in while it is heard from. After a sleep only a pong counts: other frames may be older than the sleep.
// 4. `bye` and the table of close codes say whether to come back; all else does.
import { backoff } from './backoff.ts';
import { FINAL_CLOSES } from './codes.ts';
import { errorFrom, GluerError, messageOf } from './errors.ts';
import { encode, welcomeOf, type Frame, type Welcome } from './frames.ts';
import { Link, type End, type WebSocketLike } from './link.ts';
import { now, stopwatch, type Timing } from './timing.ts';

/**
 * `disconnected`: connect() was not called, or disconnect() was, or reconnecting cannot help. `connecting`: on the way to
 * the first welcome. `connected`: welcomed. `reconnecting`: on the way to the next one.
 */
export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting';

export interface ConnectionPorts {
  /** Opens a socket to the relay, `otherwise` by another way than the usual one (GP-3); a throw is final. */
  socket(otherwise: boolean): WebSocketLike;
  hello(): Frame;
  /** The hello is written; what is written now is handled right behind it. */
  opened(): void;
  /** The connection stands, by a first link or after a move. */
  welcomed(welcome: Welcome): void;
  received(frame: Frame, link: Link): void;
  /** Whether something that was asked by the link is without an answer. */
  waits(link: Link): boolean;
  /** Whether the relay's silence on the link that stands is to be noticed soon: something was asked, or may be asked of this client. */
  expects(link: Link): boolean;
  /** Whether nothing is left to do for a link that the connection has moved away from. */
  spent(link: Link): boolean;
  /** A link ended, the one that stood or another one. */
  ended(link: Link, error: GluerError): void;
  /** The connection ended and comes back. `standing`: it had been welcomed. `wait`: ms before the next attempt. */
  lost(error: GluerError, standing: boolean, wait: number): void;
  /** The connection ended, or could not be made, and reconnecting cannot help. */
  refused(error: GluerError, standing: boolean): void;
  /** disconnect() was called. */
  left(error: GluerError, standing: boolean): void;
  /** The relay sent something that is no frame. */
  garbled(): void;
}

const LATE: End = { message: 'The relay did not answer in time.' };
const SILENT: End = { message: 'Nothing was heard from the relay.' };
const READING = 100; // ms
const LONGEST_ATTEMPT = 20_000; // ms
const LONGEST_AFTER = 3_600_000; // 1 h: a bye's `after` beyond it is a mistake
const LOOK_EVERY = 100; // ms between two looks whether an old link is spent
const MOST_LOOKS = 300; // 30 s: the relay ends it after 20

export class Connection {
  state: ConnectionState = 'disconnected';
  readonly #ports: ConnectionPorts;
  readonly #timing: Timing;
  #link: Link | undefined;
  #next: Link | undefined; // takes its place once it is welcomed and knows all names
  #told: Link | undefined; // the newest of the two whose hello is written
  readonly #old = new Set<Link>(); // by which answers may still come
  #timer: ReturnType<typeof setTimeout> | undefined;
  #mover: ReturnType<typeof setTimeout> | undefined;
  #bye: Frame | undefined; // announced the end of the link that stands
  #welcome: Welcome | undefined; // the newest
  #stays = false;
  #standing = new Standing();
  #lostAt: number | undefined; // since when no connection has held
  #failures = 0; // attempts since then that failed
  #triedAt = 0; // when the last one began
  #silence = 0;
  #heardAt = 0;
  #welcomedAt = 0;
  #fences: (() => void)[] = []; // of pings without a pong
  #asks = 0;
  #notBefore = 0; // the last bye's `after`

  constructor(ports: ConnectionPorts, timing: Timing) {
    this.#ports = ports;
    this.#timing = timing;
  }

  /** Whether frames may be written: the hello is. */
  get open(): boolean {
    return this.#told !== undefined;
  }

  /** Bytes that are written and not yet with the network. */
  get buffered(): number {
    return this.#link?.buffered ?? 0;
  }

  /** Resolves at the welcome; rejects when reconnecting cannot help, or with disconnect(). Ignoring it is fine. */
  connect(): Promise<Welcome> {
    if (this.state === 'disconnected') {
      this.state = 'connecting';
      this.#forgive();
      this.#stays = false;
      this.#standing = new Standing();
      this.#after(0, () => { this.#open(); }); // the rest of this turn may still change the URL
    }
    return this.#standing.promise;
  }

  /** Ends the connection for good. Nothing of it keeps the process alive. */
  disconnect(): void {
    if (this.state === 'disconnected') return;
    const error = new GluerError('connection_lost', 'disconnect() was called.');
    const link = this.#link;
    this.#link = undefined;
    link?.end(error);
    this.#stop(error, 'left');
  }

  /** Moves no more, since it will be left for good; returns the old links. */
  stay(): Iterable<Link> {
    this.#stays = true;
    this.#halt();
    return this.#old;
  }

  /** The link that calls go by, while it stands. */
  get standing(): Link | undefined {
    return this.state === 'connected' ? this.#link : undefined;
  }

  /** Whether the connection has moved away from the link. */
  left(link: Link): boolean {
    return this.#old.has(link);
  }

  /**
   * Tries again now instead of at the back-off's end; what a bye asked to wait is still waited. Of a connection that
   * stands, asks the relay whether it is there.
   */
  hurry(): void {
    if (this.state === 'connected') this.#ask();
    else if (this.state !== 'disconnected' && !this.#link) this.#after(Math.max(0, this.#notBefore - now()), () => { this.#open(); });
  }

  /** Writes to the link that stands, or (`state`) to the newest, and returns it. */
  write(text: string, state = false): Link | undefined {
    const link = state ? this.#told : this.#link;
    link?.write(text);
    return link;
  }

  /** Calls back when the relay has read all that is written so far: pings are answered in order. */
  fence(passed: () => void): void {
    this.#fences.push(passed);
    this.write('{"type":"ping"}');
  }

  #open(): void {
    this.#fences = [];
    this.#bye = undefined;
    try {
      this.#link = this.#make();
    } catch (thrown) {
      this.#stop(thrown instanceof GluerError ? thrown : new GluerError('relay_unavailable', { message: messageOf(thrown), retryable: false }));
      return;
    }
    this.#after(this.#patience, () => this.#link?.end(LATE));
  }

  /** The ms that an attempt may take: longer when two have failed, since a slow network, or a relay that all come back to, may need them. */
  get #patience(): number {
    return Math.min(this.#timing.handshake * 2 ** Math.max(0, this.#failures - 1), LONGEST_ATTEMPT);
  }

  #make(): Link {
    this.#triedAt = now();
    const link: Link = new Link(this.#ports.socket(this.#failures > 0), {
      opened: () => { this.#opened(link); },
      received: (frame) => { this.#received(link, frame); },
      garbled: () => { this.#ports.garbled(); },
      ended: (end) => { this.#ended(link, end); },
    });
    return link;
  }

  #opened(link: Link): void {
    this.#told = link;
    link.write(encode(this.#ports.hello()));
    this.#ports.opened();
  }

  #received(link: Link, frame: Frame): void {
    if (link === this.#link) this.#heardAt = now();
    if (frame.type === 'ping') link.write('{"type":"pong"}');
    else if (frame.type === 'welcome') {
      this.#welcome = welcomeOf(frame);
      if (link === this.#link) this.#welcomed(this.#welcome);
    } else if (frame.type === 'bye') this.#dismissed(link, frame);
    else if (frame.type === 'pong') this.#fences.shift()?.();
    else this.#ports.received(frame, link);
    if (link === this.#next && this.#welcome && !this.#ports.waits(link)) this.#move(link, this.#welcome);
  }

  // --- moving ---

  /** A first `bye` that says when to come back announces the end of the link that stands; any other one is its last frame. */
  #dismissed(link: Link, bye: Frame): void {
    const announced = link === this.#link && this.state === 'connected' && bye['reconnect'] !== false && typeof bye['after'] === 'number';
    if (!announced || this.#bye) {
      link.end({ bye });
      return;
    }
    this.#bye = bye;
    if (this.#held) this.#forgive();
    this.#prepare(this.#obey(bye));
  }

  /** The ms that the bye asks to wait. */
  #obey(bye: Frame | undefined): number {
    const after = Math.min(Number(bye?.['after']) || 0, LONGEST_AFTER);
    this.#notBefore = Math.max(this.#notBefore, now() + after);
    return after;
  }

  /** Makes the next link after some ms. */
  #prepare(ms: number): void {
    if (this.#stays) return;
    clearTimeout(this.#mover);
    this.#mover = setTimeout(() => {
      this.#welcome = undefined;
      try {
        this.#next = this.#make();
        this.#mover = setTimeout(() => this.#next?.end(LATE), this.#patience);
      } catch { /* the link that stands is as good as it was */ }
    }, ms);
  }

  /** The next link knows all that the relay has to know: from now on it is the one. */
  #move(link: Link, welcome: Welcome): void {
    const old = this.#link;
    clearTimeout(this.#mover);
    this.#link = link;
    this.#next = this.#bye = undefined;
    this.#fences = [];
    this.#heardAt = now();
    if (old) this.#old.add(old);
    this.#standing = new Standing();
    this.#welcomed(welcome);
    if (old) this.#letGo(old);
  }

  /** Ends an old link when it is spent, or after 30 s. */
  #letGo(link: Link, looks = MOST_LOOKS): void {
    if (looks === 0 || this.#ports.spent(link)) link.end({});
    else if (this.#old.has(link)) setTimeout(() => { this.#letGo(link, looks - 1); }, LOOK_EVERY);
  }

  /** Stops a move. */
  #halt(): void {
    clearTimeout(this.#mover);
    const next = this.#next;
    this.#next = undefined;
    next?.end({});
  }

  // --- standing ---

  #welcomed(welcome: Welcome): void {
    this.state = 'connected';
    this.#welcomedAt = now();
    this.#silence = welcome.ping * 1_000 + this.#timing.grace;
    this.#watch();
    this.#standing.resolve(welcome);
    this.#ports.welcomed(welcome);
  }

  /** Ends a link that nothing was heard from for ping + 8 s; asks after a sleep, and after 3 s while something is expected (GP-3). */
  #watch(): void {
    this.#noticing(Math.min(Math.max(this.#due(), 0), this.#timing.watch), (late) => {
      if (late) this.#ask();
      else if (now() - this.#heardAt >= this.#silence) this.#link?.end(SILENT);
      else if (this.#due() <= 0) this.#ask(false);
      else this.#watch();
    });
  }

  /** The ms until the relay's silence is to be noticed. */
  #due(): number {
    const silence = this.#link && this.#ports.expects(this.#link) ? this.#timing.quiet : this.#silence;
    return silence - now() + this.#heardAt;
  }

  /**
   * Asks the relay whether it is still there; only the answer to the latest question counts. Where this program did not sleep
   * (`slept`), another frame does as well, and what it still writes itself (a large frame over a slow network) gets more time.
   */
  #ask(slept = true): void {
    const [ask, askedAt] = [++this.#asks, now()];
    this.fence(() => { if (ask === this.#asks) this.#watch(); });
    this.#noticing(this.#timing.answer, (late) => {
      if (late) this.#ask();
      else if (!slept && (this.#heardAt > askedAt || (this.buffered > 0 && now() - this.#heardAt < this.#silence))) this.#watch();
      else this.#after(READING, () => this.#link?.end(SILENT)); // what has come while this program was busy is read first
    });
  }

  /** Runs after some ms; `late` says that more time went by than the timer saw. */
  #noticing(ms: number, run: (late: boolean) => void): void {
    const passed = stopwatch();
    this.#after(ms, () => { run(passed() > ms + this.#timing.late); });
  }

  #ended(link: Link, end: End): void {
    const error = reasonOf(link === this.#link && this.#bye ? { ...end, bye: end.bye ?? this.#bye } : end);
    const told = link === this.#told;
    this.#old.delete(link);
    if (told) this.#told = link === this.#link ? undefined : this.#link;
    this.#ports.ended(link, error);
    if (link === this.#link) this.#lost(end, error);
    else if (link === this.#next) this.#missed(end);
    if (told && this.#told) this.#ports.opened(); // what was told to that one is told to the one that stands
  }

  /** The next link ended before it was one. */
  #missed(end: End): void {
    this.#next = undefined;
    if (comesBack(end)) this.#prepare(this.#backoff(this.#failed()));
  }

  /** Notes that the last attempt failed; returns the ms that it took. */
  #failed(): number {
    this.#failures++;
    return now() - this.#triedAt;
  }

  /** Whether the connection that stands is good. */
  get #held(): boolean {
    return now() - this.#welcomedAt >= this.#timing.stable;
  }

  /** What failed before a connection that held does not count any more. */
  #forgive(): void {
    this.#failures = 0;
    this.#lostAt = undefined;
  }

  /** The ms before the next attempt (GP-3), of which some have passed. */
  #backoff(passed: number): number {
    this.#lostAt ??= now();
    return Math.max(0, backoff(this.#timing.backoff, now() - this.#lostAt) - passed);
  }

  #lost(end: End, error: GluerError): void {
    this.#link = undefined;
    this.#halt();
    if (!comesBack(end)) {
      this.#stop(error);
      return;
    }
    const standing = this.state === 'connected';
    const passed = standing ? this.#renew(end) : this.#failed();
    this.#obey(end.bye);
    const wait = Math.max(0, this.#notBefore - now()) + this.#backoff(passed);
    this.#after(wait, () => { this.#open(); });
    this.#ports.lost(error, standing, wait);
  }

  /** Leaves a connection that stood; returns the ms since it was of use. */
  #renew(end: End): number {
    this.state = 'reconnecting';
    this.#standing = new Standing();
    if (this.#held) this.#forgive();
    else this.#failures++;
    return end === SILENT ? now() - this.#heardAt : 0;
  }

  #stop(error: GluerError, tell: 'refused' | 'left' = 'refused'): void {
    const standing = this.state === 'connected';
    this.state = 'disconnected';
    clearTimeout(this.#timer);
    this.#halt();
    for (const link of this.#old) link.end(error);
    this.#standing.reject(error);
    this.#ports[tell](error, standing);
  }

  #after(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }
}

/** The promise of connect(). Nobody has to listen to it: errors have their event. */
class Standing {
  resolve!: (welcome: Welcome) => void;
  reject!: (error: GluerError) => void;
  readonly promise = new Promise<Welcome>((resolve, reject) => Object.assign(this, { resolve, reject }));

  constructor() {
    this.promise.catch(() => undefined);
  }
}

function comesBack({ bye, closeCode }: End): boolean {
  if (bye) return bye['reconnect'] !== false;
  return !(closeCode && closeCode in FINAL_CLOSES);
}

function reasonOf({ bye, closeCode, message }: End): GluerError {
  if (bye) return errorFrom(bye, 'connection_lost');
  return new GluerError(FINAL_CLOSES[closeCode ?? 0] ?? 'connection_lost', message ?? `The connection ended with the close code ${String(closeCode)}.`);
}
