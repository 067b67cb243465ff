/** Who is at the other end of a unix socket. */

import { ERRNO, UntrustedError } from "@ipc/core";
import { abi, check, cString, errno, failure, OwnedFd } from "@ipc/core/sys";
import { constants, ucred } from "./_abi.ts";
import { libc } from "./_libc.ts";

const { SOL_SOCKET, SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD } = constants;

/** A user's process as the kernel itself tells it: nobody can claim to be somebody else. */
export interface Credentials {
  /** The number of the process; 0 where it is in a pid namespace that cannot be seen from here. */
  readonly pid: number;
  /** The user: the effective one of who connected or listened, the real one of who sent a datagram. */
  readonly uid: number;
  /** The group, likewise. */
  readonly gid: number;
}

/** Who connected, or who listened, as it was at that moment. */
export interface Peer extends Credentials {
  /** The supplementary groups. */
  readonly groups: readonly number[];
  /** The path of its program; `undefined` where this user may not see it, or the process is gone. */
  readonly executable: string | undefined;
}

/** Decides whether somebody may go on; what it throws closes the connection and reaches the one who accepts. */
export type Authorize<P extends Credentials = Peer> = (peer: P) => boolean;

/** Who may connect unless told: this user, and root. */
export function sameUserOrRoot({ uid }: Pick<Credentials, "uid">): boolean {
  return uid === 0 || uid === libc.geteuid();
}

/** The process at the other end, as it was when it connected or began to listen. System call: `getsockopt`. */
export function credentialsOf(fd: number): Credentials {
  const bytes = new DataView(new ArrayBuffer(ucred.size));
  const length = new Uint32Array([ucred.size]);
  check(
    libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes, length),
    "getsockopt",
    "read the peer of socket",
    fd,
  );
  return readCredentials(bytes, 0);
}

/** Reads a `struct ucred`. */
export function readCredentials(view: DataView, at: number): Credentials {
  return {
    pid: view.getInt32(at + ucred.pid, true),
    uid: view.getUint32(at + ucred.uid, true),
    gid: view.getUint32(at + ucred.gid, true),
  };
}

/** All that is known of the process at the other end. System calls: `getsockopt`, `readlink`, `poll`. */
export function peerOf(fd: number): Peer {
  const credentials = credentialsOf(fd);
  return { ...credentials, groups: groupsOf(fd), executable: executableOf(fd, credentials.pid) };
}

/**
 * A descriptor of the very process at the other end, whatever its number means by now; `undefined` where the kernel
 * is older than 6.5, or the process is gone for good. System call: `getsockopt`.
 */
export function pidfdOf(fd: number): OwnedFd | undefined {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, value, length) === 0) return new OwnedFd(value[0]!);
  const code = errno();
  const absent: number[] = [ERRNO.ENOPROTOOPT, ERRNO.ENODATA, ERRNO.ESRCH, ERRNO.EINVAL, ERRNO.EOPNOTSUPP];
  if (absent.includes(code)) return undefined;
  throw failure(code, "getsockopt", "open the peer of socket", fd);
}

/** Closes the door to whom the rule does not let in. */
export function checkPeer(fd: number, authorize: Authorize, target: string): void {
  const peer = peerOf(fd);
  if (authorize(peer) === true) return;
  throw new UntrustedError(`Cannot connect to "${target}": it is process ${peer.pid} of user ${peer.uid}`, {
    target,
    hint: "allow it with authorize, if it is who you expect",
  });
}

function groupsOf(fd: number): readonly number[] {
  for (let room = 32;; room *= 2) {
    const groups = new Uint32Array(room);
    const length = new Uint32Array([groups.byteLength]);
    if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, length) === 0) {
      return [...groups.subarray(0, length[0]! / 4)];
    }
    const code = errno();
    // ENODATA: a peer that is no process, such as the kernel itself.
    if (code === ERRNO.ENODATA || code === ERRNO.ENOPROTOOPT) return [];
    if (code !== ERRNO.ERANGE) throw failure(code, "getsockopt", "read the groups of the peer of socket", fd);
  }
}

/** What is read by a process's number counts only while that process is known to be there. */
function executableOf(fd: number, pid: number): string | undefined {
  if (pid <= 0) return undefined;
  using pidfd = pidfdOf(fd);
  if (pidfd === undefined) return undefined;
  const path = readExecutable(pid);
  const pollfd = new DataView(new ArrayBuffer(abi.pollfd.size));
  pollfd.setInt32(abi.pollfd.fd, pidfd.fd, true);
  pollfd.setInt16(abi.pollfd.events, abi.POLLIN, true);
  // A pidfd becomes readable when its process ends.
  return libc.poll(pollfd, 1n, 0) === 0 ? path : undefined;
}

function readExecutable(pid: number): string | undefined {
  const name = cString(`/proc/${pid}/exe`);
  const buffer = new Uint8Array(abi.PATH_MAX);
  const count = libc.readlink(name, buffer, BigInt(buffer.byteLength));
  return count > 0 ? new TextDecoder().decode(buffer.subarray(0, count)) : undefined;
}
