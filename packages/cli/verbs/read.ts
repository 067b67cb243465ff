import { openMemory } from "@ipc/address";
import { advice, readAddress } from "../_address.ts";
import { about } from "../_failure.ts";
import { size } from "../_options.ts";
import { offsetOption, partOf } from "../_part.ts";
import { verb } from "../_verb.ts";

/** The most bytes that are copied with one write. */
const CHUNK = 1024 * 1024;

export default verb({
  text: ["Prints the bytes as they are. Memory that changes meanwhile is printed as it is met."],
  options: {
    offset: offsetOption,
    length: size("N", "print so many bytes, all to the end unless told"),
  },
  examples: [
    ["ipc read shm:/table | xxd", "all of it"],
    ["ipc read sysv-shm:0x4d2 --offset 16 --length 4 | od -t d4", "one number in it"],
  ],
  async run({ operands, options, io }) {
    const address = readAddress(operands[0]!);
    await about(address.text, async () => {
      using memory = await openMemory(address, { access: "read" });
      const { offset, length } = partOf(memory, options);
      for (let at = offset; at < offset + length && !io.signal.aborted; at += CHUNK) {
        await io.stdout.write(memory.read(at, Math.min(CHUNK, offset + length - at)));
      }
      io.signal.throwIfAborted();
    }, advice(address));
  },
});
