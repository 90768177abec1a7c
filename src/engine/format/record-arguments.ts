import { checkInteger, kindOf } from '../host/options.ts';
import {
  FRAME_OVERHEAD_BYTES,
  MAX_FRAME_BYTES,
  MAX_RECORD_TYPE,
  MAX_SEGMENT_ID,
  type RecordType,
} from './format.ts';
import type { RecordRef } from './frame.ts';

export function checkRecordType(type: RecordType): void {
  if (!Number.isInteger(type) || type < 0 || type > MAX_RECORD_TYPE)
    throw new RangeError(
      `a record type must be an integer from 0 to ${MAX_RECORD_TYPE}, not ${type}`,
    );
}

/** A place that a record can have. Whether one stands there, the read finds out. */
export function checkRecordRef(ref: RecordRef): void {
  if (typeof ref !== 'object' || ref === null)
    throw new TypeError(`a ref must be an object, not ${kindOf(ref)}`);
  checkInteger('segmentId of the ref', ref.segmentId, 1, MAX_SEGMENT_ID);
  checkInteger('offset of the ref', ref.offset, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('byteLength of the ref', ref.byteLength, FRAME_OVERHEAD_BYTES, MAX_FRAME_BYTES);
}
