/** Makes a FIFO and sends itself messages, with no more permission than it was given. Argument: path. */

import { Fifo, mkfifo, unlink } from "../mod.ts";

const path = Deno.args[0]!;
mkfifo(path);
const reader = await Fifo.open(path, "read", { keepOpen: true });
const writer = await Fifo.open(path, "write");
const pending = reader.receive();
await new Promise((resolve) => setTimeout(resolve, 20));
await writer.send(new Uint8Array([1]));
const lengths = [(await pending)!.byteLength];
const [, long] = await Promise.all([writer.send(new Uint8Array(100_000)), reader.receive()]);
lengths.push(long!.byteLength);
writer.sendSync(new Uint8Array(2));
lengths.push(reader.receiveSync()!.byteLength);
unlink(path);
console.log(lengths.join());
