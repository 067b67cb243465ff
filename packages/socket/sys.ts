/**
 * The calls of sockets by their C names, for who needs exactly what the kernel does; see socket(2) and unix(7).
 *
 * Each call throws the `IpcError` of its errno, and tries again after EINTR. Those that wait block the thread, unless
 * MSG_DONTWAIT or SOCK_NONBLOCK is told. `listen` and `connect` of `@ipc/socket` are the pleasant way.
 *
 * Needs `--allow-ffi`, and nothing else.
 *
 * @example
 * ```ts
 * import { close, constants, recv, send, socketpair } from "@ipc/socket/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const { AF_UNIX, MSG_TRUNC, SOCK_CLOEXEC, SOCK_SEQPACKET } = constants;
 * const [here, there] = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
 * send(here, new TextEncoder().encode("0123456789"));
 * assertEquals(recv(there, 4, MSG_TRUNC).length, 10);
 * close(here);
 * close(there);
 * ```
 *
 * @module
 */

export { constants } from "./_abi.ts";
export * from "./sys/connection.ts";
export * from "./sys/message.ts";
export * from "./sys/option.ts";
