// What the two packages show of the part they share.
export type { ConnectionState } from './connection.ts';
export type { Context, Handler, Header } from './context.ts';
export { GluerError, type ErrorFields } from './errors.ts';
export type { ConnectionDetail, DisconnectDetail, ErrorDetail, EventDetails, EventName, GluerEvent, Listener } from './events.ts';
export type { Limits, Welcome } from './frames.ts';
export type { WebSocketConstructor, WebSocketLike } from './link.ts';
export type { Signal, SignalLike, UrlLike } from './platform.ts';
export type { Call } from './progress.ts';
export type { CallOptions, ProgressInfo, Reply } from './requests.ts';
export type { MessageHandler, MessageInfo } from './subscriptions.ts';
