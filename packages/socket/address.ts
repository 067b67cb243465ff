/** Addresses of sockets, as text and as objects. */

/** What can be listened at and connected to: the kinds of unix sockets. */
export type UnixScheme = "unix" | "unix-seqpacket" | "unix-dgram";

/** A unix socket's address as an object, where the path is not text to be decoded. */
export interface UnixAddress {
  /** `"unix"`: a stream of bytes; `"unix-seqpacket"`: whole messages; `"unix-dgram"`: datagrams. */
  readonly type: UnixScheme;
  /**
   * A path of at most 107 bytes, or `@` and an abstract name of at most 107 bytes, zeros included. A byte that is not
   * UTF-8 is a character from U+DC80 to U+DCFF, as in what the kernel tells of other programs' sockets.
   */
  readonly path: string;
}

/** An address of the network as an object. */
export interface NetAddress {
  /** `"tcp"`: connections; `"tls"`: encrypted ones; `"udp"`: datagrams. */
  readonly type: "tcp" | "tls" | "udp";
  /** A name or a number: `localhost`, `192.0.2.1`, `2001:db8::1`. */
  readonly host: string;
  /** 1 to 65,535; 0 to listen on one that is free. */
  readonly port: number;
}

/**
 * Splits `scheme:rest` at its first colon.
 *
 * @throws {TypeError} if there is no scheme.
 */
export function splitAddress(address: string): { scheme: string; rest: string } {
  const colon = address.indexOf(":");
  if (colon > 0) return { scheme: address.slice(0, colon), rest: address.slice(colon + 1) };
  throw new TypeError(`Cannot use "${address}" as an address: it begins with a scheme such as unix: or tcp:`);
}
