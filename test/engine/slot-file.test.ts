import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { readSlots, SLOT_BYTES, SlotWriter } from '../../src/engine/format/slot-file.ts';

const MAGIC = 0x54534554;

function openSlots() {
  const fileSystem = new MemoryFileSystem();
  const slots = new SlotWriter(
    fileSystem,
    fileSystem.open('/slots', 'create'),
    MAGIC,
    undefined,
    0,
  );
  const write = (text: string) => slots.write((block, at) => block.write(text, at));
  const read = () => readSlots(fileSystem, '/slots', MAGIC)?.slots.map(({ body }) => String(body));
  return { fileSystem, slots, write, read };
}

describe('slot file', () => {
  test('writes that no sync separates go to one slot, and spare the other', () => {
    const { slots, write, read } = openSlots();
    write('synced');
    slots.turn();
    write('first');
    write('second');
    expect(read()).toEqual(['second', 'synced']);
  });

  test('a sync that covered no write leaves the newest synced slot out of the way of the next one', () => {
    const { fileSystem, slots, write, read } = openSlots();
    write('older');
    slots.turn();
    write('promised');
    slots.turn();
    slots.turn();
    write('torn');
    // The power goes in the middle of the last write: the slot before it is what is left.
    fileSystem.mutate('/slots', (bytes) => {
      bytes.fill(0xff, 0 * SLOT_BYTES + 20, 0 * SLOT_BYTES + 22);
      return undefined;
    });
    expect(read()).toEqual(['promised']);
  });
});
