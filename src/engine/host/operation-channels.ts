import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';

/**
 * `node:diagnostics_channel` tracing channels, one an operation: `tidemark:get`, `tidemark:put` and
 * so on. Published only while somebody subscribes; otherwise an operation costs one look at a flag.
 */
/** What start, end, asyncStart, asyncEnd and error of an operation share; never keys or values. */
export interface OperationMessage {
  /** The store's directory. */
  readonly directory: string;
}

type OperationChannel = TracingChannel<unknown, OperationMessage>;

function channelOf(operation: string): OperationChannel {
  return tracingChannel<unknown, OperationMessage>(`tidemark:${operation}`);
}

export const getChannel = channelOf('get');
export const putChannel = channelOf('put');
export const deleteChannel = channelOf('delete');
export const batchChannel = channelOf('batch');
export const syncChannel = channelOf('sync');
export const compactChannel = channelOf('compact');
