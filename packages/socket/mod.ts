/**
 * Sockets: between processes of one machine, which know who the other is, and over the network.
 *
 * {@linkcode listen} accepts connections at an address and {@linkcode connect} makes one; each is a channel.
 * `unix:` is a stream of bytes with messages framed in it, `unix-seqpacket:` has whole messages, `unix-dgram:` and
 * `udp:` are datagrams, `tcp:` and `ws:` go over the network. {@linkcode bindUnixDatagram} and {@linkcode bindUdp}
 * receive datagrams, and {@linkcode socketPair} makes two ends at once. Over unix sockets open files, sockets and memory
 * can be passed on: `sendHandles`, `receiveWithHandles`, {@linkcode adoptListener}, {@linkcode activated}.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/answers.sock`;
 * await using listener = await listen(`unix:${path}`);
 * await using client = await connect(`unix:${path}`); // In another process, as a rule.
 * await using server = await listener.accept();
 * await client.send(new TextEncoder().encode("hello"));
 * assertEquals(new TextDecoder().decode(await server?.receive()), "hello");
 * assertEquals(server?.peer().pid, Deno.pid);
 * ```
 *
 * @module
 */

export * from "./activated.ts";
export type { NetAddress, UnixAddress, UnixScheme } from "./address.ts";
export * from "./adopt_listener.ts";
export * from "./bind_unix_datagram.ts";
export * from "./connect.ts";
export * from "./connect_unix.ts";
export type { Handle } from "./handle.ts";
export type { MessageWithHandles } from "./_handle_source.ts";
export * from "./listen.ts";
export { listenUnix, type UnixListenOptions } from "./listen_unix.ts";
export * from "./listener.ts";
export { type Authorize, type Credentials, type Peer, sameUserOrRoot } from "./peer.ts";
export * from "./reconnect.ts";
export * from "./socket_pair.ts";
export * from "./tcp.ts";
export { listenTcp, type SocketListenOptions, type TcpListenOptions } from "./tcp_listener.ts";
export * from "./tls.ts";
export * from "./tls_listener.ts";
export * from "./udp.ts";
export * from "./unix_datagram.ts";
export * from "./unix_seqpacket.ts";
export { UnixStream, type UnixStreamOptions } from "./unix_stream.ts";
export * from "./web_socket.ts";
export * from "./web_socket_listener.ts";
export type { ByteBudget, TotalOptions } from "./_byte_budget.ts";
export type { PacketChannel, PacketHooks, PacketOptions } from "./_packet_channel.ts";
export type { Destination, PacketOrigin } from "./_packet_ends.ts";
export type { BufferOptions } from "./_socket_options.ts";
export type { StreamChannel, StreamHooks, StreamOptions } from "./_stream_channel.ts";
export type { UnixBindOptions } from "./_unix_bind.ts";
