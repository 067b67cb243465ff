import { openMemory } from "@ipc/address";
import { advice, readAddress } from "../_address.ts";
import { joined } from "../_bytes.ts";
import { about, Failed } from "../_failure.ts";
import { count } from "../_format.ts";
import type { Io } from "../io.ts";
import { size } from "../_options.ts";
import { offsetOption, partOf } from "../_part.ts";
import { readChunks } from "../_stdin.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: ["Writes the bytes of standard input, once all of them have come and if there is room for all."],
  options: {
    offset: offsetOption,
    length: size("N", "refuse more bytes than this; as far as the memory goes unless told"),
  },
  examples: [
    ["ipc write shm:/table < table.bin", "from the beginning"],
    ["printf '\\\\1' | ipc write mmap:/var/lib/table --offset 16", "one byte of a file"],
  ],
  async run({ operands, options, io }) {
    const address = readAddress(operands[0]!);
    await about(address.text, async () => {
      using memory = await openMemory(address);
      const { offset, length } = partOf(memory, options);
      memory.write(offset, await readAtMost(length, io));
    }, advice(address));
  },
});

async function readAtMost(most: number, io: Io): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of readChunks(io)) {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > most) throw new Failed(`standard input has more than ${count(most, "byte")}`);
  }
  return joined(chunks);
}
