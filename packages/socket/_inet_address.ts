/** Internet addresses: as people write them, and as `struct sockaddr`. */

import { type Bytes, ERRNO, IpcError, LimitError, NotFoundError, type WaitOptions } from "@ipc/core";
import { cString, errno, failure } from "@ipc/core/sys";
import { addrinfo, gai, net } from "./_net_abi.ts";
import { libc } from "./_libc.ts";
import { inet } from "./_net_libc.ts";
import { checkTimeout, within } from "./_within.ts";

/** One end of an internet connection, or where a datagram comes from. */
export interface InetAddress {
  /** A name or a number: `localhost`, `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`. What the kernel tells is a number. */
  readonly host: string;
  /** 1 to 65,535; 0 to listen on one that is free. */
  readonly port: number;
}

/** The longest `struct sockaddr` of the internet. */
const LONGEST = 28;

/** `host:port`, with brackets around numbers of version 6. */
export function formatAddress({ host, port }: InetAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `host:port`, `[2001:db8::1]:port` or `:port`, which is every address of this machine to listen on, for
 * UDP every one of IPv4. The scheme may stand before it.
 *
 * @throws {TypeError} if it is none of these.
 * @throws {RangeError} if the port is out of range.
 */
export function inetAddress(address: InetAddress | string, scheme: "tcp" | "udp" | "tls"): InetAddress {
  if (typeof address !== "string") return checkAddress(address);
  const found = /^(?:([a-z]+):)?(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  if (found !== null && (found[1] ?? scheme) === scheme) {
    return checkAddress({ host: found[2] ?? found[3]!, port: Number(found[4]) });
  }
  throw new TypeError(
    `Cannot use "${address}" as an address of ${scheme}: it is host:port, or [host]:port where host has colons`,
  );
}

/** Throws unless host and port can be an address. */
export function checkAddress(address: InetAddress): InetAddress {
  const { host, port } = address;
  if (typeof host !== "string") throw new TypeError("Cannot use this address: its host is not a string");
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot use port ${port}: it is an integer from 0 to 65535`);
  }
  return address;
}

/** Room for an address that the kernel tells. */
export class AddressBuffer {
  /** The `struct sockaddr`. */
  readonly bytes: Bytes = new Uint8Array(LONGEST);
  /** The `socklen_t` beside it. */
  readonly length: Uint32Array<ArrayBuffer> = new Uint32Array([LONGEST]);

  /** Says how much room there is; before each call. */
  reset(): this {
    this.length[0] = LONGEST;
    return this;
  }

  /** What the kernel told. */
  get address(): InetAddress {
    return decodeAddress(this.bytes);
  }
}

/** Reads a `struct sockaddr_in` or `sockaddr_in6`. */
export function decodeAddress(sockaddr: Uint8Array): InetAddress {
  const view = new DataView(sockaddr.buffer, sockaddr.byteOffset, sockaddr.byteLength);
  const port = view.getUint16(2);
  if (familyOf(sockaddr) === net.AF_INET) return { host: sockaddr.subarray(4, 8).join("."), port };
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(8 + 2 * index));
  // A socket of version 6 that serves both has peers of version 4 so.
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return { host: `::ffff:${sockaddr.subarray(20, 24).join(".")}`, port };
  const text = groups.map((group) => group.toString(16)).join(":");
  // A URL writes it in the shortest form.
  const host = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const scope = view.getUint32(24, true);
  return { host: scope === 0 ? host : `${host}%${scope}`, port };
}

/** The family that a `struct sockaddr` is of. */
export function familyOf(sockaddr: Uint8Array): number {
  return sockaddr[0]! | sockaddr[1]! << 8;
}

/** What an address is resolved for. */
export interface ResolveOptions extends WaitOptions {
  /** SOCK_STREAM or SOCK_DGRAM. */
  type: number;
  /** Whether it is one to listen on: an empty host is then every address of this machine. */
  passive?: boolean | undefined;
}

/**
 * The addresses of a name, as `struct sockaddr`, the best first. A number needs no waiting.
 *
 * The call on a thread of the pool goes on to its end when this one is given up.
 */
export async function resolve(address: InetAddress, options: ResolveOptions): Promise<Bytes[]> {
  const { timeout, signal } = options;
  checkTimeout(timeout);
  signal?.throwIfAborted();
  const { host } = address;
  return resolveNumber(address, options) ??
    await within(() => resolveName(address, options), {
      timeout,
      signal,
      action: `find host "${host}"`,
      target: host,
    });
}

/** The addresses of a number; `undefined`: it is a name. */
export function resolveNumber(address: InetAddress, options: ResolveOptions): Bytes[] | undefined {
  const { host, service, hints, result } = question(address, options, gai.AI_NUMERICHOST);
  const status = inet.getaddrinfoNow(host, service, hints, result);
  if (status === gai.EAI_NONAME) return undefined;
  return answer(address, status, result);
}

async function resolveName(address: InetAddress, options: ResolveOptions): Promise<Bytes[]> {
  const { host, service, hints, result } = question(address, options, 0);
  const status = await inet.getaddrinfo(host, service, hints, result);
  return answer(address, status, result);
}

function question({ host, port }: InetAddress, { type, passive = false }: ResolveOptions, flags: number) {
  const hints = new DataView(new ArrayBuffer(addrinfo.size));
  hints.setInt32(addrinfo.flags, flags | gai.AI_NUMERICSERV | (passive ? gai.AI_PASSIVE : 0), true);
  hints.setInt32(addrinfo.socktype, type, true);
  // Without AI_PASSIVE no host is this machine itself.
  return {
    host: host === "" ? null : cString(host),
    service: cString(String(port)),
    hints,
    result: new BigUint64Array(1),
  };
}

/** Takes the list apart, and gives it back. */
function answer({ host }: InetAddress, status: number, result: BigUint64Array<ArrayBuffer>): Bytes[] {
  if (status !== 0) throw unresolved(host, status);
  const found: Bytes[] = [];
  const list = Deno.UnsafePointer.create(result[0]!);
  const entry = new DataView(new ArrayBuffer(addrinfo.size));
  for (let at = list; at !== null; at = Deno.UnsafePointer.create(entry.getBigUint64(addrinfo.next, true))) {
    inet.memcpy(entry, at, BigInt(addrinfo.size));
    const sockaddr = new Uint8Array(entry.getUint32(addrinfo.addrlen, true));
    const address = Deno.UnsafePointer.create(entry.getBigUint64(addrinfo.addr, true));
    inet.memcpy(sockaddr, address, BigInt(sockaddr.length));
    found.push(sockaddr);
  }
  inet.freeaddrinfo(list);
  return found;
}

function unresolved(host: string, status: number): IpcError {
  const what = `Cannot find host "${host}"`;
  const options = { syscall: "getaddrinfo", target: host };
  if (status === gai.EAI_NONAME || status === gai.EAI_NODATA) {
    return new NotFoundError(`${what}: no such host`, { ...options, code: "EAI_NONAME" });
  }
  if (status === gai.EAI_MEMORY) return new LimitError(`${what}: out of memory`, options);
  if (status === gai.EAI_AGAIN) return unanswered(what, options);
  return new IpcError(`${what}: getaddrinfo failed with ${status}`, { ...options, code: "EAI_FAIL" });
}

/** The error of a name that the runtime could not resolve, which tells that only in words; `undefined`: another one. */
export function lookupFailure(what: string, message: string, target: string): IpcError | undefined {
  if (!/failed to lookup|dns error/.test(message)) return undefined;
  if (message.includes("Temporary failure")) return unanswered(what, { target });
  return new NotFoundError(`${what}: no such host`, { code: "EAI_NONAME", target });
}

function unanswered(what: string, options: { syscall?: string; target: string }): IpcError {
  const hint = "try again later; /etc/resolv.conf names the servers that are asked";
  return new IpcError(`${what}: no name server answered`, { ...options, code: "EAI_AGAIN", hint });
}

/** Where a socket is bound, or what it is connected to; `undefined`: it is not. */
export function addressOf(fd: number, which: "local" | "remote"): InetAddress | undefined {
  const { bytes, length } = new AddressBuffer();
  const status = which === "local"
    ? libc.getsockname(fd, bytes, length)
    : libc.getpeername(fd, bytes, length);
  if (status === 0) return decodeAddress(bytes);
  const code = errno();
  if (code === ERRNO.ENOTCONN) return undefined;
  throw failure(code, which === "local" ? "getsockname" : "getpeername", "read the address of socket", fd);
}
