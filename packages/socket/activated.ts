import { UntrustedError } from "@ipc/core";
import { abi, check, OwnedFd } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** The first descriptor that a service manager passes: SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST = 3;
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

let found: ReadonlyMap<string, OwnedFd[]> | undefined;

/**
 * The descriptors that a service manager opened for this process before it began, by name: socket activation as systemd
 * and others have it.
 *
 * The process listens from the moment the manager does, so that nobody is refused while it starts. A name is that of the
 * socket unit, or its `FileDescriptorName`; several may share one; those without are `"unknown"`. The first call looks
 * into the environment, takes the descriptors over, makes them close-on-exec and removes the variables; later ones give
 * the same map. It is empty where LISTEN_PID is another process, as behind a wrapper that does not replace itself.
 *
 * A listening socket becomes a listener with {@linkcode adoptListener}, a datagram socket a `UnixDatagram` with its
 * constructor. What was sent there before this process began, which may be what it was started for, tells its sender
 * where the unit says `PassCredentials=yes`; otherwise it is received if `SocketMode` is 0600, and refused if others
 * can write. Needs `--allow-env=LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES`. System call: `fcntl`.
 *
 * @throws {UntrustedError} if the variables make no sense, or a descriptor was not passed.
 *
 * @example
 * ```ts ignore
 * import { activated, adoptListener, listen } from "@ipc/socket";
 *
 * const [socket] = activated().get("answers.socket") ?? [];
 * await using listener = socket === undefined
 *   ? await listen("unix:/run/answers.sock") // Started by hand.
 *   : adoptListener("unix", socket);
 * ```
 */
export function activated(): ReadonlyMap<string, OwnedFd[]> {
  return found ??= look();
}

function look(): ReadonlyMap<string, OwnedFd[]> {
  const [pid, count, names] = VARIABLES.map((name) => Deno.env.get(name));
  if (pid === undefined || count === undefined) return new Map();
  if (numberOf("LISTEN_PID", pid) !== Deno.pid) return new Map();
  const total = numberOf("LISTEN_FDS", count);
  const words = names?.split(":");
  if (words !== undefined && words.length !== total) {
    throw new UntrustedError(
      `Cannot use LISTEN_FDNAMES: it has ${words.length} names for ${total} descriptors`,
    );
  }
  for (let fd = FIRST; fd < FIRST + total; fd++) checkPassed(fd);
  for (const name of VARIABLES) Deno.env.delete(name);
  const activated = new Map<string, OwnedFd[]>();
  for (let index = 0; index < total; index++) {
    const fd = FIRST + index;
    const name = words?.[index] || "unknown";
    check(libc.fcntl(fd, abi.F_SETFD, abi.FD_CLOEXEC), "fcntl", "make close-on-exec descriptor", fd);
    activated.set(name, [...activated.get(name) ?? [], new OwnedFd(fd)]);
  }
  return activated;
}

/** What came with this process stays open across exec; what the runtime has opened since does not. */
function checkPassed(fd: number): void {
  const flags = libc.fcntl(fd, abi.F_GETFD, 0);
  if (flags !== -1 && (flags & abi.FD_CLOEXEC) === 0) return;
  throw new UntrustedError(`Cannot use descriptor ${fd}: LISTEN_FDS names it, and nobody has passed it`);
}

function numberOf(name: string, value: string): number {
  const number = Number(value);
  if (/^\d{1,10}$/.test(value) && number <= 0x7fff_ffff) return number;
  throw new UntrustedError(`Cannot use ${name}: "${value}" is not a number`);
}
