import WebSocket from 'ws';
import type { WebSocketConstructor } from '../../core/src/link.ts';

const LARGEST_FRAME = 16 * 1_048_576; // bytes; far above any relay's limit, far below this process's memory

/** `ws` as this SDK opens it: frames are small and many, so they are not compressed. */
export const Socket: WebSocketConstructor = class extends WebSocket {
  constructor(url: string, protocol: string) {
    super(url, protocol, { perMessageDeflate: false, maxPayload: LARGEST_FRAME });
  }
};
