import { decode, type Frame } from '../../core/src/frames.ts';
import { GluerError } from '../../core/src/errors.ts';

const LONGEST_LINE = 16 * 1_048_576; // characters; far above any relay's limit, far below a page's memory

/** The frames of a stream of server-sent events, as they come. The relay writes each into one `data` line; other lines are passed over. */
export async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) throw new GluerError('payload_too_large');
      for (const line of lines) {
        const frame = line.startsWith('data:') ? decode(line.slice(5)) : undefined;
        if (frame) yield frame;
      }
    }
  } finally {
    reader.cancel().catch(() => undefined); // the network may have ended it already
  }
}
