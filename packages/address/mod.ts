/**
 * Channels from addresses: `fifo:/run/in`, `stdio:`.
 *
 * {@linkcode connect} opens what exists at an address, {@linkcode listen} creates what is missing and stays
 * while others come and go; {@linkcode make}, {@linkcode remove} and {@linkcode stat} are about the object
 * itself. What an address means is said in one place for programs, configuration files and the `ipc` command.
 * `@ipc/address/parse` reads addresses and loads no mechanism.
 *
 * | address | what |
 * |---|---|
 * | `fifo:/path` | a named pipe; `?framing=lines`, `raw` and others for foreign programs |
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
export { connect, type ConnectOptions, type OneWayAddress, type TwoWayAddress } from "./connect.ts";
export * from "./listen.ts";
export * from "./make.ts";
export * from "./remove.ts";
export * from "./stat.ts";
