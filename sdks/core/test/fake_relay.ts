// A scripted relay on real sockets: tests say what it sends, and wait for what it gets.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

export type Fields = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- frames are free-form in tests

export const PUBLIC_KEY = `gluer_pub_abcdefghijkl_${'a2'.repeat(16)}`;
export const PRIVATE_KEY = `gluer_prv_abcdefghijkl_${'b3'.repeat(16)}cccccc`;
const PATIENCE = 10_000; // ms before a wait counts as failed: machines may be busy

export interface HttpExchange {
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** Resolves when the condition holds; rejects with what was waited for. */
export async function until(what: string, condition: () => boolean, patience = PATIENCE): Promise<void> {
  const end = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Whatever the promise rejects with; fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<Fields> {
  const value: unknown = await promise.then(() => undefined, (error: unknown) => error);
  if (value === undefined) throw new Error('it did not reject');
  return value as Fields;
}

/** One client at the relay. */
export class Guest {
  readonly frames: Fields[] = [];
  readonly url: string;
  readonly protocol: string;
  closed: number | undefined;
  /** How many pings came; they are no frames that receives() gives out. */
  pings = 0;
  /** Whether pings are answered. */
  answersPings = true;
  readonly #socket: WebSocket;
  #read = 0;

  constructor(socket: WebSocket, url: string) {
    this.#socket = socket;
    this.url = url;
    this.protocol = socket.protocol;
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Fields;
      if (frame['type'] === 'ping') this.#answerPing();
      else this.frames.push(frame);
    });
    socket.on('close', (code) => { this.closed = code; });
    socket.on('error', () => undefined);
  }

  /** The next frame the client sends, in order. */
  async receives(type?: string): Promise<Fields> {
    await until(`a frame ${type ?? ''}`, () => this.frames.length > this.#read);
    const frame = this.frames[this.#read++]!;
    if (type !== undefined && frame['type'] !== type) throw new Error(`a ${type} was due, not ${JSON.stringify(frame)}`);
    return frame;
  }

  /** How many frames came that receives() has not given out. */
  get unread(): number {
    return this.frames.length - this.#read;
  }

  sends(frame: Fields): void {
    this.#socket.send(JSON.stringify(frame));
  }

  sendsText(text: string | Buffer): void {
    this.#socket.send(text);
  }

  #answerPing(): void {
    this.pings++;
    if (this.answersPings) this.sends({ type: 'pong' });
  }

  /** Answers a request. */
  results(request: Fields, data: unknown = {}): void {
    this.sends({ type: 'result', id: request['id'], data });
  }

  errors(request: Fields, code: string, fields: Fields = {}): void {
    this.sends({ type: 'error', id: request['id'], code, message: `It is ${code}.`, retryable: false, ...fields });
  }

  /** `bye` and the close code, as the relay ends a connection. */
  bye(closeCode: number, fields: Fields): void {
    this.sends({ type: 'bye', code: 'relay_unavailable', message: 'Go away.', reconnect: true, ...fields });
    this.#socket.close(closeCode);
  }

  closes(code: number): void {
    this.#socket.close(code);
  }

  /** The network is cut. */
  vanishes(): void {
    this.#socket.terminate();
  }

  /** Reads nothing any more, and says nothing. */
  freezes(): void {
    this.#socket.pause();
  }
}

export class FakeRelay {
  readonly guests: Guest[] = [];
  /** Fields that differ from the usual welcome. */
  welcome: Fields = {};
  /** Answers HTTP requests. */
  http: (exchange: HttpExchange) => { status: number; body: unknown; headers?: Record<string, string> } = () => ({ status: 404, body: {} });
  readonly #server: Server;
  #met = 0;

  private constructor(server: Server) {
    this.#server = server;
    const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered][0] ?? false });
    sockets.on('connection', (socket, request) => this.guests.push(new Guest(socket, request.url ?? '')));
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
        const { status, body, headers } = this.http({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
        if (status > 0) response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    });
  }

  static async start(port = 0): Promise<FakeRelay> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new FakeRelay(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${String(this.port)}`;
  }

  /** The next socket that is opened, before its hello. */
  async meets(patience = PATIENCE): Promise<Guest> {
    await until('a connection', () => this.guests.length > this.#met, patience);
    return this.guests[this.#met++]!;
  }

  /** The next client, its hello read and answered by a welcome. */
  async welcomes(patience = PATIENCE): Promise<Guest & { hello: Fields }> {
    const guest = await this.meets(patience);
    const hello = await guest.receives('hello');
    this.greets(guest, hello);
    return Object.assign(guest, { hello });
  }

  greets(guest: Guest, hello: Fields): void {
    const peer = String(hello['key']).startsWith('gluer_prv_') ? 'backend' : 'frontend';
    const limits = { frame: 1_048_576, timeout: 300_000, in_flight: 1_000, rate: 1_000 };
    guest.sends({ type: 'welcome', connection: `c${String(this.guests.length)}`, session: hello['session'], peer, ping: 25, limits, ...this.welcome });
  }

  async stop(): Promise<void> {
    for (const guest of this.guests) guest.vanishes();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
