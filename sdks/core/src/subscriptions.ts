// Who listens to which channel, and what of it counts while the connection moves (GP-6). Its rules:
// 1. Messages of one link count. Those of the next link are held until the old one has said that all has come (GP-24), or ends.
// 2. A message that is not above the last one of its channel and epoch has been heard (GP-23).
import { GluerError, mistake } from './errors.ts';
import type { Guard } from './events.ts';
import type { Frame } from './frames.ts';
import type { Link } from './link.ts';
import { checkChannel } from './names.ts';
import { Roster, type RosterPorts } from './roster.ts';

/** Where a message came from. */
export interface MessageInfo {
  readonly channel: string;
}

/** Gets a channel's messages. It may return a promise: its rejection counts as a throw. */
export type MessageHandler = (data: unknown, info: MessageInfo) => unknown;

const MOST_HANDLERS = 1_000; // of one channel
const MOST_EPOCHS = 32; // of one channel that are remembered: each relay process that publishes has one
const MOST_HELD = 1_000; // messages of the next link; the oldest go first

/** Who listens to which channel, across reconnects. */
export class Subscriptions {
  readonly roster: Roster;
  readonly #guarded: Guard;
  readonly #handlers = new Map<string, MessageHandler[]>();
  readonly #offsets = new Map<string, Map<string, number>>(); // the last ones, by channel and epoch, the newest epoch last
  #counts: Link | undefined; // whose messages count; undefined: any link's that was not left
  #follows: Link | undefined; // whose messages will
  #held: { frame: Frame; link: Link }[] = [];

  constructor(ports: RosterPorts, guarded: Guard) {
    this.#guarded = guarded;
    const frame = (type: string) => (channels: string[]): Frame => ({ type, channels });
    this.roster = new Roster(ports, frame('subscribe'), frame('unsubscribe'));
  }

  /** Adds the handler to the channels; the returned function takes it away again. */
  subscribe(channels: string | readonly string[], handler: MessageHandler): () => void {
    if (typeof handler !== 'function') throw mistake('subscribe(channel, fn) needs a function that gets the messages.');
    const names = [...new Set([channels].flat().map(checkChannel))];
    for (const name of names) this.#add(name, handler);
    let active = true;
    return () => {
      if (active) for (const name of names) this.#remove(name, handler);
      active = false;
    };
  }

  /** Takes the handler away from the channels wherever it stands, or all handlers. */
  unsubscribe(channels: string | readonly string[], handler?: MessageHandler): void {
    for (const name of [channels].flat())
      for (const each of [...(this.#handlers.get(name) ?? [])]) if (!handler || each === handler) this.#remove(name, each);
  }

  /** Takes a `message` frame. `left`: the connection has moved away from the link. */
  received(frame: Frame, link: Link, left: boolean): void {
    if (link === this.#counts || !(this.#counts ?? left)) this.#deliver(frame);
    else if (!left) this.#hold(frame, link);
  }

  /** The connection stands by this link. `fence` resolves when the old one has brought all that the new one will not. */
  follow(link: Link, fence: (old: Link) => Promise<unknown>): void {
    if (this.#follows) this.#take(this.#follows); // one move behind the other: no time to wait for the first
    if (!this.#counts || this.#handlers.size === 0) {
      this.#take(link);
      return;
    }
    this.#follows = link;
    const over = (): void => { if (this.#follows === link) this.#take(link); };
    fence(this.#counts).then(over, over);
  }

  /** Nothing more comes by the link. */
  ended(link: Link): void {
    if (link === this.#follows) this.#follows = undefined;
    this.#held = this.#held.filter((held) => held.link !== link);
    if (link !== this.#counts) return;
    this.#counts = undefined;
    if (this.#follows) this.#take(this.#follows);
  }

  /** From now on the link's messages count. */
  #take(link: Link): void {
    const held = this.#held;
    this.#counts = link;
    this.#follows = undefined;
    this.#held = [];
    for (const each of held) if (each.link === link) this.#deliver(each.frame);
  }

  /** Keeps a message until its link counts, unless the old link brings it first. */
  #hold(frame: Frame, link: Link): void {
    this.#held.push({ frame, link });
    while (this.#held.length > MOST_HELD || (this.#held[0] && this.#isOld(this.#held[0].frame))) this.#held.shift();
  }

  #isOld({ channel, position }: Frame): boolean {
    if (!isPosition(position)) return false;
    return position[1] <= (this.#offsets.get(String(channel))?.get(position[0]) ?? -Infinity);
  }

  /** Hands a message that was not heard to the channel's handlers. */
  #deliver(frame: Frame): void {
    if (this.#isOld(frame)) return;
    const { channel, data, position } = frame;
    const name = String(channel);
    const handlers = this.#handlers.get(name);
    if (!handlers) return;
    if (isPosition(position)) this.#note(name, position);
    for (const handler of [...handlers]) this.#guarded(`A handler of the channel '${name}'`, () => handler(data, { channel: name }));
  }

  #note(name: string, [epoch, offset]: Position): void {
    const offsets = this.#offsets.get(name) ?? new Map<string, number>();
    this.#offsets.set(name, offsets);
    offsets.delete(epoch);
    offsets.set(epoch, offset);
    const [oldest] = offsets.keys();
    if (offsets.size > MOST_EPOCHS && oldest !== undefined) offsets.delete(oldest);
  }

  #add(name: string, handler: MessageHandler): void {
    const handlers = this.#handlers.get(name) ?? [];
    if (handlers.length === 0 && this.roster.full) throw new GluerError('rate_limited', 'Too many channels for one client: unsubscribe from some.');
    if (handlers.length >= MOST_HANDLERS) throw new GluerError('rate_limited', `Too many handlers of the channel '${name}': unsubscribe some.`);
    this.#handlers.set(name, [...handlers, handler]);
    this.roster.add(name);
  }

  #remove(name: string, handler: MessageHandler): void {
    const handlers = this.#handlers.get(name) ?? [];
    const index = handlers.indexOf(handler);
    if (index < 0) return;
    const rest = handlers.filter((_, each) => each !== index);
    if (rest.length > 0) this.#handlers.set(name, rest);
    else {
      this.#handlers.delete(name);
      this.#offsets.delete(name);
      this.roster.remove(name);
    }
  }
}

/** Where a message stands in the order of one epoch (GP-23). */
type Position = readonly [epoch: string, offset: number];

function isPosition(value: unknown): value is Position {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number';
}
