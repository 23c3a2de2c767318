import { decode, type Frame } from './frames.ts';

/** The part of the WebSocket interface that the SDKs use; browsers' and `ws`'s fit. */
export interface WebSocketLike {
  // The events' types differ between browsers and `ws`.
  /* eslint-disable @typescript-eslint/no-explicit-any */
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  /* eslint-enable @typescript-eslint/no-explicit-any */
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Only `ws` has it: ends the socket without a closing handshake. */
  terminate?(): void;
}

export type WebSocketConstructor = new (url: string, protocol: string) => WebSocketLike;

/** Why a link ended: the relay's `bye`, its close code, or a sentence. */
export interface End {
  readonly bye?: Frame;
  readonly closeCode?: number;
  readonly message?: string;
}

export interface LinkEvents {
  opened(): void;
  received(frame: Frame): void;
  /** Something came that is no frame. */
  garbled(): void;
  /** Called once; nothing is called after it. */
  ended(end: End): void;
}

const CLOSE_TIME = 50; // ms in which a socket that fails to open says `close` too; that of Node 20 never does
const CLOSING_TIME = 1_000; // ms for the closing handshake, before a socket that may is cut

/** One socket, from its opening to its one end. */
export class Link {
  readonly #socket: WebSocketLike;
  #events: LinkEvents | undefined;

  constructor(socket: WebSocketLike, events: LinkEvents) {
    this.#socket = socket;
    this.#events = events;
    let trouble: string | undefined;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#events?.opened();
    };
    socket.onmessage = ({ data }: { data: unknown }) => { this.#received(data); };
    socket.onerror = (event: unknown) => {
      trouble = reasonIn(event);
      if (!opened) setTimeout(() => { this.#ended({ message: trouble ?? 'It could not be opened.' }); }, CLOSE_TIME);
    };
    socket.onclose = ({ code }: { code: number }) => { this.#ended({ closeCode: code, ...(trouble ? { message: trouble } : {}) }); };
  }

  /** Bytes that are written and not yet with the network. */
  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  write(text: string): void {
    if (this.#events) this.#socket.send(text);
  }

  /** Ends the link from this side. */
  end(end: End): void {
    if (!this.#events) return;
    this.#socket.close(1000);
    const cut = setTimeout(() => this.#socket.terminate?.(), CLOSING_TIME) as unknown as { unref?: () => void };
    cut.unref?.(); // a socket that has closed must not keep the process
    this.#ended(end);
  }

  #received(data: unknown): void {
    const frame = decode(data);
    if (frame) this.#events?.received(frame);
    else this.#events?.garbled();
  }

  #ended(end: End): void {
    const events = this.#events;
    this.#events = undefined;
    events?.ended(end);
  }
}

/** Why a socket failed, where its `error` event says so: browsers say nothing, Node may try several addresses and say it of each. */
function reasonIn(event: unknown): string | undefined {
  const { message, error } = event as { message?: unknown; error?: { errors?: { message?: unknown }[]; code?: unknown } };
  const found: unknown = [message, error?.errors?.[0]?.message, error?.code].find((text) => typeof text === 'string' && text !== '');
  return found as string | undefined;
}
