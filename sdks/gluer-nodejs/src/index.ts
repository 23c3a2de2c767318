import { GluerServer } from './client.ts';

export * from '../../core/src/index.ts';
export type { ConnectOptions, GluerServer, PublishResult } from './client.ts';
export type { DisconnectOptions } from './drain.ts';
export type { FunctionOptions, OptionsByName } from './function_options.ts';
export type { Interceptor } from './interceptors.ts';
export type { SendOptions, ServerCallOptions, Target } from './target.ts';

/** A further back end beside the process's own, for a second project or a connection of its own. */
export function createClient(): GluerServer {
  return new GluerServer();
}

const gluer: GluerServer = createClient();
export default gluer;

// The process's own back end, method by method, for `import * as gluer from 'gluer-nodejs'`.
export const connect: GluerServer['connect'] = gluer.connect.bind(gluer);
export const disconnect: GluerServer['disconnect'] = gluer.disconnect.bind(gluer);
export const set_websocket_url: GluerServer['set_websocket_url'] = gluer.set_websocket_url.bind(gluer);
export const register_plugin: GluerServer['register_plugin'] = gluer.register_plugin.bind(gluer);
export const register_object: GluerServer['register_object'] = gluer.register_object.bind(gluer);
export const register_directory: GluerServer['register_directory'] = gluer.register_directory.bind(gluer);
export const register_interceptor: GluerServer['register_interceptor'] = gluer.register_interceptor.bind(gluer);
export const clear_interceptor: GluerServer['clear_interceptor'] = gluer.clear_interceptor.bind(gluer);
export const get_interceptor: GluerServer['get_interceptor'] = gluer.get_interceptor.bind(gluer);
export const publish: GluerServer['publish'] = gluer.publish.bind(gluer);
export const call: GluerServer['call'] = gluer.call.bind(gluer);
export const send: GluerServer['send'] = gluer.send.bind(gluer);
export const subscribe: GluerServer['subscribe'] = gluer.subscribe.bind(gluer);
export const unsubscribe: GluerServer['unsubscribe'] = gluer.unsubscribe.bind(gluer);
export const addEventListener: GluerServer['addEventListener'] = gluer.addEventListener.bind(gluer);
export const removeEventListener: GluerServer['removeEventListener'] = gluer.removeEventListener.bind(gluer);
