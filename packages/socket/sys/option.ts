import type { Bytes } from "@ipc/core";
import { libc } from "../_libc.ts";
import { type Credentials, credentialsOf } from "../peer.ts";
import { complete } from "./_call.ts";

/** Sets an option that is an `int`. System call: `setsockopt`. */
export function setsockopt(sockfd: number, level: number, optname: number, optval: number): void {
  const value = new Int32Array([optval]);
  complete(() => libc.setsockopt(sockfd, level, optname, value, value.byteLength), "setsockopt", sockfd);
}

/** Reads an option of at most `size` bytes, as it is in memory. System call: `getsockopt`. */
export function getsockopt(sockfd: number, level: number, optname: number, size = 4): Bytes {
  const value = new Uint8Array(size);
  const length = new Uint32Array([size]);
  complete(() => libc.getsockopt(sockfd, level, optname, value, length), "getsockopt", sockfd);
  return value.subarray(0, length[0]);
}

/** Reads an option that is an `int`. System call: `getsockopt`. */
export function getsockoptInt(sockfd: number, level: number, optname: number): number {
  return new Int32Array(getsockopt(sockfd, level, optname).slice().buffer)[0]!;
}

/** The process at the other end, as it was when it connected or began to listen: SO_PEERCRED. System call: `getsockopt`. */
export function getpeercred(sockfd: number): Credentials {
  return credentialsOf(sockfd);
}
