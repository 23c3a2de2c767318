import { callOptions, type CallOptions, type ProgressInfo, type Reply } from './requests.ts';

/**
 * A call under way: a promise of its reply, and what the function reports before it, for `for await`. The iteration ends
 * with the reply, or throws the call's error. One that falls more than 1 000 reports behind misses the oldest.
 */
export type Call<T = unknown> = Promise<Reply<T>> & AsyncIterable<unknown>;

const MOST_REPORTS = 1_000; // that wait for the iteration

/** Makes a call whose progress can be iterated over, besides the options' own `onProgress`. */
export function withProgress<T>(given: number | CallOptions | undefined, make: (options: CallOptions) => Promise<Reply<T>>): Call<T> {
  let own: CallOptions['onProgress'];
  const reports: unknown[] = [];
  let wake = (): void => undefined;
  const onProgress = (report: unknown, info: ProgressInfo): unknown => {
    if (reports.push(report) > MOST_REPORTS) reports.shift();
    wake();
    return own?.(report, info);
  };
  const start = async (): Promise<Reply<T>> => { // a wrong option is a rejection too
    const options = callOptions(given);
    own = options.onProgress;
    return make({ ...options, onProgress });
  };
  const reply = start();
  const iterate = async function* (): AsyncGenerator<unknown, void> {
    let ended = false as boolean; // changed by end()
    const end = (): void => { ended = true; wake(); };
    reply.then(end, end);
    for (;;) {
      const next = new Promise<void>((resolve) => { wake = resolve; });
      while (reports.length > 0) yield reports.shift();
      if (ended) break; // nothing came since the last report was taken: no other code ran
      await next;
    }
    await reply;
  };
  return Object.assign(reply, { [Symbol.asyncIterator]: iterate });
}
