import { RecordType } from '../../../src/engine/format/format.ts';
import { encodeFrame, frameBytes } from '../../../src/engine/format/frame.ts';
import { History } from '../promises/history.ts';
import { KEYS } from './crash-steps.ts';

const FRAME_ONE_IN = 7;
const LONG_ONE_IN = 23;
/** Three sectors. */
const LONG_CHARACTERS = 1300;
const VERY_LONG_ONE_IN = 61;
/** More than a page. */
const VERY_LONG_CHARACTERS = 4500;

/**
 * Values as a power cut dislikes them: most short, some longer than a sector or a page, some with a
 * frame inside.
 */
export class CrashHistory extends History {
  constructor() {
    super(KEYS);
  }

  override valueOf(index: number): string {
    const value = super.valueOf(index);
    if (index % VERY_LONG_ONE_IN === 11) return value.padEnd(VERY_LONG_CHARACTERS, '-');
    if (index % LONG_ONE_IN === 5) return value.padEnd(LONG_CHARACTERS, '-');
    return index % FRAME_ONE_IN === 3 ? value + EMBEDDED_FRAME : value;
  }

  /** What `exportJsonl` writes of the present state. */
  exportedText(): string {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    return Array.from({ length: KEYS }, (_, key) => ({
      name: this.keyName(key),
      operation: this.liveOperation(key),
    }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ name, operation }) =>
        operation === undefined
          ? []
          : [`{"key_b64":"${base64(name)}","value_b64":"${base64(this.valueOf(operation))}"}\n`],
      )
      .join('');
  }
}

/**
 * A valid frame with a high txid that nobody ever appended. Where it is taken for a record, a pair
 * was invented.
 */
const EMBEDDED_FRAME = embeddedFrame();

function embeddedFrame(): string {
  const key = Buffer.from('key-0');
  for (let attempt = 0; ; attempt++) {
    const payload = Buffer.from(`nobody put this ${attempt}`);
    const frame = Buffer.alloc(frameBytes(key.length, payload.length));
    encodeFrame(frame, 0, RecordType.Put, 0x7f_0000_0000, key, payload);
    // Values are text here, so its checksum must be ASCII as well.
    if (frame.every((byte) => byte < 0x80)) return frame.toString('latin1');
  }
}
