/**
 * Channels and other objects from addresses: `fifo:/run/in`, `unix:/run/app.sock`, `mq:/jobs`, `stdio:`.
 *
 * {@linkcode connect} opens what exists at an address, {@linkcode listen} creates what is missing and stays
 * while others come and go; {@linkcode make}, {@linkcode remove} and {@linkcode stat} are about the object
 * itself. {@linkcode openSemaphore} and {@linkcode openMemory} open what carries no messages, {@linkcode list} and
 * {@linkcode limits} look at all there is. What an address means is said in one place for programs, configuration
 * files and the `ipc` command. `@ipc/address/parse` reads addresses and loads no mechanism.
 *
 * | address | what |
 * |---|---|
 * | `fifo:/path` | a named pipe; `?framing=lines`, `raw` and others for foreign programs |
 * | `file:/path` | a durable log; `?from=end` and others for the place, `?consumer=NAME` keeps it; `?framing=lines` follows a text file |
 * | `unix:/path`, `unix:@name` | a unix socket; `unix-seqpacket:` and `unix-dgram:` for its other types |
 * | `tcp:host:port`, `udp:host:port`, `ws://…` | the network |
 * | `sysv-msg:0x4d2` | a System V message queue; `?send=1&receive=2` for messages of a type |
 * | `sysv-sem:0x4d2` | a System V semaphore set; `?index=1` for another member than the first |
 * | `sysv-shm:0x4d2` | System V shared memory |
 * | `mq:/name` | a POSIX message queue; `?priority=9` for messages that are sent |
 * | `sem:/name` | a POSIX semaphore |
 * | `shm:/name` | POSIX shared memory |
 * | `mmap:/path` | a file mapped into memory |
 * | `stdio:` | this process's standard input and output, one message a line |
 *
 * @example
 * ```ts
 * import { connect, listen } from "@ipc/address";
 * import { text, typed } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/jobs`;
 * await using jobs = await listen(address, { direction: "receive", removeOnClose: true });
 * await using sender = typed(await connect(address, { direction: "send" }), text);
 * await sender.send("hello");
 * assertEquals(new TextDecoder().decode(await jobs.receive()), "hello");
 * ```
 *
 * @module
 */

export * from "./parse.ts";
export {
  connect,
  type ConnectOptions,
  type ObjectAddress,
  type OneWayAddress,
  type TwoWayAddress,
} from "./connect.ts";
export * from "./limits.ts";
export * from "./list.ts";
export * from "./listen.ts";
export * from "./make.ts";
export * from "./memory.ts";
export * from "./remove.ts";
export * from "./semaphore.ts";
export * from "./stat.ts";
